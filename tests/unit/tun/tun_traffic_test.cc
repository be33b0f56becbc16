// Packets through a TUN, with the kernel's own sockets on the other side.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <tins/tins.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "runnel/tun_device.h"
#include "runnel/unique_fd.h"
#include "stack/wire/checksum.h"
#include "tests/unit/tun/network_namespace.h"
#include "tests/unit/tun/packets.h"

namespace runnel::tun {
namespace {

using Octets = std::vector<std::uint8_t>;

constexpr const char* kKernel = "192.0.2.1";
constexpr const char* kStack = "192.0.2.2";
constexpr std::size_t kHeaderOctets = 40;
constexpr int kPatienceMs = 5000;

sockaddr_in endpoint(const char* address, std::uint16_t port) {
  sockaddr_in result{};
  result.sin_family = AF_INET;
  result.sin_port = htons(port);
  result.sin_addr.s_addr = ::inet_addr(address);
  return result;
}

UniqueFd kernel_socket(int type) {
  return UniqueFd(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
}

void bind_kernel(const UniqueFd& socket, std::uint16_t port) {
  const sockaddr_in here = endpoint(kKernel, port);
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&here), sizeof(here)), 0);
}

// A device and the buffer that its packets come in.
class Wire {
 public:
  explicit Wire(bool offload)
      : device({.name = "tun0",
                .offload = offload,
                .kernel_address = IpPrefix{IpAddress(192, 0, 2, 1), 24}}) {}

  // The next packet of `protocol`, passing over the kernel's IPv6 chatter.
  std::optional<Tins::IP> next(int protocol) {
    for (;;) {
      if (device.read(buffer) == Device::ReadStatus::Packet) {
        const Bytes packet = buffer.packet();
        if (packet[0] >> 4U != 4 || packet[9] != protocol) continue;
        return Tins::IP(packet.data(), static_cast<std::uint32_t>(packet.size()));
      }
      pollfd readable{.fd = device.descriptor(), .events = POLLIN, .revents = 0};
      if (::poll(&readable, 1, kPatienceMs) != 1) return std::nullopt;
    }
  }

  // Writes a packet, with the transport checksum left to the device when `meta` says so.
  Device::WriteStatus write(Tins::IP packet, PacketMeta meta = {}) {
    Octets octets = packet.serialize();
    if (meta.checksum == ChecksumStatus::Partial) {
      const auto sum = wire::pseudo_header_sum(IpAddress(192, 0, 2, 2), IpAddress(192, 0, 2, 1),
                                               octets[9], octets.size() - 20)
                           .folded_sum();
      octets[20U + meta.checksum_offset] = static_cast<std::uint8_t>(sum >> 8U);
      octets[21U + meta.checksum_offset] = static_cast<std::uint8_t>(sum);
    }
    TxFrame frame;
    fill(frame, octets, std::min(octets.size(), kHeaderOctets));
    frame.meta = meta;
    const auto status = device.write(frame);
    EXPECT_EQ(frame.size(), octets.size()) << "the frame is as it was";
    return status;
  }

  TunDevice device;
  TestBuffer memory;
  RxBuffer buffer = memory.acquire();
};

PacketMeta partial(std::uint16_t checksum_offset, std::uint16_t gso_size_octets = 0) {
  return {.checksum = ChecksumStatus::Partial,
          .gso_size_octets = gso_size_octets,
          .checksum_start = 20,
          .checksum_offset = checksum_offset};
}

Tins::IP udp(const Octets& payload) {
  return Tins::IP(kKernel, kStack) / Tins::UDP(5000, 6000) / Tins::RawPDU(payload);
}

void send_udp(const UniqueFd& socket, const std::string& text) {
  const sockaddr_in there = endpoint(kStack, 6000);
  ASSERT_EQ(::sendto(socket.get(), text.data(), text.size(), 0,
                     reinterpret_cast<const sockaddr*>(&there), sizeof(there)),
            static_cast<ssize_t>(text.size()));
}

