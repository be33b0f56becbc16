// What a million established connections cost: an echo server in memory, and peers that are made of
// packets. Each connection is opened, answers one request and then rests.
//
//    million_connections [COUNT]      1,000,000 unless given
//
// Exits with 1 when an idle stack asks to be woken, when a connection does not answer any more, or
// when there are enough of them to tell that they take more memory than they may.
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <vector>

#include "runnel/sockets.h"
#include "runnel/tcp_listener.h"
#include "stack/core/compact_records.h"
#include "stack/core/records.h"
#include "stack/tcp/connection.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/tcp.h"

namespace runnel::bench {
namespace {

constexpr IpAddress kServer{192, 0, 2, 2};
constexpr std::uint16_t kPort = 7;
constexpr std::uint16_t kPeerPort = 40000;
constexpr std::uint32_t kRequestOctets = 64;
constexpr std::size_t kEnoughToTell = 500'000;
constexpr double kMostOctets = 600;  // of resident memory, for each of so many
constexpr std::uint32_t kAskedAgain = 10'000;

// Octets of memory that the process has at present.
double resident_octets() {
  std::ifstream file("/proc/self/statm");
  double whole = 0;
  double resident = 0;
  file >> whole >> resident;
  return resident * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

// Of processor time, which other programs do not add to.
double seconds_since(std::clock_t begin) {
  return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
}

class Peers {
 public:
  Peers() : stack_(make_config(), random_), sockets_(stack_) {
    if (!stack_.add_address({kServer, 24})) std::abort();
    auto listener = sockets_.listen({kServer, kPort}).value();
    listener.on(events::connection, [](TcpSocket peer) {
      peer.on(events::data, [peer](Bytes octets) mutable { (void)peer.write(octets); });
    });
  }

  [[nodiscard]] Stack& stack() noexcept { return stack_; }
  [[nodiscard]] Sockets& sockets() noexcept { return sockets_; }

  // What the peer of one connection has to know; only kept of those that are asked again.
  struct Peer {
    std::uint32_t number = 0;
    wire::SeqNum snd_nxt;
    wire::SeqNum rcv_nxt;
    std::uint32_t ts_recent = 0;
  };
  [[nodiscard]] Peer open(std::uint32_t number) {
    Peer peer{number, iss_of(number), {}, 0};
    deliver(peer, {.syn = true}, 0);
    collect(peer);
    deliver(peer, {.ack = true}, 0);
    collect(peer);
    return peer;
  }
  // Returns whether the answer was complete.
  bool ask(Peer& peer) {
    const wire::SeqNum before = peer.rcv_nxt;
    deliver(peer, {.ack = true}, kRequestOctets);
    collect(peer);
    deliver(peer, {.ack = true}, 0);
    collect(peer);
    return peer.rcv_nxt - before == static_cast<std::int32_t>(kRequestOctets);
  }
  // Resets the connection, after so many requests.
  void close(std::uint32_t number, std::uint32_t requests) {
    Peer peer{number, iss_of(number) + 1U + requests * kRequestOctets, {}, 0};
    deliver(peer, {.rst = true}, 0);
    collect(peer);
  }

  // Time passes until nothing is left to happen. Returns how often the stack wanted to be woken.
  std::size_t rest(Duration longest) {
    std::size_t wakeups = 0;
    const Instant end = now_ + longest;
    while (stack_.next_deadline() < end) {
      now_ = std::max(now_, stack_.next_deadline());
      stack_.advance(now_);
      while (stack_.poll_transmit(frame_, now_)) {
      }
      ++wakeups;
    }
    now_ = end;
    return wakeups;
  }

 private:
  [[nodiscard]] static wire::SeqNum iss_of(std::uint32_t number) noexcept {
    return wire::SeqNum{number * 64021U};
  }
  static Config make_config() {
    Config config;
    config.checksum_offload = true;
    config.tcp_segmentation_offload = true;
    return config;
  }

  void deliver(Peer& peer, wire::TcpFlags flags, std::size_t text_octets) {
    now_ += std::chrono::microseconds(2);
    wire::TcpHeader tcp;
    tcp.source_port = kPeerPort;
    tcp.destination_port = kPort;
    tcp.seq = peer.snd_nxt;
    tcp.ack = peer.rcv_nxt;
    tcp.flags = flags;
    tcp.window = 0xffff;
    const auto clock =
        std::chrono::duration_cast<std::chrono::milliseconds>(now_.time_since_epoch()).count();
    tcp.options.timestamps = {static_cast<std::uint32_t>(clock), peer.ts_recent};
    if (flags.syn) {
      tcp.options.maximum_segment_size = 1460;
      tcp.options.window_scale = 7;
      tcp.options.sack_permitted = true;
    }
    const std::size_t size = wire::kIpv4MinHeaderOctets + tcp.octets() + text_octets;
    wire::Ipv4Header ip;
    ip.dont_fragment = true;
    ip.protocol = wire::kProtocolTcp;
    ip.source = IpAddress::from_v4(0x0a000001U + peer.number);
    ip.destination = kServer;
    ip.write(packet_, size - wire::kIpv4MinHeaderOctets);
    tcp.write(MutableBytes(packet_).subspan(wire::kIpv4MinHeaderOctets));
    PacketMeta meta;
    meta.checksum = ChecksumStatus::Verified;
    stack_.receive(Bytes(packet_).first(size), now_, meta);
    peer.snd_nxt += static_cast<std::uint32_t>(text_octets) + (flags.syn ? 1U : 0U);
  }

  void collect(Peer& peer) {
    sockets_.dispatch();
    while (stack_.poll_transmit(frame_, now_)) {
      const std::size_t size = frame_.copy_to(sent_);
      const Bytes behind_ip = Bytes(sent_).first(size).subspan(wire::kIpv4MinHeaderOctets);
      const auto tcp = wire::TcpView::parse(behind_ip);
      if (!tcp) std::abort();
      const auto text = static_cast<std::uint32_t>(tcp->payload().size());
      peer.rcv_nxt = tcp->seq() + text + (tcp->flags().syn ? 1U : 0U);
      if (const auto options = tcp->options(); options.timestamps) {
        peer.ts_recent = options.timestamps->value;
      }
    }
  }

  SeededRandom random_{1};
  Stack stack_;
  Sockets sockets_;
  Instant now_{std::chrono::seconds(1)};
  TxFrame frame_;
  std::array<std::uint8_t, 256> packet_{};
  std::array<std::uint8_t, 65536> sent_{};
};

int run(std::uint32_t count) {
  std::printf("octets: connection %zu, its place %zu, SYN-RECEIVED %zu, TIME-WAIT %zu\n",
              sizeof(core::HostedConnection), sizeof(core::ConnectionPlace), sizeof(core::HalfOpen),
              sizeof(core::Waiting));
  Peers peers;
  std::vector<Peers::Peer> some;  // to be asked again
  some.reserve(kAskedAgain);
  const std::uint32_t step = std::max<std::uint32_t>(1, count / kAskedAgain);
  const double empty = resident_octets();
  const auto begin = std::clock();
  bool is_good = true;
  for (std::uint32_t i = 0; i < count; ++i) {
    Peers::Peer peer = peers.open(i);
    is_good = peers.ask(peer) && is_good;
    if (i % step == 0 && some.size() < kAskedAgain) some.push_back(peer);
  }
  const double taken = seconds_since(begin);
  const double each = (resident_octets() - empty) / count;
  std::printf("%zu connections, %zu of them awake, in %.2f s of processor time: %.2f us each\n",
              peers.stack().connection_count(), peers.stack().awake_count(), taken,
              taken * 1e6 / count);
  std::printf("resident: %.1f million octets, %.0f for each connection\n",
              (resident_octets() - empty) / 1e6, each);
  std::printf("wake-ups in the first minute: %zu", peers.rest(std::chrono::minutes(1)));
  std::printf(", in the next day: %zu\n", peers.rest(std::chrono::hours(24)));
  is_good = is_good && peers.stack().next_deadline() == kNever &&
            peers.stack().connection_count() == count;
  if (count >= kEnoughToTell) is_good = is_good && each <= kMostOctets;

  const auto again = std::clock();
  for (Peers::Peer& peer : some) is_good = peers.ask(peer) && is_good;
  std::printf("%zu of them asked again: %.2f us each, both ways\n", some.size(),
              seconds_since(again) * 1e6 / static_cast<double>(some.size()));

  std::size_t asked = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    const bool was_asked_again = asked < some.size() && some[asked].number == i;
    if (was_asked_again) ++asked;
    peers.close(i, was_asked_again ? 2 : 1);
  }
  std::printf("resident when all are closed: %.1f million octets",
              (resident_octets() - empty) / 1e6);
  ::malloc_trim(0);  // as tun::Driver does
  const double left = (resident_octets() - empty) / 1e6;
  std::printf(", %.1f when the heap has given back what it keeps\n", left);
  is_good = is_good && peers.stack().connection_count() == 0;
  return is_good ? 0 : 1;
}

}  // namespace
}  // namespace runnel::bench

int main(int argc, char** argv) {
  const auto count = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 1'000'000UL;
  return runnel::bench::run(static_cast<std::uint32_t>(std::max(1UL, count)));
}
