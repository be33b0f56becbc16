// How large the receive buffer is, and the round trip that a receiver can measure.
#pragma once

#include <cstddef>
#include <cstdint>

#include "runnel/config.h"
#include "runnel/time.h"
#include "stack/base/memory_budget.h"
#include "stack/base/optional_time.h"

namespace runnel::tcp {

// The round trip as the receiver of a stream sees it.
//
// Who only receives has nothing in flight that an acknowledgment could measure. What is left:
//
//    the handshake's sample     once, at the beginning
//    window rounds              octets right of the present window can only be an answer to a
//                               window that is announced from now on, so the time until the whole
//                               window has arrived is a round trip or more: the least one counts
//    timestamps, if agreed      TSecr of text that came without a pause before it: the time since
//                               the ACK that let it go, exact, so these are averaged
class ReceiverRtt {
 public:
  // A round trip that was measured, by the handshake or by data of our own.
  void take_sample(Duration sample) noexcept;
  // Text up to `received` has arrived in order, and may come up to `edge` (offsets in the stream).
  // `since_echoed` is how long ago what its TSecr echoes was sent, if that is known.
  void text_arrived(std::uint64_t received, std::uint64_t edge, base::OptionalDuration since_echoed,
                    Instant now) noexcept;

  // Nothing before the first measurement.
  [[nodiscard]] base::OptionalDuration get() const noexcept;

  template <typename Archive>
  void archive(Archive& archive) {
    archive(estimate_, has_timestamps_, round_end_, round_began_, last_text_);
  }

 private:
  void take_echo(Duration sample, Instant now) noexcept;

  Duration estimate_{0};
  bool has_timestamps_ = false;
  std::uint64_t round_end_ = 0;  // 0: no round yet
  Instant round_began_{};
  Instant last_text_{};
};

// The size of one connection's receive buffer, by dynamic right-sizing.
//
// A window must cover what the sender can send in one round trip. The receiver knows neither the
// path's rate nor the sender's congestion window, but how many octets its application has read in
// each round trip. Twice that lets the sender double its rate, and while the number itself grows
// from round to round, eight times the growth more keeps ahead of slow start:
//
//    target = 2 * read + 8 * (read - read in the round before)
//
// An application that reads slowly does not get a larger buffer. The buffer never shrinks: its
// free part was announced to the peer, and the window's right edge does not move left.
//
// INVARIANT: what the buffer has grown by is promised by the budget, and given back with it.
class ReceiveBuffer {
 public:
  ReceiveBuffer(const TcpConfig& config, base::MemoryBudget& budget) noexcept;

  [[nodiscard]] std::size_t octets() const noexcept { return initial_ + growth_.octets(); }
  [[nodiscard]] std::size_t maximum_octets() const noexcept { return maximum_; }

  [[nodiscard]] ReceiverRtt& rtt() noexcept { return rtt_; }
  [[nodiscard]] const ReceiverRtt& rtt() const noexcept { return rtt_; }

  // The application has read; the buffer may grow by this, but not beyond `useful` octets.
  void application_has_read(std::size_t octets, std::size_t useful, Instant now) noexcept;

  template <typename Archive>
  void archive(Archive& archive) {
    archive(growth_, rtt_, round_began_, read_in_round_, read_before_);
  }

 private:
  std::size_t initial_;
  std::size_t maximum_;
  base::BudgetPromise growth_;
  ReceiverRtt rtt_;

  Instant round_began_{};
  std::size_t read_in_round_ = 0;
  std::size_t read_before_ = 0;  // in the round before, the most so far
};

}  // namespace runnel::tcp