bool whole_checksum_is_right(Bytes packet) {
  auto sum = wire::pseudo_header_sum(IpAddress(192, 0, 2, 1), IpAddress(192, 0, 2, 2), packet[9],
                                     packet.size() - 20);
  sum.add(packet.subspan(20));
  return sum.checksum() == 0;
}

TEST(TunTraffic, WithOffloadTheKernelVouchesForItsChecksums) {
  in_network_namespace([] {
    Wire wire(true);
    const UniqueFd socket = kernel_socket(SOCK_DGRAM);
    send_udp(socket, "hello");
    ASSERT_TRUE(wire.next(IPPROTO_UDP));
    EXPECT_EQ(wire.buffer.meta.checksum, ChecksumStatus::Verified);
    EXPECT_EQ(wire.buffer.meta.gso_size_octets, 0);
    EXPECT_EQ(wire.device.counters().read_packets >= 1, true);
    EXPECT_EQ(wire.device.counters().read_malformed, 0U);
  });
}

// What came of a batch: the texts of the datagrams to the stack, in the order of the buffers.
std::vector<std::string> texts(std::span<const RxBuffer> buffers) {
  std::vector<std::string> result;
  for (const RxBuffer& buffer : buffers) {
    const Bytes packet = buffer.packet();
    if (packet[0] >> 4U != 4 || packet[9] != IPPROTO_UDP) continue;
    result.emplace_back(packet.begin() + 28, packet.end());
  }
  return result;
}

void a_batch_is_read_in_order(bool offload) {
  in_network_namespace([offload] {
    shell("sysctl -qw net.ipv6.conf.default.disable_ipv6=1");  // nothing else is to come
    Wire wire(offload);
    std::vector<RxBuffer> buffers;
    for (int i = 0; i < 12; ++i) buffers.push_back(wire.memory.acquire());
    const UniqueFd socket = kernel_socket(SOCK_DGRAM);
    EXPECT_EQ(wire.device.read_batch(buffers), 0U);
    for (const std::size_t there : {12U, 3U, 9U}) {
      std::vector<std::string> sent;
      for (std::size_t i = 0; i < there; ++i) {
        sent.push_back("datagram " + std::to_string(i) + std::string(i * 50, '.'));
        send_udp(socket, sent.back());
      }
      ASSERT_EQ(wire.device.read_batch(buffers), there);
      EXPECT_EQ(texts(std::span(buffers).first(there)), sent);
      for (const RxBuffer& buffer : buffers) ASSERT_TRUE(buffer);
      EXPECT_EQ(buffers[0].meta.checksum,
                offload ? ChecksumStatus::Verified : ChecksumStatus::Unchecked);
    }
    EXPECT_EQ(wire.device.counters().read_packets, 24U);
    EXPECT_EQ(wire.device.counters().read_malformed, 0U);
    EXPECT_EQ(wire.device.lost_in_queue(), 0U);
  });
}

TEST(TunTraffic, ABatchIsReadInOrderAsFarAsItGoes) {
  a_batch_is_read_in_order(true);
  a_batch_is_read_in_order(false);
}

TEST(TunTraffic, AReadOfManyFindsThatTheDeviceWasDeleted) {
  in_network_namespace([] {
    Wire wire(true);
    std::vector<RxBuffer> buffers;
    for (int i = 0; i < 12; ++i) buffers.push_back(wire.memory.acquire());
    shell("ip link del tun0");
    EXPECT_THROW((void)wire.device.read_batch(buffers), DeviceError);
  });
}

TEST(TunTraffic, WithoutOffloadChecksumsAreWholeEvenAfterAHolderWithOffload) {
  in_network_namespace([] {
    shell("ip tuntap add dev tun0 mode tun");
    { const Wire with_offload(true); }
    Wire wire(false);
    const UniqueFd socket = kernel_socket(SOCK_DGRAM);
    send_udp(socket, "hello");
    ASSERT_TRUE(wire.next(IPPROTO_UDP));
    EXPECT_EQ(wire.buffer.meta.checksum, ChecksumStatus::Unchecked);
    EXPECT_TRUE(whole_checksum_is_right(wire.buffer.packet()));
  });
}

