// Bugs that are planted: each has to end a run, and with the right words.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "tests/simulation/seed_runs.h"
#include "tests/support/simulation/failure.h"
#include "tests/support/simulation/simulation.h"
#include "tests/support/simulation/stack_node.h"

namespace runnel::test {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

Scenario plain_scenario() {
  Scenario scenario;
  scenario.seed = 1;
  scenario.to_server.bits_per_second = 10'000'000;
  ConnectionScript script;
  script.client.octets = 100'000;
  script.server.octets = 1'000;
  scenario.connections.push_back(script);
  return scenario;
}

// A server that does what its stack does, except where a test has it do something else.
class Misbehaving : public SimNode {
 public:
  explicit Misbehaving(std::unique_ptr<SimNode> node) : node_(std::move(node)) {}

  void listen() override { node_->listen(); }
  void stop_listening() override { node_->stop_listening(); }
  void host(std::uint16_t index, Application& application,
            std::optional<Instant> open_at) override {
    node_->host(index, application, open_at);
  }
  void advance(Instant now) override { node_->advance(now); }
  void receive(Bytes packet, const PacketMeta& meta, Instant now) override {
    node_->receive(packet, meta, now);
  }
  void run_applications(Instant now) override { node_->run_applications(now); }
  bool poll_transmit(TxFrame& frame, Instant now) override {
    const bool any = node_->poll_transmit(frame, now);
    if (any && falsify) falsify(frame);
    return any;
  }
  [[nodiscard]] Instant next_deadline() const override { return node_->next_deadline(); }
  void check_invariants() override { node_->check_invariants(); }
  [[nodiscard]] std::string find_leftovers() const override { return node_->find_leftovers(); }

  std::function<void(TxFrame&)> falsify;

 protected:
  std::unique_ptr<SimNode> node_;
};

std::string failure_of(Simulation& simulation) {
  try {
    simulation.run();
  } catch (const SimulationFailure& failure) {
    return failure.what();
  }
  return "none";
}

std::string failure_of(const Scenario& scenario) {
  Simulation simulation(scenario);
  return failure_of(simulation);
}

std::string failure_with(std::function<void(TxFrame&)> falsify) {
  Simulation simulation(plain_scenario(), nullptr, [&](std::unique_ptr<SimNode> server) {
    auto node = std::make_unique<Misbehaving>(std::move(server));
    node->falsify = std::move(falsify);
    return node;
  });
  return failure_of(simulation);
}

// Adds `difference` to the 16-bit word at `offset` of the TCP header, and to what the checksum
// says.
void add_to_word(TxFrame& frame, std::size_t offset, std::int32_t difference) {
  const MutableBytes header = frame.mutable_header();
  const auto change = [&](std::size_t at, std::int32_t by) {
    std::int32_t word = header[at] * 256 + header[at + 1] + by;
    if (word < 0) word += 0xffff;
    if (word > 0xffff) word -= 0xffff;
    header[at] = static_cast<std::uint8_t>(word / 256);
    header[at + 1] = static_cast<std::uint8_t>(word % 256);
  };
  change(20 + offset, difference);
  change(20 + 16, -difference);
}

// Of a connection, and no SYN: other headers may lie in the frame's payload.
bool is_synchronized(const TxFrame& frame) {
  return frame.header().size() >= 40 && (frame.header()[33] & 0x02U) == 0;
}

// --- What a healthy run is -----------------------------------------------------------------------

TEST(Checks, FindNothingInAHealthyRun) {
  EXPECT_EQ(failure_of(plain_scenario()), "none");
  Scenario scenario = plain_scenario();
  for (const auto side : {&Scenario::client, &Scenario::server}) {
    (scenario.*side).is_model = true;
    EXPECT_EQ(failure_of(scenario), "none");
  }
}

TEST(Checks, SeeTheSameRunFromTheSameSeed) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Simulation first(random_scenario(seed));
    Simulation second(random_scenario(seed));
    first.run();
    second.run();
    EXPECT_EQ(first.digest(), second.digest());
    EXPECT_EQ(first.now(), second.now());
  }
}

TEST(Checks, AreMadeOfManyKindsOfScenarios) {
  int models = 0;
  int losses = 0;
  int disorderly = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const Scenario scenario = random_scenario(seed);
    models += scenario.client.is_model || scenario.server.is_model ? 1 : 0;
    losses += scenario.loses_packets() ? 1 : 0;
    disorderly += scenario.is_orderly() ? 0 : 1;
    EXPECT_FALSE(scenario.client.is_model && scenario.server.is_model);
  }
  EXPECT_GT(models, 60);
  EXPECT_GT(losses, 150);
  EXPECT_GT(disorderly, 20);
}

