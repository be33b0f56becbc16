// Random arming, cancelling and advancing of a timing wheel against an ordered map.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "stack/timer/timing_wheel.h"

namespace runnel::timer {
namespace {

using namespace std::chrono_literals;

// Armed timers by deadline; a multimap keeps the order of arming among equal ones.
class Model {
 public:
  void arm(TimerNode& node, Instant deadline) {
    cancel(node);
    if (deadline != kNever) where_[&node] = armed_.emplace(deadline, &node);
  }
  void cancel(TimerNode& node) {
    const auto found = where_.find(&node);
    if (found == where_.end()) return;
    armed_.erase(found->second);
    where_.erase(found);
  }
  std::vector<TimerNode*> advance(Instant now) {
    std::vector<TimerNode*> expired;
    while (!armed_.empty() && armed_.begin()->first <= now) {
      expired.push_back(armed_.begin()->second);
      cancel(*expired.back());
    }
    return expired;
  }
  [[nodiscard]] Instant earliest() const { return armed_.empty() ? kNever : armed_.begin()->first; }
  [[nodiscard]] bool is_armed(TimerNode& node) const { return where_.contains(&node); }
  [[nodiscard]] std::size_t count() const { return armed_.size(); }

 private:
  using Armed = std::multimap<Instant, TimerNode*>;
  Armed armed_;
  std::map<TimerNode*, Armed::iterator> where_;
};

// Nanoseconds up to days: every scale is as likely as any other.
Duration draw_duration(std::mt19937_64& random) {
  const std::uint64_t scale = std::uint64_t{1} << (random() % 48);
  return Duration{static_cast<std::int64_t>(random() % scale)};
}

class Comparison {
 public:
  explicit Comparison(std::uint64_t seed) : random_(seed), nodes_(seed % 4 == 0 ? 5 : 300) {
    for (auto& node : nodes_) node = std::make_unique<TimerNode>();
    now_ += draw_duration(random_);
  }

  void step() {
    TimerNode& node = *nodes_[random_() % nodes_.size()];
    switch (random_() % 8) {
      case 0:
      case 1:
      case 2:
        arm(node, draw_deadline());
        break;
      case 3:
        wheel_.cancel(node);
        model_.cancel(node);
        break;
      case 4:
        advance(now_ + draw_duration(random_));
        break;
      case 5:
        advance(now_);
        break;
      case 6:
        if (wheel_.next_deadline() != kNever) advance(std::max(now_, wheel_.next_deadline()));
        break;
      default:
        if (model_.earliest() != kNever) advance(std::max(now_, model_.earliest() - 1ns));
    }
    ASSERT_EQ(wheel_.armed_count(), model_.count());
    ASSERT_EQ(node.is_armed(), model_.is_armed(node));
    ASSERT_LE(wheel_.next_deadline(), model_.earliest()) << "late";
    ASSERT_EQ(wheel_.next_deadline() == kNever, model_.count() == 0);
  }

  // Sleeping from one next_deadline() to the next, as a driver does, expires all, and soon.
  void run_out() {
    for (std::size_t wakeups = 0; model_.count() > 0; ++wakeups) {
      ASSERT_LE(wakeups, 20 * nodes_.size());
      ASSERT_NE(wheel_.next_deadline(), kNever);
      const Instant next = std::max(now_, wheel_.next_deadline());
      ASSERT_NO_FATAL_FAILURE(advance(next, false));
    }
    ASSERT_EQ(wheel_.next_deadline(), kNever);
  }

 private:
  Instant draw_deadline() {
    switch (random_() % 16) {
      case 0:
        return kNever;
      case 1:
        return now_;
      case 2:
        return now_ - draw_duration(random_);
      case 3:
        return model_.earliest();  // equal deadlines
      case 4:
        return last_deadline_;
      default:
        return last_deadline_ = now_ + draw_duration(random_);
    }
  }

  void arm(TimerNode& node, Instant deadline) {
    wheel_.arm(node, deadline);
    model_.arm(node, deadline);
  }

  // Handles what expires as an owner would: some of it is armed anew, and some handlers arm or
  // cancel timers that are in the list behind them.
  void advance(Instant now, bool rearm = true) {
    now_ = now;
    base::IntrusiveList expired;
    wheel_.advance(now, expired);
    const std::vector<TimerNode*> expected = model_.advance(now);
    base::ListNode* node = expired.front();
    for (TimerNode* const timer : expected) {
      ASSERT_EQ(node, timer);
      ASSERT_FALSE(timer->is_armed());
      node = expired.after(*node);
    }
    ASSERT_EQ(node, nullptr);
    while (base::ListNode* first = expired.pop_front()) {
      if (!rearm) continue;
      auto& timer = static_cast<TimerNode&>(*first);
      if (random_() % 3 == 0) arm(timer, draw_deadline());
      TimerNode& other = *nodes_[random_() % nodes_.size()];
      if (random_() % 8 == 0) arm(other, draw_deadline());
      if (random_() % 8 == 0) {
        wheel_.cancel(other);
        model_.cancel(other);
      }
    }
  }

  std::mt19937_64 random_;
  std::vector<std::unique_ptr<TimerNode>> nodes_;
  TimingWheel wheel_;
  Model model_;
  Instant now_{};
  Instant last_deadline_{};
};

TEST(TimerProperty, TimingWheelBehavesLikeAnOrderedMap) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Comparison run(seed);
    for (int step = 0; step < 5'000; ++step) ASSERT_NO_FATAL_FAILURE(run.step()) << step;
    ASSERT_NO_FATAL_FAILURE(run.run_out());
  }
}

}  // namespace
}  // namespace runnel::timer
