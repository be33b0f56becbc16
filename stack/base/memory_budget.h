// One limit on the octets that a stack holds, whatever they are held for.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>

namespace runnel::base {

// Three levels keep one use from starving the next: what applications have written may take half of
// it, what they have not read seven eighths with that, and packets on their way in and out all of
// it. So there is always room for an acknowledgment, which sets the first free, and for text in
// order, which brings acknowledgments along.
class MemoryBudget {
 public:
  explicit MemoryBudget(std::size_t limit_octets) noexcept : limit_(limit_octets) {}

  // Charges `octets`, or refuses and charges nothing.
  [[nodiscard]] bool try_charge(std::size_t octets) noexcept {
    if (octets > limit_ - used_) return false;
    used_ += octets;
    return true;
  }
  void release(std::size_t octets) noexcept {
    assert(octets <= used_);
    used_ -= octets;
  }

  // How many octets send queues, and receive queues, may take now.
  [[nodiscard]] std::size_t send_room_octets() const noexcept { return room_below(limit_ / 2); }
  [[nodiscard]] std::size_t receive_room_octets() const noexcept {
    return room_below(limit_ - limit_ / 8);
  }

  // Promises octets that a buffer may grow by, beside the `own` octets that it was promised before.
  // Returns how many: no buffer gets more than a quarter of what stays free for the others, and all
  // of them together no more than half of the budget.
  [[nodiscard]] std::size_t promise(std::size_t octets, std::size_t own) noexcept {
    const std::size_t half = limit_ / 2;
    const std::size_t room = std::min(half - std::min(half, promised_), send_room_octets());
    const std::size_t most = (room - std::min(room, 4 * own)) / 5;
    const std::size_t granted = std::min(octets, most);
    promised_ += granted;
    return granted;
  }
  void give_back(std::size_t octets) noexcept {
    assert(octets <= promised_);
    promised_ -= octets;
  }
  [[nodiscard]] std::size_t promised_octets() const noexcept { return promised_; }

  [[nodiscard]] std::size_t used_octets() const noexcept { return used_; }
  [[nodiscard]] std::size_t limit_octets() const noexcept { return limit_; }

 private:
  [[nodiscard]] std::size_t room_below(std::size_t most) const noexcept {
    return most - (used_ < most ? used_ : most);
  }

  std::size_t limit_;
  std::size_t used_ = 0;
  std::size_t promised_ = 0;
};

// What the budget has promised to one buffer; given back when that is gone.
class BudgetPromise {
 public:
  explicit BudgetPromise(MemoryBudget& budget) noexcept : budget_(budget) {}
  BudgetPromise(const BudgetPromise&) = delete;
  BudgetPromise& operator=(const BudgetPromise&) = delete;
  ~BudgetPromise() { budget_.give_back(octets_); }

  [[nodiscard]] std::size_t octets() const noexcept { return octets_; }
  // Asks for more. May get less than that, or nothing.
  void extend(std::size_t octets) noexcept { octets_ += budget_.promise(octets, octets_); }
  void give_back(std::size_t octets) noexcept {
    budget_.give_back(octets);
    octets_ -= octets;
  }

  // In a record it is still promised: whoever reads the record has it again.
  template <typename Archive>
  void archive(Archive& archive) {
    archive(octets_);
    if constexpr (Archive::is_writer()) octets_ = 0;
  }

 private:
  MemoryBudget& budget_;
  std::size_t octets_ = 0;
};

}  // namespace runnel::base
