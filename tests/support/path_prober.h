// A stack that finds out by itself what its path carries, for the tests of RFC 4821 and RFC 8899.
#pragma once

#include <utility>
#include <vector>

#include "tests/support/narrow_path.h"

namespace runnel::test {

// A path whose router is silent, and a stack that probes from the beginning: with 1,200 octets in a
// packet, 1,160 in a segment.
class Probing : public NarrowPath {
 protected:
  static constexpr std::uint32_t kBase = 1200;
  static constexpr std::uint32_t kBaseText = kBase - kHeaders;
  // What a probe of the whole MTU needs: itself and three segments that tell of its loss.
  static constexpr std::uint32_t kNeeded = 1460 + 3 * kBaseText;

  Probing() {
    tells = false;
    restart({});
  }
  void restart(TcpConfig tcp, MtuProbing probing = MtuProbing::Always) {
    tcp.mtu_probing = probing;
    Config config;
    config.tcp = tcp;
    rebuild(config);
    reset_path();
  }
  [[nodiscard]] std::uint16_t path_mtu() const { return info().path_mtu_octets; }
  // Writes so much and waits until it has arrived.
  void burst(std::uint32_t octets = 30'000) {
    written_until_ += octets;
    stream_until(written_until_);
    ASSERT_TRUE(run_until([this] { return delivered() == written_until_; }));
    run(2 * round_trip);
  }
  // Bursts, with pauses between them, until there is no probe for a while. Returns when the fate of
  // the last one was known.
  Instant converge() {
    Instant known_at = now();
    std::size_t sent = 0;
    int rounds = 0;
    for (int quiet = 0; quiet < 4 && rounds < 200; ++quiet, ++rounds) {
      written_until_ += 30'000;
      stream_until(written_until_);
      const auto is_over = [&] {
        if (fates() != fates_) {
          fates_ = fates();
          known_at = now();
        }
        return delivered() == written_until_;
      };
      EXPECT_TRUE(run_until(is_over));
      (void)run_until([&] { return is_over() && false; }, 2 * round_trip);
      if (probes().size() != std::exchange(sent, probes().size())) quiet = 0;
      advance(15s);
    }
    EXPECT_LT(rounds, 200) << "the search does not end";
    return known_at;
  }
  void start_at(std::uint32_t octets) { written_until_ = octets; }
  [[nodiscard]] std::vector<std::uint16_t> probe_sizes() const {
    std::vector<std::uint16_t> sizes;
    for (const PathPacket& probe : probes()) sizes.push_back(probe.octets);
    return sizes;
  }

 private:
  [[nodiscard]] std::pair<std::uint64_t, std::uint16_t> fates() const {
    return {counters().tcp_mtu_probes_lost, path_mtu()};
  }
  std::uint32_t written_until_ = 0;
  std::pair<std::uint64_t, std::uint16_t> fates_;
};

}  // namespace runnel::test
