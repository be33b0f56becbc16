// A listener's part in TCP Fast Open: RFC 7413 sections 4.2.2 and 5.1.
#include "stack/core/engine.h"

namespace runnel::core {

Engine::FastOpenAnswer Engine::judge_fast_open(const tcp::FourTuple& tuple, const tcp::Segment& syn,
                                               Listener& owner) {
  using Verdict = tcp::FastOpenCookies::Verdict;
  FastOpenAnswer answer;
  if (!owner.config->fast_open || !syn.options.fast_open) return answer;
  const IpAddress& client = tuple.remote.address;
  const wire::TcpFastOpenCookie& cookie = *syn.options.fast_open;
  const Verdict verdict = fast_open_cookies_.check(cookie, client, now_);
  if (verdict != Verdict::Current) answer.reply = fast_open_cookies_.make(client, now_);
  if (cookie.length == 0) return answer;  // a request
  // Over the limit the handshake is an ordinary one; the cookie stays good for a quieter time.
  answer.is_accepted = verdict != Verdict::Invalid &&
                       connections_.size() < config_.maximum_connections &&
                       owner.fast_opens.take(config_.fast_open_pending, now_);
  if (!answer.is_accepted) ++counters_.tcp_fast_opens_refused;
  return answer;
}

std::optional<wire::TcpFastOpenCookie> Engine::offer_fast_open(const tcp::FourTuple& tuple,
                                                               const tcp::Segment& syn,
                                                               const Listener& owner) const {
  if (!owner.config->fast_open || !syn.options.fast_open) return std::nullopt;
  return fast_open_cookies_.make(tuple.remote.address, now_);
}

void Engine::open_fast(const tcp::FourTuple& tuple, const tcp::Segment& syn, ListenerId id,
                       const FastOpenAnswer& answer) {
  tcp::SynReceivedRecord record = record_of(tuple, syn, id);
  record.sent_at = now_;
  trace_move(TcpState::Listen, TcpState::SynReceived);
  HostedConnection& connection = create_accepted(tuple, id);
  connection.fast_open_listener = id;
  tcp::Segment arrived = syn;
  connection.tcp.open_fast(record.promote(), arrived, answer.reply, now_);
  settle(connection);
}

void Engine::settle_fast_open(HostedConnection& connection) {
  const bool is_over = connection.tcp.state() == TcpState::Closed;
  if (!connection.tcp.is_syn_acked() && !is_over) return;
  // The listener may be gone.
  if (Listener* const owner = listener(connection.fast_open_listener)) {
    if (connection.tcp.was_reset()) {
      owner->fast_opens.release_after_reset(now_);
    } else {
      owner->fast_opens.release();
    }
  }
  connection.fast_open_listener = {};
}

}  // namespace runnel::core
