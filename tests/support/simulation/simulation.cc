#include "tests/support/simulation/simulation.h"

#include <algorithm>

#include "stack/base/byte_order.h"
#include "stack/wire/format.h"
#include "stack/wire/ipv4.h"
#include "tests/support/packet_check.h"
#include "tests/support/simulation/failure.h"
#include "tests/support/simulation/model_peer.h"
#include "tests/support/simulation/stack_node.h"

namespace runnel::test {
namespace {

// A host that asks to be woken at the same instant this often does nothing but ask.
constexpr int kMostStepsAtOneInstant = 100'000;

std::unique_ptr<SimNode> make_node(const SideOptions& side, std::uint64_t seed, bool is_client,
                                   Instant now) {
  const IpAddress& address = is_client ? kClientAddress : kServerAddress;
  const IpAddress& peer = is_client ? kServerAddress : kClientAddress;
  if (side.is_model) {
    return std::make_unique<ModelPeer>(side.config.mtu_octets, side.config.tcp.ecn, seed, address,
                                       peer);
  }
  return std::make_unique<StackNode>(side.config, seed, address, peer, now, side.trace);
}

}  // namespace

Simulation::Simulation(const Scenario& scenario, PacketRecorder* recorder,
                       const Wrapper& wrap_server)
    : scenario_(scenario),
      recorder_(recorder),
      now_(scenario.start),
      to_server_(scenario.to_server, scenario.seed * 5 + 1, now_, pool_),
      to_client_(scenario.to_client, scenario.seed * 5 + 2, now_, pool_),
      client_(make_node(scenario.client, scenario.seed * 5 + 3, true, now_)),
      server_(make_node(scenario.server, scenario.seed * 5 + 4, false, now_)) {
  if (wrap_server) server_ = wrap_server(std::move(server_));
  server_->listen();
  for (std::uint16_t i = 0; i < scenario.connections.size(); ++i) {
    const ConnectionScript& script = scenario.connections[i];
    const std::uint32_t up = 2U * i;
    const std::uint32_t down = up + 1;
    clients_.emplace_back(script.client, up, down, script.server.octets);
    servers_.emplace_back(script.server, down, up, script.client.octets);
    client_->host(i, clients_.back(), now_ + script.open_after);
    server_->host(i, servers_.back(), std::nullopt);
  }
}

// --- Time ----------------------------------------------------------------------------------------

Instant Simulation::next_instant() const {
  return std::min({client_->next_deadline(), server_->next_deadline(), to_server_.next_arrival(),
                   to_client_.next_arrival()});
}

bool Simulation::step(Instant limit) {
  const Instant next = next_instant();
  if (next == kNever || next > limit) return false;
  if (next > now_) {
    now_ = next;
    steps_at_this_instant_ = 0;
  } else if (++steps_at_this_instant_ > kMostStepsAtOneInstant) {
    throw SimulationFailure("the hosts do not let time go on");
  }
  work(*client_, to_client_, to_server_, false);
  work(*server_, to_server_, to_client_, false);
  return true;
}

void Simulation::work(SimNode& node, Link& in, Link& out, bool is_forced) {
  if (!is_forced && node.next_deadline() > now_ && in.next_arrival() > now_) return;
  node.advance(now_);
  while (auto packet = in.receive(now_)) {
    node.receive(packet->octets(), packet->meta, now_);
    pool_.give_back(std::move(packet));
  }
  node.run_applications(now_);
  while (node.poll_transmit(frame_, now_)) {
    ++packet_count_;
    if (is_checking_ || recorder_ != nullptr) inspect(frame_, &node == client_.get());
    out.send(frame_, now_, in);
  }
  if (is_checking_) node.check_invariants();
}

void Simulation::run_for(Duration duration) {
  const Instant end = now_ + duration;
  while (step(end)) {
  }
  now_ = end;
}

// --- One packet ----------------------------------------------------------------------------------

void Simulation::inspect(const TxFrame& frame, bool to_server) {
  flat_.resize(frame.size());
  frame.copy_to(flat_.octets());
  const Bytes packet = flat_.octets();
  if (recorder_ != nullptr) recorder_->record(now_, to_server, packet);
  if (!is_checking_) return;

  const auto add = [this](std::uint64_t word) { digest_ = (digest_ ^ word) * 1099511628211U; };
  add(static_cast<std::uint64_t>(now_.time_since_epoch().count()));
  add(to_server ? 1 : 2);
  for (std::size_t i = 0; i + 8 <= packet.size(); i += 8) {
    add(base::load_be<std::uint64_t>(packet, i));
  }
  const std::size_t side = to_server ? 0 : 1;
  if (!has_isn_[side] && packet.size() >= 40 && (packet[33] & 0x02U) != 0) {
    has_isn_[side] = true;
    isns_[side] = base::load_be<std::uint32_t>(packet, 24);
  }
  const std::uint16_t mtu = (to_server ? scenario_.client : scenario_.server).config.mtu_octets;
  if (const auto fault = find_fault(packet, frame.meta, mtu)) {
    throw SimulationFailure(*fault + ": " + wire::format_packet(packet));
  }
  if (const auto fault = invariants_.observe(packet)) {
    throw SimulationFailure(*fault + ": " + wire::format_packet(packet));
  }
}

// --- The whole run -------------------------------------------------------------------------------

void Simulation::run() {
  const Instant limit = scenario_.start + scenario_.limit;
  const bool is_quiet = is_quiet_by(limit);
  if (!scenario_.is_orderly() && !is_over()) {
    // The reset that would have told them was lost, and they have nothing to send that would bring
    // another; a keepalive timer of hours may be running.
    give_up_all();
  } else if (!is_quiet) {
    fail_unfinished();
  }
  if (!is_quiet_by(limit + scenario_.limit)) fail_unfinished();
  expect_good_end();
  server_->stop_listening();
  if (!is_quiet_by(limit + 2 * scenario_.limit)) fail_unfinished();
  const std::string client = client_->find_leftovers();
  const std::string server = server_->find_leftovers();
  if (!client.empty()) throw SimulationFailure("left over at the client:" + client);
  if (!server.empty()) throw SimulationFailure("left over at the server:" + server);
}

bool Simulation::is_quiet_by(Instant limit) {
  while (step(limit)) {
  }
  return next_instant() == kNever;
}

void Simulation::fail_unfinished() const {
  std::string text = "not finished within the virtual time allowed";
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    if (clients_[i].is_closed() && servers_[i].is_closed()) continue;
    text += "\n  connection " + std::to_string(i) + ", client: " + clients_[i].describe() +
            "\n  connection " + std::to_string(i) + ", server: " + servers_[i].describe();
  }
  throw SimulationFailure(text);
}

