// The most of what was lately seen: of delivery rates, and of aggregated ACKs.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

namespace runnel::tcp::bbr {

// BBR.max_bw_filter: the present ProbeBW cycle and the one before (BBR.MaxBwFilterLen = 2).
// draft-ietf-ccwg-bbr-06 sections 5.5.5 and 5.5.6.
class MaxBwFilter {
 public:
  void update(std::uint64_t rate) noexcept { current_ = std::max(current_, rate); }
  // AdvanceMaxBwFilter(). A cycle without any sample tells nothing, and makes nothing forgotten.
  void advance() noexcept {
    if (current_ == 0) return;
    previous_ = current_;
    current_ = 0;
  }
  [[nodiscard]] std::uint64_t max() const noexcept { return std::max(current_, previous_); }

  template <typename Archive>
  void archive(Archive& archive) {
    archive(current_, previous_);
  }

 private:
  std::uint64_t current_ = 0;
  std::uint64_t previous_ = 0;
};

// The maximum of a sliding window, by the method of Kathleen Nichols that the draft recommends.
//
// Theory of operation. Three samples are kept: the largest of the window, the largest of those that
// came after it, and the largest after that one. When the first leaves the window the second takes
// its place. So that the replacements are not all from the same moment, one that is older than a
// quarter of the window is followed by a sample of the second quarter, one that is older than half
// of it by one of the second half.
class WindowedMaxFilter {
 public:
  // `time` is in any unit, and never goes back. Returns the maximum of [time - window, time].
  std::uint64_t update(std::uint64_t value, std::uint64_t time, std::uint64_t window) noexcept {
    const Sample sample{value, time};
    if (value >= best_[0].value || time - best_[2].time > window) {
      best_.fill(sample);
      return value;
    }
    if (value >= best_[1].value) {
      best_[2] = best_[1] = sample;
    } else if (value >= best_[2].value) {
      best_[2] = sample;
    }
    age(sample, window);
    return best_[0].value;
  }
  [[nodiscard]] std::uint64_t max() const noexcept { return best_[0].value; }

  template <typename Archive>
  void archive(Archive& archive) {
    for (Sample& sample : best_) archive(sample.value, sample.time);
  }

 private:
  struct Sample {
    std::uint64_t value = 0;
    std::uint64_t time = 0;
  };

  void age(const Sample& sample, std::uint64_t window) noexcept {
    const std::uint64_t elapsed = sample.time - best_[0].time;
    if (elapsed > window) {
      best_ = {best_[1], best_[2], sample};
      if (sample.time - best_[0].time > window) best_ = {best_[1], best_[2], sample};
    } else if (best_[1].time == best_[0].time && elapsed > window / 4) {
      best_[2] = best_[1] = sample;
    } else if (best_[2].time == best_[1].time && elapsed > window / 2) {
      best_[2] = sample;
    }
  }

  std::array<Sample, 3> best_{};
};

}  // namespace runnel::tcp::bbr
