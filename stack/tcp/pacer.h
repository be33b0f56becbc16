// When the next octets may leave: a rate turned into release times and quanta.
// draft-ietf-ccwg-bbr-06 sections 5.6.2 and 5.6.3.
#pragma once

#include <cstdint>

#include "runnel/time.h"

namespace runnel::tcp {

// Theory of operation. What leaves at once is a quantum: about a millisecond of the rate, two
// segments at least, a super-packet at most; in one frame or in several. The next quantum may leave
// when the path, at this rate, has had the time for this one, so a timer is needed once a quantum:
//
//     |quantum|      |quantum|      |quantum|
//     +--------------+--------------+-------->  quantum / rate apart
//
// Lost time. While octets were held back, a timer that fires late costs no rate: what should have
// left meanwhile leaves then, up to kMostLateness of it. A time in which there was nothing to send
// is not made up for, except for one quantum.
//
// All amounts are octets, rates octets a second. A rate of 0: unpaced.
class Pacer {
 public:
  static constexpr Duration kQuantumTime = std::chrono::milliseconds(1);
  static constexpr Duration kMostLateness = std::chrono::milliseconds(10);
  static constexpr std::uint64_t kMostAtOnce = 65535;
  static constexpr std::uint64_t kFewestSegments = 2;

  void set_rate(std::uint64_t octets_per_second, std::uint32_t smss_octets) noexcept;
  [[nodiscard]] std::uint64_t rate() const noexcept { return rate_; }
  [[nodiscard]] bool is_pacing() const noexcept { return rate_ != 0; }

  // When the next transmission may leave.
  [[nodiscard]] Instant release_at() const noexcept {
    return is_pacing() ? release_at_ : Instant{};
  }
  [[nodiscard]] bool holds(Instant now) const noexcept {
    return sent_in_quantum_ >= quantum_ && now < release_at();
  }
  // How much may leave at once.
  [[nodiscard]] std::uint64_t quantum_octets() const noexcept { return quantum_; }

  // Something waits for release_at(); or nothing does.
  void set_waiting(bool is_waiting) noexcept { is_waiting_ = is_waiting; }
  void on_transmit(std::uint64_t octets, Instant now) noexcept;

  template <typename Archive>
  void archive(Archive& archive) {
    archive(rate_, quantum_, sent_in_quantum_, is_waiting_, release_at_);
  }

 private:
  std::uint64_t rate_ = 0;
  std::uint64_t quantum_ = kMostAtOnce;
  std::uint64_t sent_in_quantum_ = 0;
  bool is_waiting_ = false;
  Instant release_at_{};  // of the next quantum
};

}  // namespace runnel::tcp
