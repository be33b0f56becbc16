// From a SYN for a listener to a connection that waits for accept(): records of half-open
// connections, SYN cookies in their place, and what gives way under a flood (RFC 4987).
#include "stack/core/engine.h"
#include "stack/tcp/handshake.h"
#include "stack/tcp/reset.h"

namespace runnel::core {

// --- The SYN -------------------------------------------------------------------------------------

void Engine::syn_arrives(const tcp::FourTuple& tuple, const tcp::Segment& syn, ListenerId id) {
  Listener& owner = *listener(id);
  if (owner.accept_queue.size() >= owner.backlog) {
    counters_.drop(DropReason::TcpBacklogFull);
    return;
  }
  const FastOpenAnswer fast_open = judge_fast_open(tuple, syn, owner);
  if (fast_open.is_accepted) {
    open_fast(tuple, syn, id, fast_open);
    return;
  }
  if (config_.syn_cookies == SynCookies::Always || !make_room_for_half_open(owner)) {
    answer_with_cookie(tuple, syn, id);
    return;
  }
  tcp::SynReceivedRecord record = record_of(tuple, syn, id);
  record.window = first_window(record);
  create_half_open(record, fast_open.reply);
}

// Less than the record has where many connections are opened at once: see WindowShare. Two segments
// at least, because senders that avoid silly windows take half of the largest window that they have
// seen for a segment; and what a place of the link's queue holds, which is a segment, or where the
// link takes super-packets, what the peer may begin with. Whole segments, because what is left over
// would be a packet too.
std::uint16_t Engine::first_window(const tcp::SynReceivedRecord& record) noexcept {
  const tcp::LinkLimits& link = environment_.link;
  const std::size_t segment = tcp::less_options(tcp::offered_mss(link.receive_mtu_octets),
                                                record.timestamps.option_octets());
  const std::size_t least =
      segment * (link.segmentation_offload ? config_.tcp.initial_window_segments : 2U);
  const std::size_t share =
      std::max(environment_.window_share.octets_to_begin_with(half_open_.size(), now_), least);
  if (share >= record.window) return record.window;
  return static_cast<std::uint16_t>(share - share % segment);
}

tcp::SynReceivedRecord Engine::record_of(const tcp::FourTuple& tuple, const tcp::Segment& syn,
                                         ListenerId id) const {
  const TcpConfig& config = *find(id)->config;
  const tcp::TupleSecrets secrets = secrets_.of(tuple);
  auto record = tcp::SynReceivedRecord::from_syn(tuple, syn, secrets.isn(now_), id, config);
  record.agree_on_timestamps(syn, config, secrets.timestamp_offset, now_);
  return record;
}

std::uint32_t Engine::create_half_open(
    const tcp::SynReceivedRecord& record,
    const std::optional<wire::TcpFastOpenCookie>& fast_open_reply) {
  Listener& owner = *listener(record.listener);
  const std::uint16_t local_address = addresses_.index_of(record.tuple.local.address);
  const std::uint32_t index = half_open_.create([&](void* storage, std::uint32_t i) {
    new (storage) HalfOpen(i, record, local_address, now_);
  });
  ++owner.half_open_count;
  owner.half_open_by_age.push_back(half_open_, index);
  watch_pressure(owner);
  demux_.insert(hash_of(record.tuple), {Kind::SynReceived, index});
  wheel_.arm(half_open_.at(index).timer, now_ + record.timeout(*owner.config));
  trace_move(TcpState::Listen, TcpState::SynReceived);
  wire::TcpHeader syn_ack = record.syn_ack(*owner.config, environment_.link, now_);
  syn_ack.options.fast_open = fast_open_reply;
  tcp::trim_acc_ecn(syn_ack.options);
  if (!syn_ack.options.fits()) syn_ack.options.fast_open.reset();
  send(record.tuple, syn_ack, tcp::IpFields::of(*owner.config));
  return index;
}

// The SYN,ACK of a record that nobody keeps.
void Engine::answer_with_cookie(const tcp::FourTuple& tuple, const tcp::Segment& syn,
                                ListenerId id) {
  Listener& owner = *listener(id);
  owner.cookie_sent_at = now_;
  ++counters_.tcp_syn_cookies_sent;
  send(tuple, cookies_.syn_ack(record_of(tuple, syn, id), *owner.config, environment_.link, now_),
       tcp::IpFields::of(*owner.config));
}

// --- The handshake's last ACK --------------------------------------------------------------------

bool Engine::expects_cookies(const Listener& owner) const noexcept {
  if (config_.syn_cookies == SynCookies::Always) return true;
  return owner.cookie_sent_at && now_ - *owner.cookie_sent_at <= tcp::SynCookieGenerator::kValidity;
}

void Engine::cookie_arrives(const Arrival& arrival, const tcp::FourTuple& tuple, tcp::Segment& ack,
                            ListenerId id) {
  const Listener& owner = *listener(id);
  const auto record =
      cookies_.restore(tuple, ack, id, *owner.config, secrets_.of(tuple).timestamp_offset, now_);
  if (!record) {
    if (keep_stray(arrival)) return;
    counters_.drop(DropReason::TcpBadCookie);
    answer_with_reset(tuple, ack);
    return;
  }
  if (!may_establish(owner)) return;  // as for a record: what the peer sends next may find room
  ++counters_.tcp_syn_cookies_accepted;
  trace_move(TcpState::Listen, TcpState::SynReceived);
  open_passive(create_accepted(tuple, id), *record, ack);
}

// The record becomes a connection.
void Engine::establish(std::uint32_t index, const tcp::SynReceivedRecord& record,
                       tcp::Segment& seg) {
  if (!may_establish(*listener(record.listener))) return;  // no RST: the SYN,ACK goes out again
  HostedConnection& connection =
      create_accepted(record.tuple, record.listener, {Kind::SynReceived, index});
  forget_half_open(index, TcpState::SynReceived);
  open_passive(connection, record, seg);
}

bool Engine::may_establish(const Listener& owner) {
  if (owner.accept_queue.size() >= owner.backlog) {
    counters_.drop(DropReason::TcpAcceptQueueFull);
    return false;
  }
  if (connections_.size() >= config_.maximum_connections) {
    counters_.drop(DropReason::TcpConnectionsFull);
    return false;
  }
  return true;
}

void Engine::open_passive(HostedConnection& connection, const tcp::SynReceivedRecord& record,
                          tcp::Segment& seg) {
  connection.tcp.open_passive(record.promote(), now_);
  connection.tcp.segment_arrives(seg, now_);
  settle(connection);
}

HostedConnection& Engine::create_accepted(const tcp::FourTuple& tuple, ListenerId id,
                                          DemuxHandle record) {
  Listener& owner = *listener(id);
  HostedConnection& connection = *create_connection(tuple, owner.config, record);
  connection.is_accepted = false;
  connection.tcp.begin_with(destinations_.find(tuple.remote.address, now_), now_);
  owner.accept_queue.push_back(connection.tcp.id());
  ++counters_.tcp_passive_opens;
  if (!owner.is_incoming_reported) {
    owner.is_incoming_reported = true;
    events_.push_back({EventKind::Incoming, {}, id, {}});
  }
  return connection;
}

// --- Too many half-open connections --------------------------------------------------------------

bool Engine::make_room_for_half_open(Listener& owner) {
  if (owner.half_open_count < owner.backlog) return true;
  if (config_.syn_cookies != SynCookies::Never) return false;
  shed_oldest_half_open(owner);
  return true;
}

void Engine::shed_oldest_half_open(Listener& owner) {
  counters_.drop(DropReason::TcpHalfOpenShed);
  ++counters_.tcp_attempt_fails;
  forget_half_open(owner.half_open_by_age.front(), TcpState::Closed);
}

void Engine::watch_pressure(Listener& owner) {
  if (!owner.is_under_pressure()) {
    wheel_.cancel(owner.pressure_timer);
    owner.pressure_timer.deadline = kNever;
    return;
  }
  const HalfOpen& oldest = half_open_.at(owner.half_open_by_age.front());
  wheel_.arm(owner.pressure_timer, oldest.since + config_.syn_received_under_pressure);
}

}  // namespace runnel::core
