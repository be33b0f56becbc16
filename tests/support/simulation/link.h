// One direction of a simulated link: rate, queue, delay, and everything that can go wrong.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "runnel/packet.h"
#include "runnel/random.h"
#include "runnel/time.h"
#include "tests/support/simulation/packet_pool.h"

namespace runnel::test {

// From this time on the link, or a router on the way, carries packets of up to so many octets.
struct MtuChange {
  Duration after{0};  // since the start
  std::uint16_t mtu_octets = 1500;
};

// From this time on the path is another one: a mobile host's, or a detour's.
// REQUIRES: the link has a rate before and after, or neither.
struct PathChange {
  Duration after{0};  // since the start
  Duration delay{0};
  std::uint64_t bits_per_second = 0;
};

// A time in which the link is down: whatever leaves it then is lost.
struct Outage {
  Duration after{0};  // since the start
  Duration lasts{0};
};

// A token bucket before the queue. A policer never delays: what finds no tokens is dropped.
struct Policer {
  std::uint64_t bits_per_second = 0;  // 0: none
  std::size_t burst_octets = 0;
};

// A station that has to wait for its turn, as on Wi-Fi: packets gather, and arrive together when
// the first of them has waited for `interval`, or when there are `packets` of them.
struct Aggregation {
  Duration interval{0};  // 0: none
  std::size_t packets = SIZE_MAX;
};

// What one direction of a link does to packets. Chances are out of a million.
struct LinkOptions {
  Duration delay = std::chrono::milliseconds(10);  // one way
  Duration jitter{0};                              // up to so much more, order is kept
  std::uint64_t bits_per_second = 0;               // 0: infinitely fast
  std::size_t queue_packets = SIZE_MAX;            // before the bottleneck, then tail drop
  std::size_t queue_octets = SIZE_MAX;
  std::vector<PathChange> path_changes;  // by time
  std::vector<Outage> outages;
  Policer policer;

  // Congestion is marked on packets that allow it (ECT, RFC 3168 section 5): at random, and on all
  // that find more than so many octets in the queue.
  std::uint32_t mark_ppm = 0;
  std::size_t mark_above_octets = SIZE_MAX;

  std::uint32_t loss_ppm = 0;
  // Gilbert and Elliott's model: the link changes between a good state and a bad one, packet by
  // packet, and in the bad one loses with a chance of its own.
  std::uint32_t burst_begins_ppm = 0;
  std::uint32_t burst_ends_ppm = 1'000'000;
  std::uint32_t burst_loss_ppm = 0;

  std::uint32_t reordering_ppm = 0;  // delayed by up to reordering_delay more, others overtake
  Duration reordering_delay = std::chrono::milliseconds(5);
  std::uint32_t duplicates_ppm = 0;
  // One or two bits are flipped, such that the 16-bit checksum always shows it.
  std::uint32_t corruption_ppm = 0;

  // An octet of text is changed, and everybody vouches for it: no TCP can notice, so that the
  // simulation has to. For tests of its checks.
  std::uint32_t forgery_ppm = 0;

  std::uint16_t mtu_octets = 1500;
  std::vector<MtuChange> mtu_changes;
  bool reports_too_big = true;  // with ICMP; without, too large packets vanish: a black hole