// --- Planted bugs --------------------------------------------------------------------------------

TEST(Checks, FindAnOctetThatNoChecksumShows) {
  Scenario scenario = plain_scenario();
  scenario.to_server.forgery_ppm = 200'000;
  EXPECT_THAT(failure_of(scenario), HasSubstr("received other octets than were sent"));
}

TEST(Checks, FindAWrongChecksum) {
  const auto break_checksum = [](TxFrame& frame) {
    if (is_synchronized(frame)) frame.mutable_header()[20 + 17] ^= 1U;
  };
  EXPECT_THAT(failure_with(break_checksum), HasSubstr("TCP checksum is wrong"));
}

TEST(Checks, FindAnAcknowledgmentOfWhatWasNeverSent) {
  const auto acknowledge_more = [](TxFrame& frame) {
    if (is_synchronized(frame)) add_to_word(frame, 8, 1);
  };
  EXPECT_THAT(failure_with(acknowledge_more), HasSubstr("acknowledges what was never sent"));
}

TEST(Checks, FindAWindowThatShrinks) {
  int count = 0;
  const auto shrink = [&count](TxFrame& frame) {
    if (is_synchronized(frame) && ++count == 5) add_to_word(frame, 14, -200);
  };
  EXPECT_THAT(failure_with(shrink), HasSubstr("right edge moves left"));
}

TEST(Checks, FindAReservedBit) {
  const auto set_bit = [](TxFrame& frame) {
    if (is_synchronized(frame)) add_to_word(frame, 12, 0x0200);
  };
  EXPECT_THAT(failure_with(set_bit), HasSubstr("reserved"));
}

TEST(Checks, FindAConnectionAndItsTimersThatAreLeftOver) {
  class Forgetful final : public Misbehaving {
   public:
    using Misbehaving::Misbehaving;
    void stop_listening() override {
      Stack& stack = static_cast<StackNode&>(*node_).stack();
      (void)stack.connect({kClientAddress, 9});  // SYN-SENT, until R2
      Misbehaving::stop_listening();
    }
    // Nobody is woken for it.
    [[nodiscard]] Instant next_deadline() const override { return kNever; }
  };
  Scenario scenario = plain_scenario();
  scenario.server.config.tcp.time_wait = 1ms;
  // The server has no use for its timers here: it only answers.
  scenario.connections[0].server.octets = 0;
  scenario.server.config.tcp.quick_acks = 255;
  Simulation simulation(scenario, nullptr, [](std::unique_ptr<SimNode> server) {
    return std::make_unique<Forgetful>(std::move(server));
  });
  const std::string failure = failure_of(simulation);
  EXPECT_THAT(failure, HasSubstr("left over at the server"));
  EXPECT_THAT(failure, HasSubstr("1 connections"));
}

TEST(Checks, FindATransferThatStalls) {
  class Deaf final : public Misbehaving {
   public:
    using Misbehaving::Misbehaving;
    void receive(Bytes packet, const PacketMeta& meta, Instant now) override {
      if (++count_ < 20) Misbehaving::receive(packet, meta, now);
    }

   private:
    int count_ = 0;
  };
  Scenario scenario = plain_scenario();
  scenario.client.config.tcp.r2 = kForever;
  scenario.limit = 1h;
  Simulation simulation(scenario, nullptr, [](std::unique_ptr<SimNode> server) {
    return std::make_unique<Deaf>(std::move(server));
  });
  EXPECT_THAT(failure_of(simulation), HasSubstr("not finished within the virtual time"));
}

// --- Shrinking -----------------------------------------------------------------------------------

TEST(Shrinking, LeavesOfAScenarioWhatItFailsWith) {
  std::uint64_t seed = 0;
  while (random_scenario(seed).connections.size() < 5) ++seed;
  Scenario scenario = random_scenario(seed);
  scenario.to_server.forgery_ppm = 1'000'000;
  ASSERT_TRUE(run_apart(scenario).failed);
  const std::size_t length = describe(scenario).size();
  const std::vector<std::size_t> ways = shrink(scenario);
  EXPECT_FALSE(ways.empty());
  for (const std::size_t way : ways) ASSERT_TRUE(simplify(scenario, way));
  const RunReport report = run_apart(scenario);
  EXPECT_TRUE(report.failed);
  EXPECT_THAT(report.what, HasSubstr("received other octets"));
  EXPECT_EQ(scenario.connections.size(), 1U);
  EXPECT_LT(describe(scenario).size(), length / 2);
}

TEST(Shrinking, LeavesAHealthyScenarioAlone) {
  EXPECT_TRUE(shrink(plain_scenario()).empty());
}

}  // namespace
}  // namespace runnel::test
