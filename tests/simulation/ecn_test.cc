// Explicit congestion notification between the stack and the model peer, which has one of its own.
// The model complains by itself of what RFC 3168 and RFC 9768 do not allow: that ends a run.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "tests/simulation/middlebox.h"
#include "tests/support/simulation/model_peer.h"
#include "tests/support/simulation/simulation.h"
#include "tests/support/simulation/stack_node.h"

namespace runnel::test {
namespace {

using namespace std::chrono_literals;
using Kind = ModelEcn::Kind;

constexpr EcnMode kModes[] = {EcnMode::Off, EcnMode::WhenAsked, EcnMode::Classic,
                              EcnMode::Accurate};

// A transfer from client to server, one of which is the model.
class EcnRun {
 public:
  EcnRun(EcnMode client, EcnMode server, bool client_is_model, std::uint64_t seed = 1,
         std::uint32_t mark_ppm = 0, std::uint32_t loss_ppm = 0,
         const Middlebox::Rewrite& rewrite = {})
      : client_is_model_(client_is_model) {
    Scenario scenario;
    scenario.seed = seed;
    scenario.client.config.tcp.ecn = client;
    scenario.server.config.tcp.ecn = server;
    (client_is_model ? scenario.client : scenario.server).is_model = true;
    scenario.to_server.mark_ppm = mark_ppm;
    scenario.to_server.loss_ppm = loss_ppm;
    scenario.to_client.loss_ppm = loss_ppm;
    ConnectionScript script;
    script.client.octets = 200'000;
    script.server.octets = 1'000;
    scenario.connections.push_back(script);
    Simulation::Wrapper wrapper;
    if (rewrite) {  // a segment, an ACK, and so on
      scenario.connections[0].client.write_octets = 1000;
      scenario.connections[0].client.write_interval = 30ms;
      wrapper = [&rewrite](std::unique_ptr<SimNode> node) {
        return std::make_unique<Middlebox>(std::move(node), rewrite);
      };
    }
    simulation_ = std::make_unique<Simulation>(scenario, nullptr, wrapper);
    simulation_->run();
  }

  [[nodiscard]] const ModelEcn& model() {
    SimNode& node = client_is_model_ ? simulation_->client() : server();
    return dynamic_cast<ModelPeer&>(node).ecn(0);
  }
  [[nodiscard]] const Counters& stack() {
    SimNode& node = client_is_model_ ? server() : simulation_->client();
    return dynamic_cast<StackNode&>(node).stack().counters();
  }
  [[nodiscard]] std::uint64_t marks() { return simulation_->to_server().counters().ce_marks; }

 private:
  [[nodiscard]] SimNode& server() {
    SimNode& node = simulation_->server();
    auto* const middlebox = dynamic_cast<Middlebox*>(&node);
    return middlebox == nullptr ? node : middlebox->server();
  }

