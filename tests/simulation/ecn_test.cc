// Explicit congestion notification between the stack and the model peer, which has one of its own.
// The model complains by itself of what RFC 3168 and RFC 9768 do not allow: that ends a run.
#include <gtest/gtest.h>

#include <memory>

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
         std::uint32_t mark_ppm = 0, std::uint32_t loss_ppm = 0)
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
    simulation_ = std::make_unique<Simulation>(scenario);
    simulation_->run();
  }

  [[nodiscard]] const ModelEcn& model() {
    SimNode& node = client_is_model_ ? simulation_->client() : simulation_->server();
    return dynamic_cast<ModelPeer&>(node).ecn(0);
  }
  [[nodiscard]] const Counters& stack() {
    SimNode& node = client_is_model_ ? simulation_->server() : simulation_->client();
    return dynamic_cast<StackNode&>(node).stack().counters();
  }
  [[nodiscard]] std::uint64_t marks() { return simulation_->to_server().counters().ce_marks; }

 private:
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

}  // namespace
}  // namespace runnel::test
