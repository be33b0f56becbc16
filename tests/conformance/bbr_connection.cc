// BBRv3 in a connection: delivery rate samples and pacing of draft-ietf-ccwg-bbr-06.
#include <algorithm>
#include <deque>
#include <vector>

#include "stack/tcp/loss/delivery_rate.h"
#include "stack/tcp/loss/scoreboard.h"
#include "tests/support/sack_path.h"

namespace runnel::test {
namespace {

// --- Real connections over a pipe of 10 Mbit/s of text, 100 ms -----------------------------------

class BbrConnection : public SackPath {
 protected:
  static constexpr std::uint64_t kPipe = 1'250'000;  // octets of text a second
  static constexpr Duration kStep = 40us;

  BbrConnection() {
    ignore_timestamps_default();
    peer_wscale = 7;
    peer_window = 32768;  // 4 MiB
    keep_defaults = true;
    use(CongestionAlgorithm::Bbr);
  }
  void use(CongestionAlgorithm algorithm) {
    TcpConfig config;
    config.congestion_control = algorithm;
    rebuild(config);
  }

  // The application writes `write_octets` each millisecond, or whatever fits.
  void run(Duration duration) {
    const Instant end = now() + duration;
    while (now() < end) {
      if (!write_octets_per_ms) {
        (void)write_whatever_fits();
      } else if (now() >= next_write_) {
        (void)write_octets(*write_octets_per_ms);
        next_write_ = now() + 1ms;
      }
      take_sent();
      advance(kStep);
      take_sent();
      while (!acks_.empty() && acks_.front().at <= now()) {
        const std::uint32_t ack = acks_.front().ack;
        acks_.pop_front();
        send(segment().seq(their(0)).ack(ack));
        rates.push_back(info().delivery_rate_octets);
      }
    }
  }

  struct Sent {
    Instant at;
    std::size_t octets;
  };
  std::vector<Sent> sent;
  std::vector<std::uint64_t> rates;                  // after each ACK
  std::optional<std::uint32_t> write_octets_per_ms;  // nothing: as much as fits

 private:
  struct Ack {
    Instant at;
    std::uint32_t ack;
  };

  bool write_whatever_fits() {
    const std::vector<std::uint8_t> text(65536, 'x');
    return stack().write(id(), text).has_value();
  }

  void take_sent() {
    for (const SentSegment& segment : all_sent()) {
      if (segment.payload.empty()) continue;
      sent.push_back({now(), segment.payload.size()});
      busy_until_ =
          std::max(busy_until_, now()) +
          Duration(static_cast<Duration::rep>(segment.payload.size() * 1'000'000'000 / kPipe));
      const auto end = static_cast<std::uint32_t>(segment.seq + segment.payload.size());
      acks_.push_back({busy_until_ + kRoundTrip, end});
    }
  }

  Instant busy_until_{};
  Instant next_write_{};
  std::deque<Ack> acks_;
};

TEST_F(BbrConnection, R_BBR_SAMPLE_OfASteadyPipeIsWithinOnePercent) {
  use(CongestionAlgorithm::NewReno);  // keeps the pipe full, where BBR sends 1 % less
  open();
  run(3s);
  rates.clear();
  run(1s);
  ASSERT_GT(rates.size(), 500U);
  for (const std::uint64_t rate : rates) {
    EXPECT_NEAR(static_cast<double>(rate), kPipe, 0.01 * kPipe);
  }
  EXPECT_FALSE(info().is_delivery_app_limited);
}

TEST_F(BbrConnection, R_BBR_SAMPLE_IsMarkedWhileTheApplicationHasNothingToSend) {
  open();
  write_octets_per_ms = 500;  // of 1,250
  run(2s);
  EXPECT_TRUE(info().is_delivery_app_limited);
  EXPECT_NEAR(static_cast<double>(info().delivery_rate_octets), 500'000, 50'000);
  write_octets_per_ms.reset();
  run(2s);
  EXPECT_FALSE(info().is_delivery_app_limited);
}

TEST_F(BbrConnection, R_BBR_SAMPLE_IsMarkedWhileThePeersWindowHoldsTheRestBack) {
  peer_window = 512;  // 64 KiB, of 125,000 octets that the pipe holds
  open();
  run(2s);
  EXPECT_TRUE(info().is_delivery_app_limited);
  peer_window = 32768;
  run(2s);
  EXPECT_FALSE(info().is_delivery_app_limited);
}

TEST(BbrSample, R_BBR_SAMPLE_AnIntervalBelowTheMinimumRoundTripGivesNoRate) {
  const Instant start{1s};
  for (const Duration minimum : {Duration{10ms}, 10ms + 1ns}) {
    tcp::DeliveryRate rate;
    tcp::SentRange range;
    range.range = {wire::SeqNum{1}, wire::SeqNum{1001}};
    range.sent_at = start;
    range.delivery = rate.on_transmit(0, 1000, start);
    rate.on_delivered(range, start + 10ms);
    std::optional<tcp::RateSample> sample;
    rate.take_sample(minimum, sample);
    ASSERT_TRUE(sample);
    EXPECT_EQ(sample->octets_per_second, minimum == 10ms ? 100'000U : 0U);
    EXPECT_EQ(sample->delivered_octets, 1000U);
  }
}

TEST_F(BbrConnection, R_BBR_PACING_BeginsWithTheInitialWindowInARoundTrip) {
  open();
  const std::uint64_t nominal = 10 * kMss * 10;  // the initial window in 100 ms
  EXPECT_EQ(info().pacing_rate_octets, nominal * 277 / 100);
}

TEST_F(BbrConnection, R_BBR_PACING_QuantaLeaveAsFarApartAsTheRateSays) {
  open();
  run(2s);
  const double rate = 0.99 * kPipe;
  // Cruising: pacing gain 1.
  ASSERT_NEAR(static_cast<double>(info().pacing_rate_octets), rate, 0.005 * rate);
  sent.clear();
  run(200ms);
  ASSERT_GT(sent.size(), 100U);
  // Two segments are a quantum here; from each of them to the next is their time.
  std::vector<Sent> quanta;
  for (const Sent& each : sent) {
    if (quanta.empty() || quanta.back().at != each.at) {
      quanta.push_back(each);
    } else {
      quanta.back().octets += each.octets;
    }
  }
  std::size_t octets = 0;
  for (std::size_t i = 0; i + 1 < quanta.size(); ++i) {
    octets += quanta[i].octets;
    EXPECT_LE(quanta[i].octets, 2 * kMss);
    const double due = static_cast<double>(octets) / rate;
    const double at = std::chrono::duration<double>(quanta[i + 1].at - quanta[0].at).count();
    EXPECT_NEAR(at, due, 2 * kMss / rate);
  }
}

class BbrWithoutEcn : public TcpTester {};

TEST_F(BbrWithoutEcn, R_BBR_ECN_NothingIsNegotiatedWhereItIsNotSupported) {
  TcpConfig config;
  config.congestion_control = CongestionAlgorithm::Bbr;
  config.ecn = EcnMode::Off;
  rebuild(config);
  (void)connect();
  const auto syn = next_sent();
  ASSERT_TRUE(syn && syn->flags.syn);
  EXPECT_FALSE(syn->flags.ece);
  EXPECT_FALSE(syn->flags.cwr);
}

}  // namespace
}  // namespace runnel::test
