#include "stack/timer/timing_wheel.h"

#include <algorithm>
#include <bit>

namespace runnel::timer {
namespace {

[[nodiscard]] TimerNode& as_timer(base::ListNode& node) noexcept {
  return static_cast<TimerNode&>(node);
}

[[nodiscard]] bool is_sorted(const base::IntrusiveList& nodes) noexcept {
  Instant previous = Instant::min();
  for (base::ListNode* node = nodes.front(); node != nullptr; node = nodes.after(*node)) {
    if (as_timer(*node).deadline < previous) return false;
    previous = as_timer(*node).deadline;
  }
  return true;
}

// Merges two sorted lists into `left`, its nodes first among equals.
void merge(base::IntrusiveList& left, base::IntrusiveList& right) noexcept {
  base::IntrusiveList merged;
  while (!left.empty() && !right.empty()) {
    const bool take_right = as_timer(*right.front()).deadline < as_timer(*left.front()).deadline;
    merged.push_back(*(take_right ? right : left).pop_front());
  }
  merged.splice(left);
  merged.splice(right);
  left.splice(merged);
}

// Sorts by deadline and keeps the order of equal ones: a merge sort from the bottom up, in which
// runs[i] is empty or holds 2^i nodes that came before those of every lower run.
void sort_by_deadline(base::IntrusiveList& nodes) noexcept {
  if (is_sorted(nodes)) return;
  std::array<base::IntrusiveList, 48> runs;
  while (base::ListNode* node = nodes.pop_front()) {
    base::IntrusiveList carry;
    carry.push_back(*node);
    std::size_t i = 0;
    for (; i + 1 < runs.size() && !runs[i].empty(); ++i) {
      merge(runs[i], carry);
      carry.splice(runs[i]);
    }
    runs[i].splice(carry);
  }
  for (base::IntrusiveList& run : runs) {
    merge(run, nodes);
    nodes.splice(run);
  }
}

}  // namespace

TimingWheel::~TimingWheel() {
  const auto disarm_all = [](Slot& slot) {
    while (base::ListNode* node = slot.nodes.pop_front()) {
      as_timer(*node).level = TimerNode::kNoLevel;
    }
  };
  for (auto& level : slots_) {
    for (Slot& slot : level) disarm_all(slot);
  }
  disarm_all(spreading_);
}

void TimingWheel::arm(TimerNode& node, Instant deadline) noexcept {
  cancel(node);
  node.deadline = deadline;
  if (deadline == kNever) return;
  insert(node);
  ++armed_;
}

void TimingWheel::cancel(TimerNode& node) noexcept {
  if (node.is_armed()) {
    remove(node);
    --armed_;
  } else {
    node.unlink();
  }
  node.deadline = kNever;
}

void TimingWheel::advance(Instant now, base::IntrusiveList& expired) noexcept {
  const std::uint64_t target = std::max(tick_of(now), current_tick_);
  std::size_t moves_left = kMostMoves;
  spread(moves_left);
  while (const auto next = first_occupied()) {
    const std::uint64_t tick = first_tick(*next);
    if (tick > target) break;
    current_tick_ = tick;
    if (next->level > 0) {
      move_down(*next);
      spread(moves_left);
      continue;
    }
    expire(*next, now, expired);
    if (tick == target) break;  // what is left in this slot is due later in the same tick
  }
  current_tick_ = target;
}

Instant TimingWheel::next_deadline() const noexcept {
  const Instant earliest = spreading_.nodes.empty() ? kNever : spreading_.earliest;
  const auto next = first_occupied();
  return next ? std::min(earliest, slots_[next->level][next->slot].earliest) : earliest;
}

// Deadlines before the time line's origin count as the origin.
std::uint64_t TimingWheel::tick_of(Instant instant) noexcept {
  const auto nanoseconds = std::max<Duration::rep>(instant.time_since_epoch().count(), 0);
  return static_cast<std::uint64_t>(nanoseconds) >> kTickBits;
}

TimingWheel::Position TimingWheel::position_of(Instant deadline) const noexcept {
  const std::uint64_t tick = std::max(tick_of(deadline), current_tick_);
  const std::uint64_t difference = tick ^ current_tick_;
  const auto digits = static_cast<unsigned>(std::bit_width(difference));
  const unsigned level = digits == 0 ? 0 : (digits - 1) / kSlotBits;
  return {level, (tick >> (level * kSlotBits)) % kSlots};
}

std::optional<TimingWheel::Position> TimingWheel::first_occupied() const noexcept {
  for (std::size_t level = 0; level < kLevels; ++level) {
    if (occupied_[level] == 0) continue;
    return Position{level, static_cast<std::size_t>(std::countr_zero(occupied_[level]))};
  }
  return std::nullopt;
}

// The current tick with the level's digit replaced by the slot and the digits below it 0.
std::uint64_t TimingWheel::first_tick(Position position) const noexcept {
  const std::uint64_t shift = position.level * kSlotBits;
  const std::uint64_t turn = current_tick_ >> shift >> kSlotBits << kSlotBits;
  return (turn | position.slot) << shift;
}

void TimingWheel::insert(TimerNode& node) noexcept {
  const Position position = position_of(node.deadline);
  Slot& slot = slots_[position.level][position.slot];
  const std::uint64_t bit = std::uint64_t{1} << position.slot;
  const bool is_first = (occupied_[position.level] & bit) == 0;
  slot.earliest = is_first ? node.deadline : std::min(slot.earliest, node.deadline);
  slot.nodes.push_back(node);
  occupied_[position.level] |= bit;
  node.level = static_cast<std::uint8_t>(position.level);
  node.slot = static_cast<std::uint8_t>(position.slot);
}

void TimingWheel::remove(TimerNode& node) noexcept {
  node.unlink();
  if (slots_[node.level][node.slot].nodes.empty()) {
    occupied_[node.level] &= ~(std::uint64_t{1} << node.slot);
  }
  node.level = TimerNode::kNoLevel;
}

// Has a slot spread over the levels below, now that the current tick is the slot's first. All
// levels below are empty, or the slot would not be the first one; so nodes keep their order, unless
// they are so many that spreading takes several calls.
void TimingWheel::move_down(Position position) noexcept {
  Slot& slot = slots_[position.level][position.slot];
  spreading_.earliest =
      spreading_.nodes.empty() ? slot.earliest : std::min(spreading_.earliest, slot.earliest);
  spreading_.nodes.splice(slot.nodes);
  occupied_[position.level] &= ~(std::uint64_t{1} << position.slot);
}

void TimingWheel::spread(std::size_t& moves_left) noexcept {
  for (; moves_left > 0; --moves_left) {
    base::ListNode* const node = spreading_.nodes.pop_front();
    if (node == nullptr) return;
    insert(as_timer(*node));
    ++moves_;
  }
}

// Appends to `expired` what is due in a slot of level 0 and keeps the rest.
void TimingWheel::expire(Position position, Instant now, base::IntrusiveList& expired) noexcept {
  Slot& slot = slots_[position.level][position.slot];
  if (now < slot.earliest) return;
  base::IntrusiveList nodes;
  base::IntrusiveList due;
  nodes.splice(slot.nodes);
  slot.earliest = kNever;
  while (base::ListNode* node = nodes.pop_front()) {
    TimerNode& timer = as_timer(*node);
    if (timer.deadline <= now) {
      timer.level = TimerNode::kNoLevel;
      --armed_;
      due.push_back(timer);
    } else {
      slot.earliest = std::min(slot.earliest, timer.deadline);
      slot.nodes.push_back(timer);
    }
  }
  if (slot.nodes.empty()) occupied_[position.level] &= ~(std::uint64_t{1} << position.slot);
  sort_by_deadline(due);
  expired.splice(due);
}

}  // namespace runnel::timer
