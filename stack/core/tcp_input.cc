// From a TCP segment to whom it concerns: a connection, a half-open one, TIME-WAIT, a listener, or
// nobody (RFC 9293 section 3.10.7).
#include <algorithm>

#include "stack/core/engine.h"
#include "stack/tcp/reset.h"

namespace runnel::core {

namespace {

// How many segments of the peer's a super-packet stands for.
std::uint32_t segment_count(const PacketMeta& meta, std::size_t text_octets) {
  if (meta.gso_size_octets == 0 || text_octets == 0) return 1;
  return static_cast<std::uint32_t>((text_octets + meta.gso_size_octets - 1) /
                                    meta.gso_size_octets);
}

}  // namespace

void Engine::tcp_arrives(const Arrival& arrival) {
  if (arrival.destination != ip::DestinationClass::Local) {  // RFC 9293 section 3.9.2.3, MUST-57
    counters_.drop(DropReason::TcpBadAddress);
    return;
  }
  const Bytes octets = arrival.packet.payload();
  const auto view = wire::TcpView::parse(octets);
  if (!view) {
    counters_.drop(octets.size() < wire::kTcpMinHeaderOctets ? DropReason::TcpTruncated
                                                             : DropReason::TcpBadDataOffset);
    return;
  }
  const IpAddress source = arrival.packet.source();
  const IpAddress destination = arrival.packet.destination();
  if (arrival.meta.checksum != ChecksumStatus::Verified &&
      !view->has_valid_checksum(source, destination)) {
    counters_.drop(DropReason::TcpBadChecksum);
    return;
  }
  tcp::Segment seg = tcp::Segment::from(*view);
  if (seg.options.is_malformed) counters_.drop(DropReason::TcpBadOption);
  seg.block = arrival.block;
  seg.segment_count = segment_count(arrival.meta, seg.text.size());
  counters_.tcp_in_segs += seg.segment_count;

  const tcp::FourTuple tuple{{destination, view->destination_port()},
                             {source, view->source_port()}};
  const DemuxHandle handle = look_up(tuple);
  switch (handle.kind) {
    case Kind::Connection:
      segment_arrives_for_connection(handle.index, seg);
      return;
    case Kind::SynReceived:
      segment_arrives_half_open(handle.index, seg);
      return;
    case Kind::TimeWait:
      segment_arrives_time_wait(handle.index, seg);
      return;
    case Kind::None:
      segment_arrives_unknown(tuple, seg);
      return;
  }
}

void Engine::segment_arrives_for_connection(std::uint32_t index, tcp::Segment& seg) {
  HostedConnection& connection = connections_.at(index);
  connection.tcp.segment_arrives(seg, now_);
  settle(connection);
}

// LISTEN, or CLOSED.
void Engine::segment_arrives_unknown(const tcp::FourTuple& tuple, const tcp::Segment& seg) {
  const ListenerId id = listener_for(tuple.local);
  if (!id.is_set()) {
    counters_.drop(DropReason::TcpNoConnection);
    answer_with_reset(tuple, seg);
    return;
  }
  switch (tcp::segment_arrives_listen(seg, counters_)) {
    case tcp::ListenAction::Drop:
      return;
    case tcp::ListenAction::Reset:
      answer_with_reset(tuple, seg);
      return;
    case tcp::ListenAction::Answer:
      answer_syn(tuple, seg, id, std::nullopt);
      return;
  }
}

void Engine::answer_with_reset(const tcp::FourTuple& tuple, const tcp::Segment& seg) {
  const auto reset = tcp::reset_answering(tuple, seg);
  if (!reset) return;
  if (!resets_.allow(now_)) {
    counters_.drop(DropReason::TcpResetRateLimited);
    return;
  }
  send(tuple, *reset);
}

void Engine::answer_syn(const tcp::FourTuple& tuple, const tcp::Segment& seg, ListenerId id,
                        std::optional<wire::SeqNum> beyond) {
  Listener& owner = *listener(id);
  if (owner.half_open_count >= owner.backlog || owner.accept_queue.size() >= owner.backlog) {
    counters_.drop(DropReason::TcpBacklogFull);
    return;
  }
  wire::SeqNum iss = isn_.generate(tuple, now_);
  // A new connection of a pair in TIME-WAIT starts behind the old one (RFC 9293, MAY-2).
  if (beyond && iss <= *beyond) iss = *beyond + 1;
  const auto record =
      tcp::SynReceivedRecord::from_syn(tuple, seg, iss, id, *owner.config, environment_.link);
  const auto key = half_open_.create(
      [&](void* storage, const auto& k) { new (storage) HalfOpen(k.index, record); });
  HalfOpen& half_open = half_open_.at(key.index);
  ++owner.half_open_count;
  demux_.insert(demux_.hash(tuple), {Kind::SynReceived, key.index});
  half_open.record.sent_at = now_;
  wheel_.arm(half_open.timer, now_ + record.timeout(*owner.config));
  trace_move(TcpState::Listen, TcpState::SynReceived);
  send(tuple, record.syn_ack(*owner.config, environment_.link));
}

void Engine::segment_arrives_half_open(std::uint32_t index, tcp::Segment& seg) {
  HalfOpen& half_open = half_open_.at(index);
  const tcp::SynReceivedRecord& record = half_open.record;
  const TcpConfig& config = *listener(record.listener)->config;
  switch (tcp::segment_arrives_syn_received(record, config, seg, counters_)) {
    case tcp::SynReceivedAction::Drop:
      return;
    case tcp::SynReceivedAction::ResendSynAck:
      send(record.tuple, record.syn_ack(config, environment_.link));
      return;
    case tcp::SynReceivedAction::Acknowledge:
      send(record.tuple, record.bare_ack(config));
      return;
    case tcp::SynReceivedAction::Reset:
      send(record.tuple, tcp::reset_at(record.tuple, seg.ack));
      return;
    case tcp::SynReceivedAction::ReturnToListen:
      ++counters_.tcp_attempt_fails;
      forget_half_open(index, TcpState::Listen);
      return;
    case tcp::SynReceivedAction::Establish:
      establish(index, seg);
      return;
  }
}

// The handshake's last ACK: the record becomes a connection, which processes the segment anew.
void Engine::establish(std::uint32_t index, tcp::Segment& seg) {
  const tcp::SynReceivedRecord record = half_open_.at(index).record;
  Listener& owner = *listener(record.listener);
  if (owner.accept_queue.size() >= owner.backlog) {
    // No RST: the SYN,ACK goes out again, and by then there may be room.
    counters_.drop(DropReason::TcpAcceptQueueFull);
    return;
  }
  if (connections_.size() >= config_.maximum_connections) {
    counters_.drop(DropReason::TcpConnectionsFull);
    return;
  }
  forget_half_open(index, TcpState::SynReceived);
  HostedConnection* const connection = create_connection(record.tuple, owner.config);
  connection->held_events = std::make_unique<std::vector<Event>>();
  connection->tcp.open_passive(record.promote(*owner.config), now_);
  owner.accept_queue.push_back(connection->tcp.id());
  ++counters_.tcp_passive_opens;
  if (!owner.is_incoming_reported) {
    owner.is_incoming_reported = true;
    events_.push_back({EventKind::Incoming, {}, record.listener, {}});
  }
  connection->tcp.segment_arrives(seg, now_);
  settle(*connection);
}

void Engine::segment_arrives_time_wait(std::uint32_t index, tcp::Segment& seg) {
  Waiting& waiting = time_wait_.at(index);
  const tcp::TimeWaitRecord record = waiting.record;
  switch (tcp::segment_arrives_time_wait(record, seg, counters_)) {
    case tcp::TimeWaitAction::Drop:
      return;
    case tcp::TimeWaitAction::AcknowledgeAndRestart:
      wheel_.arm(waiting.timer, now_ + config_.tcp.time_wait);
      send(record.tuple, record.bare_ack());
      return;
    case tcp::TimeWaitAction::Acknowledge:
      send(record.tuple, record.bare_ack());
      return;
    case tcp::TimeWaitAction::Delete:
      end_time_wait(index, TcpState::Closed);
      return;
    case tcp::TimeWaitAction::Reopen: {
      const ListenerId id = listener_for(record.tuple.local);
      if (!id.is_set()) {
        counters_.drop(DropReason::TcpTimeWait);
        return;
      }
      end_time_wait(index, TcpState::Listen);
      answer_syn(record.tuple, seg, id, record.snd_nxt);
      return;
    }
  }
}

}  // namespace runnel::core
