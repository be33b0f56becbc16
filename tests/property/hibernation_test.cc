// Whether connections hibernate between any two events or never makes no difference: the same
// packets to the octet at the same times, the same events, the same figures of each connection.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "tests/support/host_pair.h"

namespace runnel::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t kPort = 7;
constexpr std::size_t kConnections = 6;
constexpr int kSteps = 60;

// Everything that can be told of a conversation from outside.
struct Story {
  std::uint64_t digest = 0;
  std::size_t packets = 0;
  std::vector<std::string> told;  // by the sockets
  std::size_t most_at_rest = 0;   // connections of the server that were records at the same time
};

std::string figures(const TcpInfo& i) {
  std::string text;
  const auto add = [&text](const auto& value) { text += std::to_string(value) + ' '; };
  add(static_cast<int>(i.state));
  add(i.send_mss_octets), add(i.path_mtu_octets), add(i.send_window_octets);
  add(i.receive_window_octets), add(i.congestion_window_octets);
  add(i.slow_start_threshold_octets), add(static_cast<int>(i.congestion_control));
  add(i.pacing_rate_octets), add(i.delivery_rate_octets), add(i.is_delivery_app_limited);
  add(i.smoothed_rtt.count()), add(i.rtt_variation.count()), add(i.retransmission_timeout.count());
  add(i.octets_acknowledged), add(i.octets_sent), add(i.octets_received);
  add(i.octets_retransmitted), add(i.segments_retransmitted), add(i.retransmission_timeouts);
  add(i.fast_retransmits), add(i.tail_loss_probes), add(i.spurious_recoveries);
  add(i.duplicates_reported), add(static_cast<int>(i.recovery_phase)), add(i.minimum_rtt.count());
  add(i.reordering_window.count()), add(static_cast<int>(i.ecn)), add(i.ce_marks_received);
  add(i.ce_marks_reported), add(i.ecn_responses), add(i.user_timeout.count());
  add(i.urgent_octets), add(i.send_buffer_octets), add(i.receive_buffer_octets);
  return text;
}

// A client with a few connections to an echo server, random bursts and pauses on a bad path.
class Conversation {
 public:
  Conversation(const HostPairOptions& options, std::uint64_t seed) : hosts_(options), dice_(seed) {}

  Story run() {
    auto listener = hosts_.server().sockets.listen({IpAddress(), kPort}).value();
    listener.on(events::connection, [this](TcpSocket peer) {
      served_.push_back(peer);
      peer.on(events::data, [this, peer](Bytes octets) mutable {
        tell("server has " + std::to_string(octets.size()));
        (void)peer.write(octets);
      });
      peer.on(events::close, [this] { tell("server closes"); });
    });
    for (std::size_t i = 0; i < kConnections; ++i) open();
    for (int step = 0; step < kSteps; ++step) take_step();
    for (TcpSocket& socket : clients_) (void)socket.close();
    hosts_.run_for(5min);
    story_.digest = hosts_.trace_digest();
    story_.packets = hosts_.packet_count();
    return std::move(story_);
  }

 private:
  void tell(const std::string& what) { story_.told.push_back(what); }

  void open() {
    auto socket = hosts_.client().sockets.connect({hosts_.server().address, kPort}).value();
    socket.on(events::data,
              [this](Bytes octets) { tell("client has " + std::to_string(octets.size())); });
    socket.on(events::close, [this] { tell("client closes"); });
    clients_.push_back(socket);
  }

  void take_step() {
    TcpSocket& socket = clients_[dice_.below(clients_.size())];
    switch (dice_.below(12)) {
      case 0:
        (void)socket.set_keepalive(dice_.below(2) == 0);
        break;
      case 1:
        (void)socket.set_user_timeout(std::chrono::seconds(dice_.below(200)));
        break;
      case 2:
        (void)socket.set_timeout(std::chrono::seconds(dice_.below(30)));
        break;
      case 3:
        (void)socket.write_urgent(as_bytes("!"));
        break;
      case 4:
        if (dice_.below(4) == 0) (void)socket.shutdown_write();
        break;
      default:
        (void)socket.write(std::vector<std::uint8_t>(1 + dice_.below(60'000), 'x'));
        break;
    }
    const auto pause = std::chrono::milliseconds(dice_.below(dice_.below(8) == 0 ? 400'000 : 400));
    hosts_.run_for(pause);
    const Stack& stack = hosts_.server().stack;
    story_.most_at_rest =
        std::max(story_.most_at_rest, stack.connection_count() - stack.awake_count());
    for (std::vector<TcpSocket>* const side : {&clients_, &served_}) {
      for (const TcpSocket& each : *side) {
        if (const auto info = each.info()) tell(figures(*info));
      }
    }
  }

  HostPair hosts_;
  SeededRandom dice_;
  std::vector<TcpSocket> clients_;
  std::vector<TcpSocket> served_;
  Story story_;
};

class Hibernation
    : public ::testing::TestWithParam<std::tuple<CongestionAlgorithm, std::uint64_t>> {
 protected:
  static Story story(std::size_t awake_connections) {
    const auto [algorithm, seed] = GetParam();
    HostPairOptions options;
    options.seed = seed;
    options.one_way_delay = seed % 2 == 0 ? 1ms : 20ms;
    options.offload = seed % 3 == 0;
    options.loss_per_mille = 10;
    options.duplicates_per_mille = 5;
    options.reordering_per_mille = 10;
    options.keep_whole_trace = false;
    options.check_with_libtins = false;
    for (Config* const config : {&options.client, &options.server}) {
      config->awake_connections = awake_connections;
      config->tcp.congestion_control = algorithm;
      config->tcp.is_controlled_network = true;
      config->tcp.mtu_probing = MtuProbing::Always;
      config->tcp.user_timeout_option = true;
      config->tcp.idle_restart = seed % 2 == 0 ? IdleRestart::Rfc7661 : IdleRestart::Rfc5681;
    }
    return Conversation(options, seed).run();
  }
};

TEST_P(Hibernation, NobodyCanTellWhetherConnectionsHibernate) {
  const Story never = story(1000);
  EXPECT_EQ(never.most_at_rest, 0U);
  for (const std::size_t awake : {0U, 1U, 3U}) {
    const Story often = story(awake);
    EXPECT_GT(often.most_at_rest, 0U);
    EXPECT_EQ(often.packets, never.packets) << awake;
    EXPECT_EQ(often.digest, never.digest) << awake;
    ASSERT_EQ(often.told.size(), never.told.size()) << awake;
    for (std::size_t i = 0; i < never.told.size(); ++i) {
      ASSERT_EQ(often.told[i], never.told[i]) << "number " << i << ", " << awake << " awake";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Controllers, Hibernation,
    ::testing::Combine(::testing::Values(CongestionAlgorithm::NewReno, CongestionAlgorithm::Cubic,
                                         CongestionAlgorithm::Bbr, CongestionAlgorithm::Dctcp),
                       ::testing::Range<std::uint64_t>(1, 5)));

}  // namespace
}  // namespace runnel::test