void Simulation::give_up_all() {
  for (Application& application : clients_) application.give_up();
  for (Application& application : servers_) application.give_up();
  work(*client_, to_client_, to_server_, true);
  work(*server_, to_server_, to_client_, true);
}

bool Simulation::is_over() const {
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    if (!clients_[i].is_closed()) return false;
    if (servers_[i].was_connected() && !servers_[i].is_closed()) return false;
  }
  return true;
}

void Simulation::expect_good_end() const {
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    const ConnectionScript& script = scenario_.connections[i];
    const bool is_orderly =
        test::is_orderly(script.client.ending) && test::is_orderly(script.server.ending);
    if (is_orderly) expect_complete(i);
    if (!clients_[i].is_closed() || (servers_[i].was_connected() && !servers_[i].is_closed())) {
      throw SimulationFailure("connection " + std::to_string(i) + " has no end; client: " +
                              clients_[i].describe() + "; server: " + servers_[i].describe());
    }
    if (clients_[i].received() > servers_[i].written() ||
        servers_[i].received() > clients_[i].written()) {
      throw SimulationFailure("received more than was written");
    }
  }
}

// Both streams in full. An error may only come behind them, and only where packets were lost.
void Simulation::expect_complete(std::size_t index) const {
  const Application& client = clients_[index];
  const Application& server = servers_[index];
  const bool has_error = client.error() || server.error();
  if (client.has_everything() && server.has_everything() &&
      (!has_error || scenario_.loses_packets())) {
    return;
  }
  throw SimulationFailure("connection " + std::to_string(index) + " is not complete; client: " +
                          client.describe() + "; server: " + server.describe());
}

}  // namespace runnel::test