TEST(TunTraffic, TheKernelCompletesAPartialChecksum) {
  in_network_namespace([] {
    Wire wire(true);
    const UniqueFd socket = kernel_socket(SOCK_DGRAM);
    bind_kernel(socket, 5000);
    const Octets payload = pattern(1000);
    EXPECT_EQ(wire.write(udp(payload), partial(6)), Device::WriteStatus::Written);
    EXPECT_EQ(wire.write(udp({1, 2, 3})), Device::WriteStatus::Written) << "a whole one";
    EXPECT_EQ(wire.device.counters().written_packets, 2U);
    Octets received(2000);
    ASSERT_EQ(::recv(socket.get(), received.data(), received.size(), MSG_DONTWAIT), 1000);
    received.resize(1000);
    EXPECT_EQ(received, payload);
    EXPECT_EQ(::recv(socket.get(), received.data(), received.size(), MSG_DONTWAIT), 3);
  });
}

TEST(TunTraffic, WithoutOffloadAFrameThatNeedsItIsRefused) {
  in_network_namespace([] {
    Wire wire(false);
    EXPECT_EQ(wire.write(udp({1}), partial(6)), Device::WriteStatus::Dropped);
    PacketMeta super_packet;
    super_packet.gso_size_octets = 1460;
    EXPECT_EQ(wire.write(udp({1}), super_packet), Device::WriteStatus::Dropped);
    EXPECT_EQ(wire.device.counters().write_refused, 2U);
    EXPECT_EQ(wire.write(udp({1})), Device::WriteStatus::Written);
  });
}

// A TCP connection from a peer of a few lines to a kernel socket.
class KernelConnection {
 public:
  explicit KernelConnection(Wire& wire) : wire_(wire) {
    bind_kernel(listener_, 80);
    EXPECT_EQ(::listen(listener_.get(), 1), 0);
    Tins::TCP syn = segment(Tins::TCP::SYN);
    syn.mss(1460);
    wire_.write(Tins::IP(kKernel, kStack) / syn);
    ++seq;
    const auto answer = wire_.next(IPPROTO_TCP);
    if (!answer) {
      ADD_FAILURE() << "no SYN,ACK";
      return;
    }
    EXPECT_EQ(answer->rfind_pdu<Tins::TCP>().flags(), Tins::TCP::SYN | Tins::TCP::ACK);
    ack = answer->rfind_pdu<Tins::TCP>().seq() + 1;
    wire_.write(Tins::IP(kKernel, kStack) / segment(Tins::TCP::ACK));
    socket = UniqueFd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    EXPECT_TRUE(socket);
    const timeval patience{.tv_sec = kPatienceMs / 1000, .tv_usec = 0};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  }

  [[nodiscard]] Tins::TCP segment(unsigned flags) const {
    Tins::TCP result(80, 40000);
    result.seq(seq);
    result.ack_seq(ack);
    result.window(65535);
    result.flags(static_cast<std::uint8_t>(flags));
    return result;
  }

  std::uint32_t seq = 1000;
  std::uint32_t ack = 0;
  UniqueFd socket;

 private:
  Wire& wire_;
  UniqueFd listener_ = kernel_socket(SOCK_STREAM);
};

TEST(TunTraffic, ASuperPacketReachesAKernelSocketWhole) {
  in_network_namespace([] {
    Wire wire(true);
    KernelConnection connection(wire);
    const Octets payload = pattern(20000);
    const Tins::IP packet = Tins::IP(kKernel, kStack) /
                            connection.segment(Tins::TCP::ACK | Tins::TCP::PSH) /
                            Tins::RawPDU(payload);
    ASSERT_EQ(wire.write(packet, partial(16, 1400)), Device::WriteStatus::Written);
    Octets received(payload.size());
    ASSERT_EQ(::recv(connection.socket.get(), received.data(), received.size(), MSG_WAITALL),
              static_cast<ssize_t>(payload.size()));
    EXPECT_EQ(received, payload);
  });
}

