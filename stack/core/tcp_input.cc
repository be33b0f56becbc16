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
  const tcp::FourTuple tuple{{destination, view->destination_port()},
                             {source, view->source_port()}};
  const std::uint64_t hash = arrival.demux_hash ? *arrival.demux_hash : demux_.hash(tuple);
  demux_.prefetch(hash);  // which comes while the segment is read
  tcp::Segment seg = tcp::Segment::from(*view);
  if (seg.options.is_malformed) counters_.drop(DropReason::TcpBadOption);
  seg.block = arrival.block;
  seg.ecn = Ecn{arrival.packet.ecn()};
  seg.segment_count = segment_count(arrival.meta, seg.text.size());
  counters_.tcp_in_segs += seg.segment_count;

  const DemuxHandle handle = look_up(tuple, hash);
  if (handle.kind != Kind::Connection) last_hashed_ = {tuple, hash};
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
      segment_arrives_unknown(arrival, tuple, seg);
      return;
  }
}

void Engine::segment_arrives_for_connection(std::uint32_t index, tcp::Segment& seg) {
  HostedConnection* const connection = try_awake(index);
  if (connection == nullptr) return;
  connection->tcp.segment_arrives(seg, now_);
  settle(*connection);
}

// LISTEN, or CLOSED.
void Engine::segment_arrives_unknown(const Arrival& arrival, const tcp::FourTuple& tuple,
                                     tcp::Segment& seg) {
  const ListenerId id = listener_for(tuple.local);
  const bool expects = id.is_set() && expects_cookies(*listener(id));
  const bool may_open = seg.flags.syn ? !seg.flags.ack : seg.flags.ack && expects;
  if ((!id.is_set() || seg.flags.rst || !may_open) && keep_stray(arrival)) return;
  if (!id.is_set()) {
    counters_.drop(DropReason::TcpNoConnection);
    answer_with_reset(tuple, seg);
    return;
  }
  switch (tcp::segment_arrives_listen(seg, expects, counters_)) {
    case tcp::ListenAction::Drop:
      return;
    case tcp::ListenAction::Reset:
      answer_with_reset(tuple, seg);
      return;
    case tcp::ListenAction::CheckCookie:
      cookie_arrives(arrival, tuple, seg, id);
      return;
    case tcp::ListenAction::Answer:
      syn_arrives(tuple, seg, id);
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
  send(tuple, *reset, tcp::IpFields::of(config_.tcp));
}

void Engine::segment_arrives_half_open(std::uint32_t index, tcp::Segment& seg) {
  HalfOpen& half_open = half_open_.at(index);
  const tcp::SynReceivedRecord record = expand(half_open);
  const TcpConfig& config = *listeners_.at(half_open.listener).config;
  const auto fields = tcp::IpFields::of(config);
  switch (tcp::segment_arrives_syn_received(record, config, seg, counters_, now_)) {
    case tcp::SynReceivedAction::Drop:
      return;
    case tcp::SynReceivedAction::ResendSynAck:
      if (!half_open.ecn.syn_again(tcp::ecn_bits(seg.flags), seg.ecn)) {
        // It asks for another kind of ECN than before (RFC 9768 section 3.1.5).
        answer_with_reset(record.tuple, seg);
        ++counters_.tcp_attempt_fails;
        forget_half_open(index, TcpState::Listen);
        return;
      }
      half_open.is_answer_ambiguous = true;  // which of the two will have been answered?
      send(record.tuple, expand(half_open).syn_ack(config, environment_.link, now_), fields);
      return;
    case tcp::SynReceivedAction::Acknowledge:
      send(record.tuple, record.bare_ack(config, now_), fields);
      return;
    case tcp::SynReceivedAction::Reset:
      send(record.tuple, record.reset_at(seg.ack, now_), fields);
      return;
    case tcp::SynReceivedAction::ReturnToListen:
      ++counters_.tcp_attempt_fails;
      forget_half_open(index, TcpState::Listen);
      return;
    case tcp::SynReceivedAction::Establish:
      establish(index, record, seg);
      return;
  }
}

void Engine::segment_arrives_time_wait(std::uint32_t index, tcp::Segment& seg) {
  Waiting& waiting = time_wait_.at(index);
  tcp::TimeWaitRecord record = expand(waiting);
  switch (tcp::segment_arrives_time_wait(record, seg, counters_, now_)) {
    case tcp::TimeWaitAction::Drop:
      return;
    case tcp::TimeWaitAction::AcknowledgeAndRestart:
      // The FIN's last transmission has the last timestamp of the old connection (RFC 6191).
      if (seg.options.timestamps && waiting.has_timestamps) {
        record.timestamps.on_acceptable(seg.seq, *seg.options.timestamps, now_);
        waiting.ts_recent = record.timestamps.recent();
      }
      dequeue_time_wait(index);
      waiting.until = now_ + record.time_wait;
      enqueue_time_wait(index, record.time_wait);
      send(record.tuple, record.bare_ack(now_), record.ip_fields);
      return;
    case tcp::TimeWaitAction::Acknowledge:
      send(record.tuple, record.bare_ack(now_), record.ip_fields);
      return;
    case tcp::TimeWaitAction::Delete:
      end_time_wait(index, TcpState::Closed);
      return;
    case tcp::TimeWaitAction::Reopen:
      reopen_time_wait(index, seg);
      return;
  }
}

// A SYN takes over the pair of endpoints, and gives it back if it comes to nothing. That needs a
// record: where there is no room for one the peer may try again later, because a cookie could
// neither return to TIME-WAIT nor begin behind the old connection.
void Engine::reopen_time_wait(std::uint32_t index, const tcp::Segment& syn) {
  const tcp::TimeWaitRecord old = expand(time_wait_.at(index));
  const ListenerId id = listener_for(old.tuple.local);
  if (!id.is_set()) {
    counters_.drop(DropReason::TcpTimeWait);
    return;
  }
  Listener& owner = *listener(id);
  if (owner.accept_queue.size() >= owner.backlog || !make_room_for_half_open(owner)) {
    counters_.drop(DropReason::TcpBacklogFull);
    return;
  }
  const Instant until = time_wait_.at(index).until;
  end_time_wait(index, TcpState::Listen);
  // RFC 9293 section 3.6.1, MAY-2: the new connection begins behind the old one.
  tcp::SynReceivedRecord record = record_of(old.tuple, syn, id);
  if (record.iss <= old.snd_nxt) record.iss = old.snd_nxt + 1;
  const std::uint32_t half_open = create_half_open(record, offer_fast_open(old.tuple, syn, owner));
  half_open_.at(half_open).has_suspended = true;
  suspended_.emplace(half_open, SuspendedTimeWait{old, until});
}

}  // namespace runnel::core
