// How much the application may write ahead of what the peer has acknowledged.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "runnel/config.h"
#include "stack/base/memory_budget.h"

namespace runnel::tcp {

// The size of one connection's send buffer.
//
// A congestion window is in flight, and as much again waits behind it, so that acknowledgments
// never find the queue empty: the buffer is twice the congestion window, between the two configured
// sizes; three times for a controller whose window does not shrink while a loss is repaired, since
// then a window of octets that were SACKed stays in the queue too. It follows the window down as
// well, which gives others what this connection does not need.
//
// INVARIANT: what the buffer has grown by is promised by the budget, and given back with it.
class SendBuffer {
 public:
  SendBuffer(const TcpConfig& config, base::MemoryBudget& budget) noexcept
      : initial_(config.send_buffer_octets),
        maximum_(std::max(initial_, config.send_buffer_maximum_octets)),
        growth_(budget) {}

  [[nodiscard]] std::size_t octets() const noexcept { return initial_ + growth_.octets(); }

  // The congestion window has changed.
  void follow(std::uint64_t cwnd_octets, bool governs_recovery = false) noexcept {
    const std::uint64_t wanted = (governs_recovery ? 3 : 2) * cwnd_octets;
    const auto target =
        static_cast<std::size_t>(std::clamp<std::uint64_t>(wanted, initial_, maximum_));
    if (target > octets()) {
      growth_.extend(target - octets());
    } else {
      growth_.give_back(octets() - target);
    }
  }

  template <typename Archive>
  void archive(Archive& archive) {
    archive(growth_);
  }

 private:
  std::size_t initial_;
  std::size_t maximum_;
  base::BudgetPromise growth_;
};

}  // namespace runnel::tcp