// Lets the kernel send 14,000 octets (less than its initial window) to us, and acknowledges
// nothing.
std::vector<std::pair<std::size_t, PacketMeta>> sizes_of_a_transfer(bool offload) {
  Wire wire(offload);
  KernelConnection connection(wire);
  const Octets payload = pattern(14000);
  EXPECT_EQ(::send(connection.socket.get(), payload.data(), payload.size(), MSG_DONTWAIT), 14000);
  std::vector<std::pair<std::size_t, PacketMeta>> sizes;
  Octets received;
  while (received.size() < payload.size()) {
    const auto packet = wire.next(IPPROTO_TCP);
    if (!packet) break;
    const Bytes octets = wire.buffer.packet();
    received.insert(received.end(), octets.begin() + kHeaderOctets, octets.end());
    sizes.emplace_back(octets.size() - kHeaderOctets, wire.buffer.meta);
  }
  EXPECT_EQ(received, payload);
  return sizes;
}

TEST(TunTraffic, WithOffloadTheKernelHandsOverSuperPackets) {
  in_network_namespace([] {
    std::size_t largest = 0;
    for (const auto& [size, meta] : sizes_of_a_transfer(true)) {
      largest = std::max(largest, size);
      EXPECT_EQ(meta.checksum, ChecksumStatus::Verified);
      EXPECT_EQ(meta.gso_size_octets, size > 1460 ? 1460 : 0);
    }
    EXPECT_GT(largest, 1460U);
  });
}

TEST(TunTraffic, WithoutOffloadItHandsOverSegments) {
  in_network_namespace([] {
    for (const auto& [size, meta] : sizes_of_a_transfer(false)) {
      EXPECT_LE(size, 1460U);
      EXPECT_EQ(meta.checksum, ChecksumStatus::Unchecked);
      EXPECT_EQ(meta.gso_size_octets, 0);
    }
  });
}

TEST(TunTraffic, WhatTheKernelRefusesIsDroppedAndCounted) {
  in_network_namespace([] {
    Wire wire(true);
    TxFrame frame;
    fill(frame, Octets(40, 0xff), 40);  // IP version 15
    EXPECT_EQ(wire.device.write(frame), Device::WriteStatus::Dropped);
    EXPECT_EQ(wire.device.counters().write_refused, 1U);
    EXPECT_EQ(wire.write(udp({1})), Device::WriteStatus::Written) << "the next one is not affected";
  });
}

TEST(TunTraffic, ALinkThatGoesDownAndUpAgainRecovers) {
  in_network_namespace([] {
    Wire wire(true);
    const UniqueFd socket = kernel_socket(SOCK_DGRAM);
    bind_kernel(socket, 5000);
    shell("ip link set tun0 down");
    while (wire.device.read(wire.buffer) == Device::ReadStatus::Packet) {
    }
    EXPECT_EQ(wire.write(udp({1}), partial(6)), Device::WriteStatus::Dropped);
    EXPECT_EQ(wire.device.counters().write_link_down, 1U);
    EXPECT_EQ(wire.device.counters().write_refused, 0U);
    EXPECT_EQ(wire.device.read(wire.buffer), Device::ReadStatus::Empty);

    shell("ip link set tun0 up");
    EXPECT_EQ(wire.write(udp({2}), partial(6)), Device::WriteStatus::Written);
    std::uint8_t octet = 0;
    EXPECT_EQ(::recv(socket.get(), &octet, 1, MSG_DONTWAIT), 1);
    EXPECT_EQ(octet, 2);
    send_udp(socket, "again");
    EXPECT_TRUE(wire.next(IPPROTO_UDP));
  });
}

