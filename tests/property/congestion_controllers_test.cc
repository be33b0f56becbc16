// Controllers that are told anything, in any order: windows stay windows.
#include <gtest/gtest.h>

#include <random>

#include "stack/tcp/congestion/cubic.h"
#include "stack/tcp/congestion/dctcp.h"
#include "stack/tcp/congestion/new_reno.h"

namespace runnel::tcp {
namespace {

using namespace std::chrono_literals;

// No window may ever pass this, which leaves room for all arithmetic on it.
constexpr std::uint64_t kMost = std::uint64_t{1} << 62U;

// Throws events at a controller. Numbers are of any magnitude: as likely small as huge.
template <typename Controller>
class Storm {
 public:
  explicit Storm(std::uint64_t seed)
      : random_(seed), smss_(static_cast<std::uint32_t>(1 + any(65'534))), controller_(begin()) {}

  void run(int events) {
    for (int i = 0; i < events && !::testing::Test::HasFailure(); ++i) {
      now_ += Duration(static_cast<Duration::rep>(any(200'000'000'000)));
      event();
      EXPECT_GE(controller_.cwnd_octets(), std::min<std::uint64_t>(floor_, smss_));
      EXPECT_LT(controller_.cwnd_octets(), kMost);
      EXPECT_GE(controller_.ssthresh_octets(), 1U);
    }
  }

 private:
  Controller begin() {
    const std::uint64_t initial = smss_ * (1 + any(std::uint64_t{1} << 25U));
    return Controller(smss_, initial, random_() % 2 == 0);
  }
  // From 0 to `most`.
  std::uint64_t any(std::uint64_t most) {
    const std::uint64_t value = random_() >> (random_() % 64);
    return value % (most + 1);
  }
  bool chance(unsigned percent) { return random_() % 100 < percent; }

  void event() {
    const auto what = static_cast<unsigned>(random_() % 100);
    if (what < 80) return acknowledge();
    if (what < 85) return transmit();
    if (what < 91) return lose();
    if (what < 93) return time_out();
    if (what < 95) return controller_.on_spurious_recovery(now_);
    if (what < 97) return restart();
    if (what < 98) return set();
    change_segments();
  }

  void acknowledge() {
    AckEvent event;
    event.now = now_;
    event.newly_acked_octets =
        any(chance(95) ? controller_.cwnd_octets() : std::uint64_t{1} << 40U);
    event.newly_delivered_octets = event.newly_acked_octets;
    event.ce_marked_octets = any(event.newly_delivered_octets);
    una_ += static_cast<std::uint32_t>(event.newly_acked_octets);
    event.una = wire::SeqNum{una_};
    event.nxt = wire::SeqNum{una_ + static_cast<std::uint32_t>(any(1U << 30U))};
    if (chance(90)) event.rtt_sample = Duration(static_cast<Duration::rep>(any(100'000'000'000)));
    if (chance(90)) event.smoothed_rtt = Duration(static_cast<Duration::rep>(any(100'000'000'000)));
    event.in_recovery = chance(5);
    event.after_timeout = chance(5);
    event.app_limited = chance(20);
    event.is_paced = chance(50);
    const std::uint64_t before = controller_.cwnd_octets();
    const bool is_slow_start = before < controller_.ssthresh_octets();
    controller_.on_ack(event);
    const std::uint64_t after = controller_.cwnd_octets();
    EXPECT_GE(after, before);
    if (event.in_recovery || event.app_limited) {
      EXPECT_EQ(after, before);
    }
    // Slow start by what was acknowledged, congestion avoidance by half of it: no more than half of
    // a window in a round trip. Two segments more, of Reno's steps.
    const std::uint64_t acked = event.newly_acked_octets;
    const std::uint64_t most = is_slow_start ? acked : std::min(acked, before) / 2 + 1;
    EXPECT_LE(after - before, most + 2 * std::uint64_t{smss_}) << acked << " of " << before;
  }
  void transmit() {
    TransmitEvent event;
    event.now = now_;
    event.octets = any(65'535);
    event.in_flight_before_octets = chance(50) ? 0 : any(std::uint64_t{1} << 40U);
    controller_.on_transmit(event);
  }
  LossEvent loss() {
    LossEvent event;
    event.now = now_;
    event.cause = chance(50) ? LossEvent::Cause::Loss : LossEvent::Cause::EcnMark;
    event.calls_for_response = chance(80);
    event.lost_octets = any(65'535);
    event.in_flight_before_octets =
        any(chance(90) ? controller_.cwnd_octets() : std::uint64_t{1} << 41U);
    return event;
  }
  void lose() {
    const LossEvent event = loss();
    const std::uint64_t before = controller_.cwnd_octets();
    controller_.on_loss(event);
    if (event.in_flight_before_octets <= before) {
      EXPECT_LE(controller_.cwnd_octets(), std::max<std::uint64_t>(before, 2U * smss_));
    }
  }
  void time_out() {
    controller_.on_retransmission_timeout(loss());
    EXPECT_EQ(controller_.cwnd_octets(), smss_);
    EXPECT_GE(controller_.ssthresh_octets(), 2U * smss_);
  }
  void restart() {
    const std::uint64_t window = smss_ * (1 + any(100));
    const std::uint64_t before = controller_.cwnd_octets();
    controller_.on_idle_restart(now_, window);
    EXPECT_EQ(controller_.cwnd_octets(), std::min(before, window));
  }
  void set() {
    const std::uint64_t window = smss_ * (1 + any(1U << 20U));
    controller_.set_window(window, std::max<std::uint64_t>(any(2 * window), smss_));
    EXPECT_EQ(controller_.cwnd_octets(), window);
  }
  void change_segments() {
    smss_ = static_cast<std::uint32_t>(1 + any(65'534));
    controller_.on_smss_change(smss_, chance(50));
    floor_ = std::min(floor_, controller_.cwnd_octets());
  }

  std::mt19937_64 random_;
  std::uint32_t smss_;
  std::uint32_t una_ = 0;
  Instant now_{1s};
  std::uint64_t floor_ = UINT64_MAX;  // the window, if it ever was less than a segment
  Controller controller_;
};

template <typename Controller>
class CongestionControllers : public ::testing::Test {};
using All = ::testing::Types<NewReno, Cubic, Dctcp>;
TYPED_TEST_SUITE(CongestionControllers, All);

TYPED_TEST(CongestionControllers, AnySequenceOfEventsLeavesAWindow) {
  for (std::uint64_t seed = 0; seed < 300 && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    Storm<TypeParam>(seed).run(500);
  }
}

}  // namespace
}  // namespace runnel::tcp
