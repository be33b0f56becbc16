// One segment, from its sequence number to the octets of its header: options, text, window. RFC
// 9293 sections 3.1 and 3.7.
#include <algorithm>
#include <cassert>

#include "stack/tcp/connection.h"
#include "stack/tcp/handshake.h"
#include "stack/tcp/header_writer.h"

namespace runnel::tcp {

namespace {

constexpr std::uint8_t kKeepaliveOctet = 0;

}  // namespace

// --- What fits -----------------------------------------------------------------------------------

std::uint32_t Connection::text_limit() const noexcept {
  return smss_ - user_timeout_option_octets() -
         static_cast<std::uint32_t>(wire::sack_option_octets(sack_block_count()) +
                                    acc_ecn_octets());
}

// Data carry the user timeout option until a segment with it was acknowledged.
std::uint32_t Connection::user_timeout_option_octets() const noexcept {
  return user_timeout_.is_to_be_announced(snd_.una) ? UserTimeout::kOptionOctets : 0;
}

// On a path of a tiny MTU text comes first.
std::size_t Connection::extra_option_space() const noexcept {
  const std::size_t taken =
      (timestamps_.is_agreed() ? Timestamps::kOptionOctets : 0U) + user_timeout_option_octets();
  return std::min<std::size_t>(wire::kTcpMaxOptionOctets - taken, smss_ / 2U);
}

// As many as the option space holds.
std::size_t Connection::sack_block_count() const noexcept {
  if (!is_sack_permitted_ || !sack_reporter_.has_blocks(out_of_order_)) return 0;
  const std::size_t space = extra_option_space() - acc_ecn_octets();
  return sack_reporter_.block_count(out_of_order_, wire::sack_blocks_in(space));
}

// --- Writing it ----------------------------------------------------------------------------------

std::uint32_t Connection::emit(TxFrame& frame, SeqNum seq, wire::TcpFlags flags,
                               std::uint32_t text_octets, Instant now) {
  wire::TcpHeader header = header_for(tuple_);
  header.seq = seq;
  header.flags = flags;
  return emit(frame, header, text_octets, now);
}

std::uint32_t Connection::emit(TxFrame& frame, wire::TcpHeader& header, std::uint32_t text_octets,
                               Instant now) {
  frame.clear();
  const SeqNum seq = header.seq;
  const SeqNum text_seq = header.flags.syn ? seq + 1 : seq;
  const std::uint32_t limit = header.flags.syn ? kMaxUnscaledWindow : text_limit();
  add_options(header, now);
  if (text_octets > 0) add_text(frame, header, text_seq, text_octets, limit);

  const auto text = static_cast<std::uint32_t>(frame.payload_octets());
  const bool is_pure_ack = text == 0 && !header.flags.fin && header.options.sack.empty();
  if (header.flags.ack && !header.flags.syn) add_ecn_bits(header.flags, is_pure_ack);
  urgent_sender_.acknowledged(snd_.una);
  urgent_sender_.announce(header);
  if (header.flags.ack) header.ack = rcv_.nxt;
  header.window = header.flags.syn ? announce_syn_window() : announce_window();
  write_tcp_header(frame, tuple_, header, environment_.link.checksum_offload);

  const SeqNum text_end = text_seq + text;
  if (text > limit) frame.meta.gso_size_octets = static_cast<std::uint16_t>(limit);
  if (text > 0) {
    const std::size_t headers = kIpv4HeaderOctets + frame.size() - text;
    path_mtu_.on_sent(seq, text_end, static_cast<std::uint16_t>(headers + std::min(text, limit)));
  } else if (header.flags.syn) {
    path_mtu_.on_sent(seq, text_end, 0);
  }
  if (header.flags.ack) acknowledgment_sent(header, is_pure_ack);
  environment_.counters.tcp_out_segs += text > limit ? (text + limit - 1) / limit : 1U;
  if (header.options.user_timeout && text > 0) user_timeout_.announced(text_end);
  return text + (header.flags.syn ? 1U : 0U) + (header.flags.fin ? 1U : 0U);
}

// What every segment carries beside what its caller wants to say.
void Connection::add_options(wire::TcpHeader& header, Instant now) {
  wire::TcpOptions& options = header.options;
  const wire::TcpFlags& flags = header.flags;
  if (timestamps_.is_agreed()) options.timestamps = timestamps_.option(flags.ack, now);
  if (flags.syn) trim_acc_ecn(options);
  if (flags.syn || !flags.ack) return;
  const std::size_t blocks = sack_block_count();
  if (ecn_.feedback() == EcnFeedback::Accurate) options.acc_ecn = acc_ecn_option();
  if (blocks == 0) return;
  if (sack_reporter_.has_duplicate()) ++environment_.counters.tcp_dsacks_sent;
  options.sack = sack_reporter_.take_blocks(out_of_order_, blocks, {rcv_.nxt, received_offset_});
}

// Text from `seq` on, of which each segment takes `limit` octets.
void Connection::add_text(TxFrame& frame, wire::TcpHeader& header, SeqNum seq, std::uint32_t octets,
                          std::uint32_t limit) {
  if (seq < data_una()) {
    frame.append({&kKeepaliveOctet, 1});  // acknowledged long ago, and not kept
    return;
  }
  if (user_timeout_option_octets() > 0) header.options.user_timeout = user_timeout_.option();
  std::size_t got = send_queue_.gather(offset_of(seq), octets, frame);
  assert(got > 0);
  if (got == octets) return;
  // A frame holds only so many slices. FIN and PSH belong to the last octet.
  header.flags.fin = header.flags.psh = false;
  if (got > limit && got % limit != 0) {
    frame.clear();
    got = send_queue_.gather(offset_of(seq), got - got % limit, frame);
  }
}

// Every segment acknowledges.
void Connection::acknowledgment_sent(const wire::TcpHeader& header, bool is_pure_ack) noexcept {
  ack_now_ = false;
  timestamps_.on_ack_sent(rcv_.nxt);
  delayed_ack_.acknowledged();
  timers_.cancel(TimerKind::DelayedAck);
  if (!header.flags.syn) ecn_.ack_sent(header.options.acc_ecn.has_value(), is_pure_ack);
}

}  // namespace runnel::tcp
