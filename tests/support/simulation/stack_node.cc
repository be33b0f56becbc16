#include "tests/support/simulation/stack_node.h"

#include <algorithm>

#include "stack/base/byte_order.h"
#include "stack/wire/ipv4.h"
#include "tests/support/simulation/failure.h"

namespace runnel::test {
namespace {

// An error that the stack may answer with when a connection has just ended, or ends.
void expect_value_or_end(std::error_code error, const char* call) {
  if (!error || error == make_error_code(Errc::would_block)) return;
  const bool is_end = error == make_error_code(Errc::connection_reset) ||
                      error == make_error_code(Errc::connection_refused) ||
                      error == make_error_code(Errc::connection_aborted) ||
                      error == make_error_code(Errc::timed_out) ||
                      error == make_error_code(Errc::not_connected) ||
                      error == make_error_code(Errc::no_buffer_space);
  if (!is_end) throw SimulationFailure(std::string(call) + ": " + error.message());
}

}  // namespace

// --- The application's calls ---------------------------------------------------------------------

std::size_t StackNode::Socket::write(Bytes octets) {
  const auto taken = stack_.write(id, octets);
  expect_value_or_end(taken.error(), "write");
  if (taken && *taken > octets.size()) throw SimulationFailure("write took more than there was");
  return taken.value_or(0);
}

Bytes StackNode::Socket::received() {
  const auto view = stack_.peek(id);
  expect_value_or_end(view.error(), "peek");
  return view.value_or(Bytes{});
}

void StackNode::Socket::consume(std::size_t octets) {
  const auto done = stack_.consume(id, octets);
  if (!done) throw SimulationFailure("consume: " + done.error().message());
}

bool StackNode::Socket::is_at_end() {
  const auto view = stack_.peek(id);
  return view && view->empty();
}

void StackNode::Socket::shutdown_write() {
  expect_value_or_end(stack_.shutdown_write(id).error(), "shutdown_write");
}

void StackNode::Socket::set_congestion_control(CongestionAlgorithm algorithm) {
  expect_value_or_end(stack_.set_congestion_control(id, algorithm).error(),
                      "set_congestion_control");
}

// --- The host ------------------------------------------------------------------------------------

StackNode::StackNode(const Config& config, std::uint64_t seed, const IpAddress& address,
                     const IpAddress& peer, Instant now, TraceSink* trace)
    : random_(seed),
      tcp_config_(config.tcp),
      stack_(config, random_, trace),
      peer_(peer),
      is_client_(address == kClientAddress),
      memory_at_start_(stack_.memory_octets()) {
  IpPrefix prefix{address, 24};
  if (const auto added = stack_.add_address(prefix); !added) {
    throw SimulationFailure("add_address: " + added.error().message());
  }
  stack_.advance(now);
}

void StackNode::listen() {
  const auto listener = stack_.listen({IpAddress(), kServerPort});
  if (!listener) throw SimulationFailure("listen: " + listener.error().message());
  listener_ = *listener;
}

void StackNode::stop_listening() {
  if (listener_) (void)stack_.close_listener(*listener_);
  listener_.reset();
}

void StackNode::host(std::uint16_t index, Application& application,
                     std::optional<Instant> open_at) {
  if (index != sockets_.size()) throw SimulationFailure("connections are hosted in order");
  sockets_.emplace_back(stack_, application, open_at);
}

void StackNode::open(Socket& socket, std::uint16_t index, Instant) {
  socket.open_at.reset();
  ConnectOptions options;
  options.local.port = static_cast<std::uint16_t>(kFirstClientPort + index);
  if (const auto& control = socket.application.script().congestion_control) {
    options.tcp = tcp_config_;  // from the SYN on: some ask for ECN
    options.tcp->congestion_control = *control;
  }
  const auto id = stack_.connect({peer_, kServerPort}, options);
  if (!id) throw SimulationFailure("connect: " + id.error().message());
  socket.id = *id;
}

void StackNode::run_applications(Instant now) {
  for (std::uint16_t i = 0; i < sockets_.size(); ++i) {
    if (sockets_[i].open_at && *sockets_[i].open_at <= now) open(sockets_[i], i, now);
  }
  bool first = true;
  for (;;) {
    bool any = first;
    first = false;
    while (const auto event = stack_.poll_event()) {
      handle(*event, now);
      any = true;
    }
    if (!any) return;
    for (Socket& socket : sockets_) socket.application.work(now);
  }
}

void StackNode::handle(const Event& event, Instant now) {
  if (event.kind == EventKind::Incoming) {
    accept_all(event.listener, now);
    return;
  }
  Socket* const socket = socket_of(event.connection);
  if (socket == nullptr) throw SimulationFailure("an event of an unknown connection");
  Application& application = socket->application;
  switch (event.kind) {
    case EventKind::Connected:
      application.on_connected(*socket, now);
      (void)stack_.set_nagle(socket->id, application.script().nagle);
      (void)stack_.set_keepalive(socket->id, application.script().keepalive);
      break;
    case EventKind::Readable:
      application.on_readable();
      break;
    case EventKind::Writable:
      application.on_writable();
      break;
    case EventKind::Ended:
      application.on_ended();
      break;
    case EventKind::Error:
      application.on_error(event.error);
      break;
    case EventKind::Closed:
      application.on_closed();
      if (!application.was_connected()) (void)stack_.close(socket->id);
      break;
    case EventKind::Incoming:
    case EventKind::SoftError:
    case EventKind::Urgent:
    case EventKind::Timeout:
      break;
  }
}

void StackNode::accept_all(ListenerId listener, Instant now) {
  while (const auto id = stack_.accept(listener)) {
    const auto remote = stack_.remote_endpoint(*id);
    const std::size_t index = remote ? std::size_t{remote->port} - kFirstClientPort : SIZE_MAX;
    if (index >= sockets_.size()) throw SimulationFailure("accepted a connection of nobody");
    Socket& socket = sockets_[index];
    socket.id = *id;
    socket.application.on_connected(socket, now);
    (void)stack_.set_nagle(*id, socket.application.script().nagle);
    (void)stack_.set_keepalive(*id, socket.application.script().keepalive);
  }
}

StackNode::Socket* StackNode::socket_of(ConnectionId id) {
  const auto found = std::find_if(sockets_.begin(), sockets_.end(),
                                  [&](const Socket& socket) { return socket.id == id; });
  return found != sockets_.end() ? &*found : nullptr;
}

bool StackNode::poll_transmit(TxFrame& frame, Instant now) {
  if (!stack_.poll_transmit(frame, now)) return false;
  if (is_checking_) check_transmitted(frame);
  return true;
}

Instant StackNode::next_deadline() const {
  Instant next = stack_.next_deadline();
  for (const Socket& socket : sockets_) {
    next = std::min(next, socket.application.next_deadline());
    if (socket.open_at) next = std::min(next, *socket.open_at);
  }
  return next;
}

// --- What must hold ------------------------------------------------------------------------------

void StackNode::check_transmitted(const TxFrame& frame) {
  const Bytes header = frame.header();
  if (header.size() < 40 || header[9] != wire::kProtocolTcp) return;
  const std::size_t port_at = is_client_ ? 20 : 22;
  const std::size_t index =
      std::size_t{base::load_be<std::uint16_t>(header, port_at)} - kFirstClientPort;
  if (index >= sockets_.size()) return;
  Socket& socket = sockets_[index];
  const auto info = stack_.info(socket.id);
  if (!info) return;
  const bool is_new = info->octets_sent > socket.octets_sent;
  const bool is_probe = info->tail_loss_probes > socket.tail_loss_probes;
  socket.octets_sent = info->octets_sent;
  socket.tail_loss_probes = info->tail_loss_probes;
  const std::uint64_t slack = 2 * std::uint64_t{info->send_mss_octets};
  // A controller that takes over in a recovery reduces what it finds in flight.
  const bool is_exchanged = std::exchange(socket.congestion_control, info->congestion_control) !=
                            info->congestion_control;
  if (info->recovery_phase == RecoveryPhase::Open || is_exchanged) {
    socket.flight_before_recovery = info->in_flight_octets;
  }
  std::uint64_t limit = info->congestion_window_octets + slack;
  if (info->recovery_phase == RecoveryPhase::Recovery) {
    // What was in flight when the recovery began, and not the window of that time, which may be the
    // smaller (RFC 7661 section 4.4.1 cuts it at the end of a recovery) or the larger.
    limit = std::max(limit, socket.flight_before_recovery + slack);
  }
  if (is_new && !is_probe && info->in_flight_octets > limit) {
    throw SimulationFailure("sent new data with " + std::to_string(info->in_flight_octets) +
                            " octets in flight and a congestion window of " +
                            std::to_string(limit - slack));
  }
}

void StackNode::check_invariants() {
  if (!is_checking_) return;
  for (const Socket& socket : sockets_) {
    const auto info = stack_.info(socket.id);
    if (!info) continue;
    if (info->octets_acknowledged > info->octets_sent) {
      throw SimulationFailure("SND.UNA > SND.NXT: " + std::to_string(info->octets_acknowledged) +
                              " octets acknowledged, " + std::to_string(info->octets_sent) +
                              " sent");
    }
    // SYN and FIN are in sequence space but not octets of the stream.
    const std::uint64_t outstanding = info->octets_sent - info->octets_acknowledged + 2;
    // An octet in flight may be there twice, once lost or late and once sent again.
    if (info->in_flight_octets > 2 * outstanding || info->sacked_octets > outstanding ||
        info->lost_octets > outstanding) {
      throw SimulationFailure(std::to_string(info->in_flight_octets) + " octets in flight, " +
                              std::to_string(info->sacked_octets) + " SACKed, " +
                              std::to_string(info->lost_octets) + " lost of " +
                              std::to_string(outstanding) + " outstanding");
    }
  }
}

std::string StackNode::find_leftovers() const {
  std::string text;
  const auto note = [&text](std::size_t count, const char* what) {
    if (count > 0) text += " " + std::to_string(count) + " " + what;
  };
  note(stack_.connection_count(), "connections");
  note(stack_.syn_received_count(), "half-open connections");
  note(stack_.time_wait_count(), "in TIME-WAIT");
  note(stack_.timer_count(), "timers");
  if (stack_.memory_octets() > memory_at_start_) {
    note(stack_.memory_octets() - memory_at_start_, "octets of memory");
  }
  return text;
}

}  // namespace runnel::test
