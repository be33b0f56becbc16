// What a sending host's trace says about a run.
#pragma once

#include <algorithm>
#include <chrono>
#include <vector>

#include "runnel/trace.h"
#include "tests/support/simulation/link.h"

namespace runnel::test {

class CongestionMeter final : public TraceSink {
 public:
  // Round trips count from `begin` on. `next`, unless null, sees everything too.
  CongestionMeter(Instant begin, TraceSink* next) : begin_(begin), next_(next) {}

  // The link on which a drop ends slow start.
  void watch(const Link& link) { link_ = &link; }

  void on_state_change(const StateChange& change) override {
    if (next_ != nullptr) next_->on_state_change(change);
  }
  void on_transmission(const Transmission& record) override {
    if (next_ != nullptr) next_->on_transmission(record);
  }
  void on_acknowledgment(const Acknowledgment& record) override {
    if (next_ != nullptr) next_->on_acknowledgment(record);
    if (record.rtt_sample && record.at >= begin_) {
      rtt_seconds_.push_back(std::chrono::duration<float>(*record.rtt_sample).count());
    }
    if (record.state.phase == "ConservativeSlowStart" && link_->counters().tail_drops == 0) {
      has_entered_css_before_drop_ = true;
    }
  }

  // The sample that this part of all are no larger than; 0 when there is none.
  [[nodiscard]] double rtt_seconds(double part) {
    if (rtt_seconds_.empty()) return 0;
    const auto last = static_cast<double>(rtt_seconds_.size() - 1);
    const auto at = rtt_seconds_.begin() + static_cast<std::ptrdiff_t>(part * last);
    std::nth_element(rtt_seconds_.begin(), at, rtt_seconds_.end());
    return static_cast<double>(*at);
  }
  [[nodiscard]] bool has_entered_css_before_drop() const { return has_entered_css_before_drop_; }

 private:
  Instant begin_;
  TraceSink* next_;
  const Link* link_ = nullptr;
  std::vector<float> rtt_seconds_;
  bool has_entered_css_before_drop_ = false;
};

}  // namespace runnel::test