  bool client_is_model_;
  std::unique_ptr<Simulation> simulation_;
};

Kind agreed(EcnMode client, EcnMode server) {
  if (server == EcnMode::Off) return Kind::None;
  if (client == EcnMode::Classic) return Kind::Classic;
  return client == EcnMode::Accurate ? Kind::Accurate : Kind::None;
}

TEST(ModelEcn, AgreesWithTheStackOnEveryPairOfWishes) {
  for (const bool client_is_model : {false, true}) {
    for (const EcnMode client : kModes) {
      for (const EcnMode server : kModes) {
        EcnRun run(client, server, client_is_model, 1, 100'000);
        const Kind kind = agreed(client, server);
        EXPECT_EQ(run.model().kind(), kind)
            << static_cast<int>(client) << ' ' << static_cast<int>(server);
        EXPECT_EQ(run.marks() > 0, kind != Kind::None);
      }
    }
  }
}

TEST(ModelEcn, HearsOfEveryMarkThatTheStackHasSeen) {
  for (std::uint32_t seed = 1; seed <= 30; ++seed) {
    EcnRun run(EcnMode::Accurate, EcnMode::WhenAsked, true, seed, 1 + 40'000 * (seed % 6));
    EXPECT_EQ(run.stack().tcp_ecn_ce_received, run.marks()) << seed;
    EXPECT_EQ(run.model().marks_heard(), run.marks()) << seed;
  }
}

// The model sends no options, and one ACK for many segments: then the stack assumes the most that
// is likely (RFC 9768 section 3.2.2.5.2).
TEST(ModelEcn, TellsTheStackOfEveryMark) {
  for (std::uint32_t seed = 1; seed <= 30; ++seed) {
    EcnRun run(EcnMode::Accurate, EcnMode::WhenAsked, false, seed, 1 + 40'000 * (seed % 6));
    EXPECT_EQ(run.model().marks_seen(), run.marks()) << seed;
    EXPECT_GE(run.stack().tcp_ecn_ce_reported, run.marks()) << seed;
    EXPECT_EQ(run.stack().tcp_ecn_ce_reported % 8, run.marks() % 8) << seed;
    EXPECT_EQ(run.stack().tcp_ecn_responses > 0, run.marks() > 0) << seed;
  }
}

TEST(ModelEcn, ClassicMarksAreAnsweredAndEndWithCwr) {
  for (std::uint32_t seed = 1; seed <= 30; ++seed) {
    for (const bool client_is_model : {false, true}) {
      EcnRun run(EcnMode::Classic, EcnMode::WhenAsked, client_is_model, seed, 20'000);
      if (client_is_model) {
        EXPECT_EQ(run.stack().tcp_ecn_ce_received, run.marks()) << seed;
        EXPECT_EQ(run.model().marks_heard() > 0, run.marks() > 0) << seed;
      } else {
        EXPECT_EQ(run.model().marks_seen(), run.marks()) << seed;
        EXPECT_EQ(run.stack().tcp_ecn_responses > 0, run.marks() > 0) << seed;
        EXPECT_LE(run.stack().tcp_ecn_responses, run.marks()) << seed;
      }
    }
  }
}

// Handshakes of which anything may be lost: SYNs and SYN-ACKs fall back, and nobody gets lost.
TEST(ModelEcn, LossesBringNobodyOutOfStep) {
  for (std::uint32_t seed = 1; seed <= 60; ++seed) {
    for (const bool client_is_model : {false, true}) {
      for (const EcnMode client : {EcnMode::Classic, EcnMode::Accurate}) {
        EcnRun run(client, EcnMode::WhenAsked, client_is_model, seed, 50'000, 200'000);
        (void)run;
      }
    }
  }
}

// --- Middleboxes ---------------------------------------------------------------------------------

constexpr std::size_t kFirstFlags = 32;   // AE is the last bit
constexpr std::size_t kSecondFlags = 33;  // CWR, ECE, ... SYN

bool is_syn(Bytes packet) {
  return (packet[kSecondFlags] & 0x02U) != 0;
}
void clear_flags(MutableBytes packet) {
  packet[kFirstFlags] = static_cast<std::uint8_t>(packet[kFirstFlags] & ~1U);
  packet[kSecondFlags] = static_cast<std::uint8_t>(packet[kSecondFlags] & 0x3fU);
}
bool asks(Bytes packet) {
  return is_syn(packet) && (packet[kSecondFlags] & 0xc0U) != 0;
}
bool has_acc_ecn(Bytes packet) {
  const std::size_t end = 20 + std::size_t{packet[kFirstFlags]} / 16 * 4;
  for (std::size_t i = 40; i + 1 < end && packet[i] != 0;) {
    if (packet[i] == 172 || packet[i] == 174) return true;
    i += packet[i] == 1 ? std::size_t{1} : packet[i + 1];
  }
  return false;
}

// The ECN field is cleared on its way: nothing is marked, and nothing else is wrong.
TEST(ModelEcn, ABleachedFieldHurtsNobody) {
  const auto bleach = [](MutableBytes packet, bool) {
    packet[1] = static_cast<std::uint8_t>(packet[1] & ~3U);
    return true;
  };
  for (const bool client_is_model : {false, true}) {
    EcnRun run(EcnMode::Accurate, EcnMode::WhenAsked, client_is_model, 1, 100'000, 0, bleach);
    EXPECT_EQ(run.model().kind(), Kind::Accurate);
    EXPECT_EQ(run.stack().tcp_ecn_ce_received, 0U);
    EXPECT_EQ(run.stack().tcp_ecn_ce_reported, 0U);
  }
}

// Firewalls of old clear the flags that they take for reserved: both sides do without.
TEST(ModelEcn, ClearedFlagsOfSynsAreNoAgreement) {
  const auto clear = [](MutableBytes packet, bool) {
    if (is_syn(packet)) clear_flags(packet);
    return true;
  };
  for (const EcnMode mode : {EcnMode::Classic, EcnMode::Accurate}) {
    for (const bool client_is_model : {false, true}) {
      EcnRun run(mode, EcnMode::WhenAsked, client_is_model, 1, 100'000, 0, clear);
      EXPECT_EQ(run.model().kind(), Kind::None);
      EXPECT_EQ(run.marks(), 0U);
    }
  }
}

// ... or drop what carries them: the third SYN gets through.
TEST(ModelEcn, DroppedSynsAreFollowedByOneThatDoesNotAsk) {
  const auto drop = [](MutableBytes packet, bool) { return !asks(packet); };
  for (const EcnMode mode : {EcnMode::Classic, EcnMode::Accurate}) {
    for (const bool client_is_model : {false, true}) {
      EcnRun run(mode, EcnMode::WhenAsked, client_is_model, 1, 100'000, 0, drop);
      EXPECT_EQ(run.model().kind(), Kind::None);
      EXPECT_EQ(run.stack().tcp_ecn_fallbacks, client_is_model ? 0U : 1U);
    }
  }
}

// After the handshake the three bits are zero whatever the server says: the stack, who sends, sees
// that, sends Not-ECT, and does not take them for marks (RFC 9768 section 3.2.2.4).
TEST(ModelEcn, AClearedAceFieldEndsEct) {
  const auto clear = [](MutableBytes packet, bool to_server) {
    if (!to_server && !is_syn(packet)) clear_flags(packet);
    return true;
  };
  EcnRun run(EcnMode::Accurate, EcnMode::WhenAsked, false, 1, 0, 0, clear);
  EXPECT_EQ(run.model().kind(), Kind::Accurate);
  EXPECT_EQ(run.stack().tcp_ecn_fallbacks, 1U);
  EXPECT_EQ(run.stack().tcp_ecn_responses, 0U);
  EXPECT_EQ(run.stack().tcp_ecn_ce_reported, 0U);
}

// Packets with an option that a middlebox does not know never arrive: a SYN,ACK without it does.
TEST(ModelEcn, DroppedOptionsDelayTheHandshakeOnce) {
  const auto drop = [](MutableBytes packet, bool to_server) {
    return to_server || !has_acc_ecn(packet);
  };
  EcnRun run(EcnMode::Accurate, EcnMode::WhenAsked, true, 1, 50'000, 0, drop);
  EXPECT_EQ(run.model().kind(), Kind::Accurate);
  EXPECT_GT(run.marks(), 0U);
  EXPECT_EQ(run.model().marks_heard(), run.marks()) << "by ACE alone";
}

// --- Two stacks ----------------------------------------------------------------------------------

struct Shared {
  double goodput_share = 0;  // of what the bottleneck carries
  std::uint64_t drops = 0;
  std::uint64_t marks = 0;
  std::uint64_t retransmitted = 0;
};

// Ten seconds of 50 Mbit/s with a round trip of 20 ms. The queue holds two BDPs, and marks from
// 40 % of one up.
Shared share_marking_bottleneck(CongestionAlgorithm algorithm, EcnMode ecn) {
  constexpr std::uint64_t kRate = 50'000'000;
  constexpr std::size_t kBdp = 125'000;
  Scenario scenario;
  scenario.seed = 3;
  for (SideOptions* const side : {&scenario.client, &scenario.server}) {
    side->config.tcp.is_controlled_network = true;
    side->config.tcp.congestion_control = algorithm;
    side->config.tcp.ecn = ecn;
  }
  scenario.to_server.bits_per_second = scenario.to_client.bits_per_second = kRate;
  scenario.to_server.queue_octets = 2 * kBdp;
  scenario.to_server.mark_above_octets = 2 * kBdp / 5;
  ConnectionScript script;
  script.client.octets = std::uint64_t{1} << 40U;
  scenario.connections.push_back(script);
  Simulation simulation(scenario);
  simulation.run_for(10s);
  Shared shared;
  shared.goodput_share = static_cast<double>(simulation.server_application(0).received()) * 8 /
                         (10.0 * static_cast<double>(kRate));
  shared.drops = simulation.to_server().counters().tail_drops;
  shared.marks = simulation.to_server().counters().ce_marks;
  shared.retransmitted =
      dynamic_cast<StackNode&>(simulation.client()).stack().counters().tcp_retrans_segs;
  return shared;
}

// Whoever listens to marks fills the path without a loss.
TEST(Ecn, FillsAPathThatMarksWithoutALoss) {
  for (const CongestionAlgorithm algorithm :
       {CongestionAlgorithm::NewReno, CongestionAlgorithm::Cubic, CongestionAlgorithm::Dctcp}) {
    for (const EcnMode ecn : {EcnMode::Classic, EcnMode::Accurate}) {
      const Shared shared = share_marking_bottleneck(algorithm, ecn);
      const auto what =
          std::string(name_of(algorithm)) + (ecn == EcnMode::Classic ? ", classic" : ", accurate");
      EXPECT_GT(shared.goodput_share, 0.85) << what;
      EXPECT_EQ(shared.drops, 0U) << what;
      EXPECT_EQ(shared.retransmitted, 0U) << what;
      EXPECT_GT(shared.marks, 0U) << what;
    }
  }
  EXPECT_GT(share_marking_bottleneck(CongestionAlgorithm::NewReno, EcnMode::Off).drops, 0U);
}

}  // namespace
}  // namespace runnel::test