TEST(TunTraffic, ABatchArrivesInOrderWhateverItsPacketsSizes) {
  in_network_namespace([] {
    for (const bool offload : {true, false}) {
      Wire wire(offload);
      const UniqueFd socket = kernel_socket(SOCK_DGRAM);
      bind_kernel(socket, 5000);
      constexpr std::uint8_t kPackets = 50;  // what a socket keeps
      for (std::uint8_t i = 0; i < kPackets; ++i) {
        TxFrame frame;
        const std::size_t octets = i % 20 == 19 ? 1200U : 10U + i;
        const Octets packet = udp(Octets(octets, i)).serialize();
        fill(frame, packet, 28);
        const Octets before = to_vector(frame.header());
        EXPECT_EQ(wire.device.write_in_batch(frame), Device::WriteStatus::Written);
        EXPECT_EQ(to_vector(frame.header()), before);
        if (i % 33 == 3) {
          EXPECT_EQ(wire.device.finish_batch(), Device::WriteStatus::Written);
        }
      }
      EXPECT_EQ(wire.device.finish_batch(), Device::WriteStatus::Written);
      EXPECT_EQ(wire.device.counters().written_packets, kPackets);
      for (std::uint8_t i = 0; i < kPackets; ++i) {
        Octets received(2000);
        ASSERT_GT(::recv(socket.get(), received.data(), received.size(), MSG_DONTWAIT), 0);
        EXPECT_EQ(received[0], i);
      }
    }
  });
}

TEST(TunTraffic, APacketByItselfDoesNotOvertakeABatch) {
  in_network_namespace([] {
    Wire wire(true);
    const UniqueFd socket = kernel_socket(SOCK_DGRAM);
    bind_kernel(socket, 5000);
    TxFrame frame;
    const Octets first = udp({1}).serialize();
    fill(frame, first, 28);
    EXPECT_EQ(wire.device.write_in_batch(frame), Device::WriteStatus::Written);
    EXPECT_EQ(wire.write(udp({2})), Device::WriteStatus::Written);
    std::uint8_t octet = 0;
    EXPECT_EQ(::recv(socket.get(), &octet, 1, MSG_DONTWAIT), 1);
    EXPECT_EQ(octet, 1);
  });
}

TEST(TunTraffic, PacketsOfABatchAreCountedOneByOne) {
  in_network_namespace([] {
    Wire wire(true);
    TxFrame frame;
    const Octets good = udp({1}).serialize();
    const Octets bad(40, 0xff);  // IP version 15
    for (int i = 0; i < 20; ++i) {
      fill(frame, i % 2 == 0 ? good : bad, 28);
      EXPECT_EQ(wire.device.write_in_batch(frame), Device::WriteStatus::Written);
    }
    EXPECT_EQ(wire.device.finish_batch(), Device::WriteStatus::Written);
    EXPECT_EQ(wire.device.counters().written_packets, 10U);
    EXPECT_EQ(wire.device.counters().write_refused, 10U);
    shell("ip link set tun0 down");
    fill(frame, good, 28);
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(wire.device.write_in_batch(frame), Device::WriteStatus::Written);
    }
    EXPECT_EQ(wire.device.finish_batch(), Device::WriteStatus::Written);
    EXPECT_EQ(wire.device.counters().write_link_down, 20U);
    shell("ip link del tun0");
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(wire.device.write_in_batch(frame), Device::WriteStatus::Written);
    }
    EXPECT_THROW((void)wire.device.finish_batch(), DeviceError);
  });
}

TEST(TunTraffic, ADeletedDeviceIsAnErrorForEveryCall) {
  in_network_namespace([] {
    Wire wire(true);
    shell("ip link del tun0");
    for (int i = 0; i < 2; ++i) {
      try {
        (void)wire.device.read(wire.buffer);
        FAIL() << "read from nothing";
      } catch (const DeviceError& error) {
        EXPECT_STREQ(error.what(), "tun0: the device was deleted");
      }
      EXPECT_THROW(wire.write(udp({1})), DeviceError);
    }
    pollfd ready{.fd = wire.device.descriptor(), .events = POLLIN, .revents = 0};
    EXPECT_EQ(::poll(&ready, 1, 0), 1) << "whoever waits is woken";
  });
}

}  // namespace
}  // namespace runnel::tun
