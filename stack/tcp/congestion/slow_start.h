// Slow start, as NewReno, CUBIC and DCTCP share it: RFC 5681 section 3.1 with HyStart++ (RFC 9406).
#pragma once

#include <cstdint>
#include <string_view>

#include "stack/tcp/congestion/congestion_control.h"
#include "stack/tcp/congestion/hystart.h"

namespace runnel::tcp {

// Says by how much a window below its threshold grows. The window itself is the controller's.
class SlowStart {
 public:
  explicit SlowStart(bool uses_hystart) noexcept : hystart_(uses_hystart) {}

  struct Step {
    std::uint64_t growth_octets = 0;
    std::uint64_t unused_octets = 0;  // were acknowledged, and are congestion avoidance's
    bool ends_here = false;           // the threshold is the window from now on
  };
  // REQUIRES: not in recovery. `room_octets` is how far the threshold is away.
  [[nodiscard]] Step on_ack(const AckEvent& event, std::uint64_t smss_octets,
                            std::uint64_t room_octets) noexcept;

  // Something was lost or marked: the path has said how much it carries. A slow start after this is
  // an ordinary one.
  void on_congestion() noexcept { hystart_.stop(); }

  [[nodiscard]] const HyStart& hystart() const noexcept { return hystart_; }
  // See CongestionControl::phase().
  [[nodiscard]] std::string_view phase() const noexcept {
    const bool is_conservative = hystart_.phase() == HyStart::Phase::ConservativeSlowStart;
    return is_conservative ? "ConservativeSlowStart" : "SlowStart";
  }

  template <typename Archive>
  void archive(Archive& archive) {
    archive(hystart_);
  }

 private:
  [[nodiscard]] std::uint64_t growth(const AckEvent& event,
                                     std::uint64_t smss_octets) const noexcept;

  HyStart hystart_;
};

}  // namespace runnel::tcp
