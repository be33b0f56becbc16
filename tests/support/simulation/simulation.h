// Two hosts, a link each way, and the applications of one scenario, in virtual time.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "tests/support/flow_invariants.h"
#include "tests/support/simulation/application.h"
#include "tests/support/simulation/link.h"
#include "tests/support/simulation/node.h"
#include "tests/support/simulation/packet_recorder.h"
#include "tests/support/simulation/scenario.h"

namespace runnel::test {

// Theory of operation. Time stands still while a host works and jumps to the next instant at which
// a packet arrives, a timer is due or an application wants to do something. Only the host that this
// concerns is woken. After each of its turns the invariants are asked for:
//
//  - what a host emits has right checksums and lengths, and keeps FlowInvariants: no acknowledgment
//    moves back, no window's right edge shrinks, nothing is sent beyond it;
//  - what the nodes check of their connections;
//  - what an application receives is a prefix of what the other one wrote.
//
// In the end everything must be gone: connections, records, timers, memory. Whoever violates
// something ends the run with a SimulationFailure.
class Simulation {
 public:
  // Puts something between the network and the server, which a test wants to misbehave.
  using Wrapper = std::function<std::unique_ptr<SimNode>(std::unique_ptr<SimNode>)>;

  explicit Simulation(const Scenario& scenario, PacketRecorder* recorder = nullptr,
                      const Wrapper& wrap_server = {});

  // Runs until everything has ended. Throws SimulationFailure.
  void run();
  // Runs for so long of virtual time, without a look at the end.
  void run_for(Duration duration);

  // Without checks of packets and connections, for measurements.
  void set_checking(bool checking) {
    is_checking_ = checking;
    client_->set_checking(checking);
    server_->set_checking(checking);
  }

  [[nodiscard]] Instant now() const noexcept { return now_; }
  [[nodiscard]] std::uint64_t packet_count() const noexcept { return packet_count_; }
  [[nodiscard]] Link& to_server() noexcept { return to_server_; }
  [[nodiscard]] const Link& to_client() const noexcept { return to_client_; }
  [[nodiscard]] SimNode& client() noexcept { return *client_; }
  [[nodiscard]] SimNode& server() noexcept { return *server_; }
  [[nodiscard]] const Application& client_application(std::size_t i) const { return clients_[i]; }
  [[nodiscard]] const Application& server_application(std::size_t i) const { return servers_[i]; }
  // Every packet's time, direction and octets.
  [[nodiscard]] std::uint64_t digest() const noexcept { return digest_; }
  // The sequence numbers of the first SYN from either side: the initial ones.
  [[nodiscard]] std::uint32_t first_isn(bool of_client) const noexcept {
    return isns_[of_client ? 0 : 1];
  }

 private:
  [[nodiscard]] Instant next_instant() const;
  // Goes to the next instant, which is no later than `limit`; false when there is none.
  bool step(Instant limit);
  void work(SimNode& node, Link& in, Link& out, bool is_forced);
  void inspect(const TxFrame& frame, bool to_server);
  // Until nothing more would happen, or the time allowed is over: then returns false.
  [[nodiscard]] bool is_quiet_by(Instant limit);
  [[noreturn]] void fail_unfinished() const;
  void give_up_all();
  [[nodiscard]] bool is_over() const;
  void expect_good_end() const;
  void expect_complete(std::size_t index) const;

  Scenario scenario_;
  PacketRecorder* recorder_;
  Instant now_;
  PacketPool pool_;
  Link to_server_;
  Link to_client_;
  // Before the nodes, whose sockets refer to them.
  std::deque<Application> clients_;
  std::deque<Application> servers_;
  std::unique_ptr<SimNode> client_;
  std::unique_ptr<SimNode> server_;
  FlowInvariants invariants_;
  TxFrame frame_;
  SimPacket flat_;  // the last frame in one piece
  std::uint64_t packet_count_ = 0;
  std::uint64_t digest_ = 14695981039346656037U;  // FNV-1a's offset basis
  std::array<std::uint32_t, 2> isns_{};
  std::array<bool, 2> has_isn_{};
  int steps_at_this_instant_ = 0;
  bool is_checking_ = true;
};

}  // namespace runnel::test
