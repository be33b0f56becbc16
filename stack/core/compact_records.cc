#include "stack/core/compact_records.h"

#include "stack/core/engine.h"

namespace runnel::core {

// --- SYN-RECEIVED --------------------------------------------------------------------------------

HalfOpen::HalfOpen(std::uint32_t index, const tcp::SynReceivedRecord& from,
                   std::uint16_t local_address, Instant now) noexcept
    : timer(TimerOwner::SynReceived, index),
      since(now),
      at(from.tuple, local_address),
      peer_window(from.peer_window),
      listener(from.listener.index),
      iss(from.iss),
      irs(from.irs),
      peer_mss_octets(from.peer_mss_octets),
      window(from.window),
      peer_scale(from.peer_scale),
      ecn(from.ecn),
      is_sack_permitted(from.is_sack_permitted),
      has_timestamps(from.timestamps.is_agreed()) {
  if (has_timestamps) ts_recent = from.timestamps.recent();
}

tcp::SynReceivedRecord HalfOpen::expand(const tcp::FourTuple& tuple, ListenerId owner,
                                        std::uint32_t timestamp_offset) const noexcept {
  tcp::SynReceivedRecord record;
  record.tuple = tuple;
  record.listener = owner;
  record.iss = iss;
  record.irs = irs;
  record.sent_at = is_answer_ambiguous ? kNever : since;
  record.peer_window = peer_window;
  record.peer_mss_octets = peer_mss_octets;
  record.window = window;
  record.peer_scale = peer_scale;
  record.retransmissions = retransmissions;
  record.is_sack_permitted = is_sack_permitted;
  record.ecn = ecn;
  if (has_timestamps) {
    record.timestamps = tcp::Timestamps(timestamp_offset);
    record.timestamps.agree(ts_recent, irs + 1, since);
  }
  return record;
}

tcp::SynReceivedRecord Engine::expand(const HalfOpen& half_open) const noexcept {
  const tcp::FourTuple tuple = expand(half_open.at);
  const ListenerId owner{half_open.listener, listeners_.key_at(half_open.listener).generation};
  return half_open.expand(tuple, owner, secrets_.of(tuple).timestamp_offset);
}

// --- TIME-WAIT -----------------------------------------------------------------------------------

Waiting::Waiting(const tcp::TimeWaitRecord& from, std::uint16_t local_address,
                 Instant ends) noexcept
    : at(from.tuple, local_address),
      rcv_scale(from.rcv_scale),
      ttl(from.ip_fields.ttl),
      snd_nxt(from.snd_nxt),
      rcv_nxt(from.rcv_nxt),
      rcv_wnd(from.rcv_wnd),
      until(ends),
      dscp(from.ip_fields.dscp),
      ecn_bits(from.ecn_bits & 7U),
      ignores_reset(from.ignores_reset),
      has_timestamps(from.timestamps.is_agreed()),
      handshake_ecn(from.ip_fields.handshake_ecn) {
  if (has_timestamps) ts_recent = from.timestamps.recent();
}

// TS.Recent was confirmed when TIME-WAIT began or later. Everything up to RCV.NXT is acknowledged.
tcp::TimeWaitRecord Waiting::expand(const tcp::FourTuple& tuple, Duration time_wait,
                                    std::uint32_t timestamp_offset) const noexcept {
  tcp::TimeWaitRecord record;
  record.tuple = tuple;
  record.snd_nxt = snd_nxt;
  record.rcv_nxt = rcv_nxt;
  record.rcv_wnd = rcv_wnd;
  record.rcv_scale = rcv_scale;
  record.ecn_bits = ecn_bits;
  record.ignores_reset = ignores_reset;
  record.ip_fields = {ttl, dscp, handshake_ecn};
  record.time_wait = time_wait;
  if (has_timestamps) {
    record.timestamps = tcp::Timestamps(timestamp_offset);
    record.timestamps.agree(ts_recent, rcv_nxt, until - time_wait);
  }
  return record;
}

tcp::TimeWaitRecord Engine::expand(const Waiting& waiting) const noexcept {
  const tcp::FourTuple tuple = expand(waiting.at);
  return waiting.expand(tuple, time_wait_queues_.at(waiting.queue).duration,
                        secrets_.of(tuple).timestamp_offset);
}

// --- Four-tuples ---------------------------------------------------------------------------------

tcp::FourTuple Engine::expand(const CompactTuple& compact) const noexcept {
  return {{addresses_.prefixes()[compact.local_address].address, compact.local_port},
          {compact.remote, compact.remote_port}};
}

bool Engine::is_at(DemuxHandle handle, const tcp::FourTuple& tuple) const noexcept {
  switch (handle.kind) {
    case Kind::SynReceived:
      return half_open_.at(handle.index).at.is(tuple, addresses_.index_of(tuple.local.address));
    case Kind::TimeWait:
      return time_wait_.at(handle.index).at.is(tuple, addresses_.index_of(tuple.local.address));
    case Kind::None:
    case Kind::Connection:
      break;
  }
  return connections_.at(handle.index).tuple == tuple;
}

}  // namespace runnel::core
