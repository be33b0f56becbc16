// A sender that always uses its window, for controllers that are tested by themselves.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

#include "stack/tcp/congestion/congestion_control.h"

namespace runnel::test {

// Tells a controller of ACKs, as a path with the round trip `rtt` would: one for each segment of
// 1,000 octets, evenly spread. Everything is in segments.
template <typename Controller>
class AckClock {
 public:
  static constexpr std::uint32_t kSmss = 1000;

  explicit AckClock(std::uint64_t window_segments,
                    Duration round_trip = std::chrono::milliseconds(100), bool uses_hystart = false)
      : controller(kSmss, window_segments * kSmss, uses_hystart), rtt(round_trip) {
    nxt_ = una_ + static_cast<std::uint32_t>(window_segments) * kSmss;
  }

  [[nodiscard]] tcp::AckEvent acked(std::uint64_t octets) {
    una_ += static_cast<std::uint32_t>(octets);
    tcp::AckEvent event;
    event.now = now;
    event.newly_acked_octets = event.newly_delivered_octets = octets;
    event.una = wire::SeqNum{una_};
    event.nxt = wire::SeqNum{nxt_};
    event.rtt_sample = event.smoothed_rtt = rtt;
    nxt_ = std::max(nxt_, una_ + static_cast<std::uint32_t>(controller.cwnd_octets()));
    return event;
  }
  void ack(std::uint64_t octets = kSmss) { controller.on_ack(acked(octets)); }
  void round_trip() {
    const std::uint64_t count = std::max<std::uint64_t>(controller.cwnd_octets() / kSmss, 1);
    for (std::uint64_t i = 0; i < count; ++i) {
      now += rtt / static_cast<Duration::rep>(count);
      ack();
    }
  }
  void run(Duration time) {
    for (const Instant end = now + time; now < end;) round_trip();
  }

  // Something is lost, or marked, with this many segments in flight: by default the window.
  [[nodiscard]] tcp::LossEvent loss(std::optional<std::uint64_t> flight_segments = {}) const {
    tcp::LossEvent event;
    event.now = now;
    event.lost_octets = kSmss;
    event.in_flight_before_octets =
        flight_segments ? *flight_segments * kSmss : controller.cwnd_octets();
    return event;
  }
  void lose(std::optional<std::uint64_t> flight_segments = {}) {
    controller.on_loss(loss(flight_segments));
  }
  void mark(std::optional<std::uint64_t> flight_segments = {}) {
    tcp::LossEvent event = loss(flight_segments);
    event.cause = tcp::LossEvent::Cause::EcnMark;
    controller.on_loss(event);
  }
  void time_out(std::optional<std::uint64_t> flight_segments = {}) {
    controller.on_retransmission_timeout(loss(flight_segments));
  }

  [[nodiscard]] double segments() const {
    return static_cast<double>(controller.cwnd_octets()) / kSmss;
  }
  [[nodiscard]] double ssthresh_segments() const {
    return static_cast<double>(controller.ssthresh_octets()) / kSmss;
  }

  Controller controller;
  Duration rtt;
  Instant now{std::chrono::hours(1)};

 private:
  std::uint32_t una_ = 0x70000000;
  std::uint32_t nxt_ = 0;
};

}  // namespace runnel::test
