#include "stack/tcp/listener.h"

#include <algorithm>

#include "stack/tcp/handshake.h"
#include "stack/tcp/header_writer.h"
#include "stack/tcp/reset.h"

namespace runnel::tcp {

// RFC 9293 section 3.10.7.2: RST, then ACK, then SYN, then everything else.
ListenAction segment_arrives_listen(const Segment& seg, bool expects_cookies,
                                    Counters& counters) noexcept {
  if (seg.flags.rst) {
    counters.drop(DropReason::TcpResetInListen);
    return ListenAction::Drop;
  }
  if (seg.flags.ack) {
    if (expects_cookies && !seg.flags.syn) return ListenAction::CheckCookie;
    counters.drop(DropReason::TcpNoConnection);
    return ListenAction::Reset;
  }
  if (seg.flags.syn) return ListenAction::Answer;
  counters.drop(DropReason::TcpNoSyn);
  return ListenAction::Drop;
}

// Text and FIN that come with the SYN are not kept: they stay unacknowledged and come again.
SynReceivedRecord SynReceivedRecord::from_syn(const FourTuple& tuple, const Segment& syn,
                                              SeqNum iss, ListenerId listener,
                                              const TcpConfig& config) {
  SynReceivedRecord record;
  record.tuple = tuple;
  record.listener = listener;
  record.iss = iss;
  record.irs = syn.seq;
  record.peer_window = syn.window;
  record.window = syn_window(config.receive_buffer_octets);
  record.peer_mss_octets = syn.options.maximum_segment_size.value_or(kDefaultMssOctets);
  if (config.window_scaling && syn.options.window_scale) {
    record.peer_scale = clamped_scale(*syn.options.window_scale);
  }
  record.is_sack_permitted = config.sack && syn.options.sack_permitted;
  record.ecn = EcnHandshake::from_syn(ecn_mode_of(config), ecn_bits(syn.flags), syn.ecn);
  return record;
}

void SynReceivedRecord::agree_on_timestamps(const Segment& syn, const TcpConfig& config,
                                            std::uint32_t timestamp_offset, Instant now) noexcept {
  if (!config.timestamps || !syn.options.timestamps) return;
  timestamps = Timestamps(timestamp_offset);
  timestamps.agree(syn.options.timestamps->value, irs + 1, now);
}

wire::TcpHeader SynReceivedRecord::syn_ack(const TcpConfig& config, const LinkLimits& link,
                                           Instant now) const {
  wire::TcpHeader header = header_for(tuple);
  header.seq = iss;
  header.ack = irs + 1;
  header.flags.syn = true;
  header.flags.ack = true;
  header.window = window;
  header.options.maximum_segment_size = offered_mss(link.receive_mtu_octets);
  if (peer_scale != kNoScale) {
    header.options.window_scale = offered_window_scale(config);
  }
  header.options.sack_permitted = is_sack_permitted;
  if (config.user_timeout_option) header.options.user_timeout = UserTimeout(config).option();
  if (timestamps.is_agreed()) header.options.timestamps = timestamps.option(true, now);
  set_ecn_bits(header.flags, ecn.syn_ack_bits(retransmissions, config.ecn_syn_attempts));
  if (ecn.has_option(retransmissions)) header.options.acc_ecn = initial_acc_ecn();
  trim_acc_ecn(header.options);
  return header;
}

wire::TcpHeader SynReceivedRecord::bare_ack(const TcpConfig& config, Instant now) const {
  wire::TcpHeader header = header_for(tuple);
  header.seq = iss + 1;
  header.ack = irs + 1;
  header.flags.ack = true;
  if (ecn.feedback == EcnFeedback::Accurate) {
    set_ecn_bits(header.flags, AccurateEcnReceiver().ace());
  }
  const std::uint8_t scale =
      peer_scale == kNoScale ? std::uint8_t{0} : offered_window_scale(config);
  header.window = static_cast<std::uint16_t>(window >> scale);
  if (timestamps.is_agreed()) header.options.timestamps = timestamps.option(true, now);
  return header;
}

wire::TcpHeader SynReceivedRecord::reset_at(SeqNum seq, Instant now) const {
  wire::TcpHeader header = tcp::reset_at(tuple, seq);
  if (timestamps.is_agreed()) header.options.timestamps = timestamps.option(false, now);
  return header;
}

Duration SynReceivedRecord::timeout(const TcpConfig& config) const noexcept {
  return std::min(config.rto_initial * (std::int64_t{1} << std::min<unsigned>(retransmissions, 10)),
                  config.rto_maximum);
}

PassiveOpen SynReceivedRecord::promote() const noexcept {
  PassiveOpen open;
  open.iss = iss;
  open.irs = irs;
  open.rcv_edge = irs + 1 + window;
  open.peer_window = peer_window;
  open.peer_mss_octets = peer_mss_octets;
  open.is_sack_permitted = is_sack_permitted;
  open.timestamps = timestamps;
  open.ecn = ecn;
  if (peer_scale != kNoScale) open.peer_scale = peer_scale;
  if (retransmissions == 0 && sent_at != kNever) open.syn_ack_sent_at = sent_at;
  open.syn_ack_retransmissions = retransmissions;
  return open;
}

// The steps of section 3.10.7.4 as far as they differ from a connection's; a segment that
// completes the handshake goes through all of them again there.
SynReceivedAction segment_arrives_syn_received(const SynReceivedRecord& record,
                                               const TcpConfig& config, const Segment& seg,
                                               Counters& counters, Instant now) noexcept {
  const SeqNum rcv_nxt = record.irs + 1;
  const auto drop = [&](DropReason reason, SynReceivedAction action) {
    counters.drop(reason);
    return action;
  };
  // PAWS (RFC 7323 section 5.3)
  if (record.timestamps.is_agreed() && !seg.flags.rst) {
    if (!seg.options.timestamps && !config.accept_missing_timestamps) {
      return drop(DropReason::TcpMissingTimestamp, SynReceivedAction::Drop);
    }
    if (seg.options.timestamps && record.timestamps.is_old(*seg.options.timestamps, now)) {
      return drop(DropReason::TcpPaws, SynReceivedAction::Acknowledge);
    }
  }
  // first
  if (!is_acceptable(seg.seq, seg.len(), rcv_nxt, record.window)) {
    if (seg.flags.rst) return drop(DropReason::TcpResetOutOfWindow, SynReceivedAction::Drop);
    if (seg.flags.syn && !seg.flags.ack && seg.seq == record.irs) {
      return SynReceivedAction::ResendSynAck;
    }
    return drop(DropReason::TcpUnacceptableSequence, SynReceivedAction::Acknowledge);
  }
  // second
  if (seg.flags.rst) {
    if (seg.seq == rcv_nxt) return SynReceivedAction::ReturnToListen;
    return drop(DropReason::TcpResetChallenged, SynReceivedAction::Acknowledge);
  }
  // fourth. A SYN that repeats the first one, with text now, begins left of the window.
  if (seg.flags.syn && seg.seq == record.irs && !seg.flags.ack) {
    return SynReceivedAction::ResendSynAck;
  }
  if (seg.flags.syn && seg.seq != record.irs) {
    return drop(DropReason::TcpSynChallenged, SynReceivedAction::Acknowledge);
  }
  // fifth
  if (!seg.flags.ack) return drop(DropReason::TcpNoAck, SynReceivedAction::Drop);
  if (seg.ack != record.iss + 1) {
    return drop(DropReason::TcpUnacceptableAck, SynReceivedAction::Reset);
  }
  return SynReceivedAction::Establish;
}

}  // namespace runnel::tcp
