// The bounds of PRR's arithmetic; its rules are tested with RFC 9937.
#include "stack/tcp/loss/prr.h"

#include <algorithm>
#include <cstdint>

#include <gtest/gtest.h>

#include "runnel/random.h"

namespace runnel::tcp {
namespace {

constexpr std::uint32_t kSmss = 1460;

TEST(ProportionalRateReduction, AnEmptyFlightDividesByNothing) {
  ProportionalRateReduction prr;
  prr.begin(2 * kSmss, 0);
  prr.on_ack(0, 3 * kSmss, false, kSmss);
  EXPECT_EQ(prr.cwnd_octets(), 4U * kSmss) << "the first retransmission";
}

TEST(ProportionalRateReduction, GigabytesDoNotOverflow) {
  constexpr std::uint64_t kFlight = std::uint64_t{1} << 31U;
  ProportionalRateReduction prr;
  prr.begin(kFlight / 2, kFlight);
  prr.on_transmit(1);
  prr.on_ack(static_cast<std::int64_t>(kFlight - 2), kFlight, false, kSmss);
  EXPECT_EQ(prr.cwnd_octets(), kFlight + kFlight / 2 - 1 - 1);
}

// RFC 9937's promise: no more leaves in a recovery than was delivered, but for the first
// retransmission and one SMSS for each safe ACK; and what is in flight never rises above ssthresh
// once it is below.
TEST(ProportionalRateReduction, NeverSendsMoreThanIsDelivered) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SeededRandom dice(seed);
    const std::uint64_t flight = (10 + dice.below(200)) * kSmss;
    const std::uint64_t ssthresh = (2 + dice.below(flight / kSmss)) * kSmss;
    std::uint64_t lost = (1 + dice.below(flight / kSmss - 1)) * kSmss;
    std::uint64_t in_flight = flight - lost;
    ProportionalRateReduction prr;
    prr.begin(ssthresh, flight);
    std::uint64_t safe = 0;
    for (int step = 0; step < 400 && in_flight > 0; ++step) {
      const std::uint64_t delivered = std::min<std::uint64_t>(in_flight, dice.below(4) * kSmss);
      in_flight -= delivered;
      const bool is_safe = dice.below(3) == 0;
      if (is_safe) safe += kSmss;
      prr.on_ack(static_cast<std::int64_t>(delivered), in_flight, is_safe, kSmss);
      const std::uint64_t room = prr.cwnd_octets() - in_flight;
      if (in_flight <= ssthresh && prr.out_octets() > 0) {
        ASSERT_LE(prr.cwnd_octets(), ssthresh);
      }
      const std::uint64_t sent = dice.below(4) == 0 ? 0 : room;  // the application may be slow
      prr.on_transmit(sent);
      in_flight += sent;
      ASSERT_LE(prr.out_octets(), prr.delivered_octets() + kSmss + safe) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace runnel::tcp
