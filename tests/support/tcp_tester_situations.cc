// TcpTester: how a test gets to a state, and how it sees which one it is in.
#include "tests/support/tcp_tester.h"

namespace runnel::test {

ConnectionId TcpTester::establish_passive() {
  if (!listener_.is_set()) listen();
  send(peer_syn());
  send(ack_segment(0, 0));
  if (!accept()) ADD_FAILURE() << "nothing to accept after the handshake";
  forget_sent();
  events_.clear();
  return id_;
}

ConnectionId TcpTester::establish_active() {
  connect();
  SegmentBuilder syn_ack = peer_syn();
  send(syn_ack.ack(our(0)));
  if (state() != TcpState::Established) ADD_FAILURE() << "not established by the SYN-ACK";
  forget_sent();
  events_.clear();
  return id_;
}

void TcpTester::bring_to(TcpState wanted, Opening opening) {
  switch (wanted) {
    case TcpState::Closed:
      break;
    case TcpState::Listen:
      listen();
      break;
    case TcpState::SynSent:
      connect();
      break;
    case TcpState::SynReceived:
      opening == Opening::Passive ? static_cast<void>(listen()) : static_cast<void>(connect());
      send(peer_syn());
      break;
    case TcpState::Established:
      establish(opening);
      break;
    case TcpState::FinWait1:
    case TcpState::FinWait2:
    case TcpState::Closing:
    case TcpState::TimeWait:
      establish(opening);
      EXPECT_TRUE(shutdown_write());
      if (wanted == TcpState::FinWait1) break;
      if (wanted == TcpState::Closing) {
        send(ack_segment(0, 0).fin());
        break;
      }
      send(ack_segment(0, 1));
      if (wanted == TcpState::FinWait2) break;
      send(ack_segment(0, 1).fin());
      break;
    case TcpState::CloseWait:
    case TcpState::LastAck:
      establish(opening);
      send(ack_segment(0, 0).fin());
      if (wanted == TcpState::LastAck) {
        EXPECT_TRUE(shutdown_write());
      }
      break;
  }
  EXPECT_EQ(name_of(state()), name_of(wanted)) << "the fixture did not get there";
  forget_sent();
  events_.clear();
}

TcpState TcpTester::state_of(ConnectionId id) const {
  const auto info = stack_->info(id);
  return info ? info->state : TcpState::Closed;
}

TcpState TcpTester::state() const {
  if (stack_->time_wait_count() > 0) return TcpState::TimeWait;
  if (id_.is_set()) {
    const auto info = stack_->info(id_);
    // A handle that the application has not given up outlives its connection's TIME-WAIT.
    const bool is_over =
        !info || info->state == TcpState::Closed || info->state == TcpState::TimeWait;
    if (!is_over) return info->state;
  }
  if (stack_->syn_received_count() > 0) return TcpState::SynReceived;
  // Established, but not accepted yet; or closed by the application and still lingering.
  const auto& changes = states_->changes();
  if (!changes.empty() && stack_->connection_count() > 0 && changes.back().to != TcpState::Closed) {
    return changes.back().to;
  }
  if (listener_.is_set() && stack_->local_endpoint(listener_)) return TcpState::Listen;
  return TcpState::Closed;
}

std::uint32_t TcpTester::announced_window() const noexcept {
  if (!last_sent_) return 0;
  const bool is_scaled = !last_sent_->flags.syn && our_wscale_ && peer_wscale;
  return std::uint32_t{last_sent_->window} << (is_scaled ? *our_wscale_ : 0U);
}

std::uint32_t TcpTester::announced_edge() const noexcept {
  return last_sent_ ? last_sent_->ack + announced_window() : 0;
}

TcpInfo TcpTester::info() const {
  const auto info = stack_->info(id_);
  if (!info) {
    ADD_FAILURE() << "info: " << info.error().message();
    return {};
  }
  return *info;
}

}  // namespace runnel::test
