// A device that is one end of a socket pair, so that its queue is small and really fills, and what
// a peer at the other end sends and expects.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <tins/tins.h>

#include <cerrno>
#include <cstdint>
#include <optional>
#include <vector>

#include "runnel/tun_device.h"
#include "runnel/unique_fd.h"
#include "tests/unit/tun/packets.h"

namespace runnel::tun {

using Octets = std::vector<std::uint8_t>;

class PairDevice : public Device {
 public:
  PairDevice() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    ours_ = UniqueFd(ends[0]);
    peer_ = UniqueFd(ends[1]);
    const int octets = 8192;
    ::setsockopt(ours_.get(), SOL_SOCKET, SO_SNDBUF, &octets, sizeof(octets));
  }

  ReadStatus read(RxBuffer& buffer) override {
    ++reads;
    if (is_gone) throw DeviceError("gone");
    const MutableBytes space = buffer.space();
    const ssize_t size = ::recv(ours_.get(), space.data(), space.size(), 0);
    if (size <= 0) return ReadStatus::Empty;
    buffer.set_packet(0, static_cast<std::size_t>(size));
    buffer.meta = {};
    return ReadStatus::Packet;
  }
  WriteStatus write(TxFrame& frame) override {
    Octets flat(frame.size());
    frame.copy_to(flat);
    return send(flat);
  }
  int descriptor() const noexcept override { return ours_.get(); }
  bool checksum_offload() const noexcept override { return false; }
  bool tcp_segmentation_offload() const noexcept override { return false; }

  // The other end of the link. False when the queue to the stack is full.
  bool inject(const Octets& packet) {
    return ::send(peer_.get(), packet.data(), packet.size(), MSG_NOSIGNAL) >= 0;
  }
  Octets next() {
    Octets packet(70000);
    const ssize_t size = ::recv(peer_.get(), packet.data(), packet.size(), 0);
    packet.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return packet;
  }
  void hang_up() { peer_ = UniqueFd(); }

  int reads = 0;
  int fulls = 0;
  bool is_gone = false;

 protected:
  WriteStatus send(const Octets& packet) {
    if (::send(ours_.get(), packet.data(), packet.size(), MSG_NOSIGNAL) >= 0) {
      return WriteStatus::Written;
    }
    if (errno != EAGAIN) return WriteStatus::Dropped;
    ++fulls;
    return WriteStatus::Full;
  }

 private:
  UniqueFd ours_;
  UniqueFd peer_;
};

inline Octets echo_request(std::uint16_t sequence, std::size_t payload_octets = 56) {
  Tins::ICMP icmp(Tins::ICMP::ECHO_REQUEST);
  icmp.id(7);
  icmp.sequence(sequence);
  Tins::IP packet =
      Tins::IP("192.0.2.2", "192.0.2.1") / icmp / Tins::RawPDU(pattern(payload_octets));
  return packet.serialize();
}

// The sequence number of an echo reply; nothing when the packet is none.
inline std::optional<std::uint16_t> reply_sequence(const Octets& packet) {
  if (packet.empty()) return std::nullopt;
  const Tins::IP parsed(packet.data(), static_cast<std::uint32_t>(packet.size()));
  const auto* icmp = parsed.find_pdu<Tins::ICMP>();
  if (icmp == nullptr || icmp->type() != Tins::ICMP::ECHO_REPLY) return std::nullopt;
  return icmp->sequence();
}

}  // namespace runnel::tun