  Aggregation aggregation;
  // Packets arrive at whole multiples of this time, as if interrupts were moderated, ...
  Duration batching{0};
  // ... and segments that arrive together are put together to a super-packet again.
  bool coalesces = false;
};

// What happened to packets (segments of super-packets counted one by one).
struct LinkCounters {
  std::uint64_t sent = 0;
  std::uint64_t policed = 0;  // dropped by the policer
  std::uint64_t tail_drops = 0;
  std::uint64_t ce_marks = 0;
  std::uint64_t losses = 0;
  std::uint64_t too_big = 0;
  std::uint64_t duplicates = 0;
  std::uint64_t corruptions = 0;
};

// Theory of operation. A packet's whole future is decided when it is sent:
//
//    super-packet ─▶ segments ─▶ MTU ─▶ policer ─▶ marks ─▶ queue, rate ─▶ loss ─▶ corruption ─▶
//    delay, jitter, reordering, duplication, aggregation ─▶ in flight, by arrival
//
// The queue needs no events of its own: the bottleneck's rate is known for all times, so a packet's
// departure follows from the one before it, and the packets that have not departed yet are the
// queue. Only an aggregate that is complete before its time arrives earlier than was decided.
class Link {
 public:
  Link(const LinkOptions& options, std::uint64_t seed, Instant start, PacketPool& pool)
      : options_(options),
        start_(start),
        pool_(pool),
        random_(seed),
        policer_octets_(static_cast<double>(options.policer.burst_octets)),
        policer_filled_at_(start) {}
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  // Takes what a host sends. `reverse` carries the ICMP message that it may cause.
  void send(const TxFrame& frame, Instant now, Link& reverse);

  [[nodiscard]] Instant next_arrival() const noexcept;
  // The next packet that has arrived by `now`, or null. Give it back to the pool.
  [[nodiscard]] std::unique_ptr<SimPacket> receive(Instant now);

  void set_up(bool up) noexcept { is_up_ = up; }
  [[nodiscard]] const LinkCounters& counters() const noexcept { return counters_; }
  [[nodiscard]] std::uint16_t mtu_octets(Instant now) const noexcept;
  // What waits before the bottleneck; the packet that is being sent occupies no room.
  [[nodiscard]] std::size_t queued_octets(Instant now);

 private:
  struct ArrivesLater {
    bool operator()(const std::unique_ptr<SimPacket>& a,
                    const std::unique_ptr<SimPacket>& b) const noexcept {
      return a->arrival != b->arrival ? a->arrival > b->arrival : a->order > b->order;
    }
  };

  void cut(const TxFrame& frame, Instant now, Link& reverse);
  // False when the packet is too large for the path.
  [[nodiscard]] bool carry(std::unique_ptr<SimPacket> packet, Instant now, Link& reverse);
  [[nodiscard]] bool pass_policer(std::size_t octets, Instant now);
  [[nodiscard]] bool enter_queue(std::size_t octets, Instant now);
  [[nodiscard]] Instant departure_of(std::size_t octets, Instant begin) const;
  [[nodiscard]] Duration delay_at(Instant when) const;
  [[nodiscard]] bool is_lost(Instant departure);
  [[nodiscard]] Instant gather(Instant arrival);
  [[nodiscard]] Instant at_interrupt(Instant arrival) const;
  void corrupt(SimPacket& packet);
  void forge(SimPacket& packet);
  void launch(std::unique_ptr<SimPacket> packet, Instant departure);
  void report_too_big(const SimPacket& packet, Instant now, Link& reverse);
  [[nodiscard]] std::unique_ptr<SimPacket> take_from_disordered();
  [[nodiscard]] std::unique_ptr<SimPacket> take_next(Instant now);
  [[nodiscard]] Duration random_up_to(Duration most);
  [[nodiscard]] bool chance(std::uint32_t ppm) {
    return ppm != 0 && random_.below(1'000'000) < ppm;
  }

  LinkOptions options_;
  Instant start_;
  PacketPool& pool_;
  SeededRandom random_;
  LinkCounters counters_;
  bool is_up_ = true;
  bool is_in_burst_ = false;
  double policer_octets_;  // tokens
  Instant policer_filled_at_;

  Instant busy_until_{};
  struct Queued {
    Instant departure;
    std::size_t octets;
  };
  std::deque<Queued> queue_;
  std::size_t queue_octets_ = 0;

  // In flight: those that keep the order, and a heap of the others.
  std::deque<std::unique_ptr<SimPacket>> in_order_;
  std::vector<std::unique_ptr<SimPacket>> disordered_;
  Instant last_arrival_{};  // before aggregation
  Instant release_{};       // of the aggregate that gathers
  std::size_t gathered_ = 0;
  std::uint64_t next_order_ = 0;
};

}  // namespace runnel::test
