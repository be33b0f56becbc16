#include "stack/tcp/ecn/connection_ecn.h"

#include <utility>

namespace runnel::tcp {

ConnectionEcn::ConnectionEcn(const TcpConfig& config, Counters& counters) noexcept
    : config_(config), counters_(counters), classic_receiver_(uses_dctcp(config)) {}

// --- Handshake -----------------------------------------------------------------------------------

EcnBits ConnectionEcn::syn_bits(unsigned retransmissions) noexcept {
  const EcnBits bits = bits_of_syn(config_, retransmissions);
  if (asked_ == kNoEcnBits) {
    asked_ = bits;
  } else if (bits == kNoEcnBits) {
    if (!std::exchange(has_sent_plain_syn_, true)) ++counters_.tcp_ecn_fallbacks;
  }
  return bits;
}

EcnBits ConnectionEcn::syn_ack_bits(unsigned retransmissions) noexcept {
  const EcnBits bits = handshake_.syn_ack_bits(retransmissions, config_.ecn_syn_attempts);
  if (bits == kNoEcnBits && feedback_ != EcnFeedback::None) stop_ect();
  if (retransmissions > 0) accurate_receiver_.stop_options();
  return bits;
}

void ConnectionEcn::begin_passive(const EcnHandshake& handshake,
                                  unsigned retransmissions) noexcept {
  handshake_ = handshake;
  feedback_ = handshake.feedback;
  awaits_handshake_ack_ = feedback_ == EcnFeedback::Accurate;
  if (awaits_handshake_ack_) (void)syn_ack_bits(retransmissions);
}

void ConnectionEcn::syn_arrived(const Segment& syn) noexcept {
  begin_passive(EcnHandshake::from_syn(ecn_mode_of(config_), ecn_bits(syn.flags), syn.ecn), 0);
}

void ConnectionEcn::syn_ack_arrived(const Segment& syn_ack) noexcept {
  const EcnAnswer answer = read_syn_ack(asked_, ecn_bits(syn_ack.flags));
  feedback_ = answer.feedback;
  // RFC 3168 section 6.1.1: not after a SYN of ours that did not ask. With AccECN it would be safe.
  if (feedback_ == EcnFeedback::Classic && has_sent_plain_syn_) may_send_ect_ = false;
  if (feedback_ != EcnFeedback::Accurate) return;
  const Ecn syn_left_as = handshake_codepoint(config_);
  if (answer.syn_arrived_as && !is_valid_transition(syn_left_as, *answer.syn_arrived_as)) {
    stop_ect();  // section 3.2.2.3
  } else {
    syn_was_marked_ = answer.syn_arrived_as == Ecn::Ce;
  }
  tests_option_ = true;
  if (syn_ack.options.acc_ecn) accurate_sender_.on_first_option(*syn_ack.options.acc_ecn);
  awaits_option_ = false;
  accurate_receiver_.count_octets(syn_ack.ecn, syn_ack.text_octets);
  syn_ack_again(syn_ack);
}

// Each is told about by an ACK of its own.
void ConnectionEcn::syn_ack_again(const Segment& syn_ack) noexcept {
  if (feedback_ != EcnFeedback::Accurate || asked_ != kAccurateSyn) return;
  if (read_syn_ack(asked_, ecn_bits(syn_ack.flags)).feedback != EcnFeedback::Accurate) return;
  syn_ack_arrived_as_ = syn_ack.ecn;
  if (syn_ack.ecn == Ecn::Ce) accurate_receiver_.syn_ack_was_marked();
}

void ConnectionEcn::stop_ect() noexcept {
  if (std::exchange(may_send_ect_, false)) ++counters_.tcp_ecn_fallbacks;
}

// --- Receiving -----------------------------------------------------------------------------------

ConnectionEcn::Advice ConnectionEcn::segment_arrived(const Segment& seg,
                                                     bool is_text_waiting) noexcept {
  if (feedback_ == EcnFeedback::None || seg.came_with_syn) return {};
  const bool is_counted = feedback_ == EcnFeedback::Accurate || seg.text_octets > 0;
  if (is_counted && seg.ecn == Ecn::Ce) {
    marks_received_ += seg.segment_count;
    counters_.tcp_ecn_ce_received += seg.segment_count;
  }
  Advice advice;
  if (feedback_ == EcnFeedback::Accurate) {
    advice.acknowledge_now =
        accurate_receiver_.arrived({seg.ecn, seg.text_octets, seg.segment_count, is_text_waiting});
  } else if (seg.text_octets > 0 || seg.flags.cwr) {
    // A mark on what carries no data is not the peer's to have: it never sends those as ECT.
    const Ecn ecn = seg.text_octets > 0 ? seg.ecn : Ecn::NotEct;
    if (classic_receiver_.is_dctcp() && seg.text_octets == 0) return {};
    advice.acknowledge_now = classic_receiver_.text_arrived(ecn, seg.flags.cwr);
    advice.acknowledge_before = advice.acknowledge_now && is_text_waiting;
  }
  return advice;
}

EcnBits ConnectionEcn::ack_bits(bool is_pure) const noexcept {
  switch (feedback_) {
    case EcnFeedback::None:
      return kNoEcnBits;
    case EcnFeedback::Classic:
      return classic_receiver_.echoes() ? EcnBits{0b001} : kNoEcnBits;
    case EcnFeedback::Accurate:
      if (is_pure && syn_ack_arrived_as_) return handshake_bits(*syn_ack_arrived_as_);
      return accurate_receiver_.ace();
  }
  return kNoEcnBits;
}

std::optional<wire::TcpAccEcn> ConnectionEcn::option(std::size_t space,
                                                     bool is_first_data) const noexcept {
  if (feedback_ != EcnFeedback::Accurate) return std::nullopt;
  const bool tests = owes_handshake_ack() || (tests_option_ && is_first_data);
  return accurate_receiver_.option(space, tests);
}

void ConnectionEcn::ack_sent(bool with_option, bool with_handshake_bits) noexcept {
  accurate_receiver_.ack_sent(with_option);
  if (with_handshake_bits) syn_ack_arrived_as_.reset();
}

// --- Sending -------------------------------------------------------------------------------------

bool ConnectionEcn::sends_ect() const noexcept {
  return feedback_ != EcnFeedback::None && may_send_ect_ && handshake_.may_send_ect;
}

ConnectionEcn::Report ConnectionEcn::on_ack(const Segment& seg, SeqNum una_before, SeqNum una,
                                            std::uint64_t delivered_octets,
                                            std::uint32_t smss_octets) noexcept {
  response_.on_ack(una_before);
  if (feedback_ == EcnFeedback::None || seg.came_with_syn) return {};
  Report report;
  if (feedback_ == EcnFeedback::Classic) {
    if (!seg.flags.ece) return {};
    report = {true, 1, delivered_octets};
  } else if (was_overtaken(seg, una, delivered_octets)) {
    accurate_sender_.on_overtaken(delivered_octets);
    return {};
  } else {
    report = on_accurate_ack(seg, delivered_octets, smss_octets);
  }
  marks_reported_ += report.packets;
  counters_.tcp_ecn_ce_reported += report.packets;
  return report;
}

// An ACK that delivers nothing may be older than one that was read: it is not, when its sequence
// number or its timestamp is beyond all before it.
bool ConnectionEcn::was_overtaken(const Segment& seg, SeqNum una,
                                  std::uint64_t delivered_octets) noexcept {
  const auto& timestamps = seg.options.timestamps;
  const bool is_first = !newest_seq_;
  const bool is_later = newest_seq_ && *newest_seq_ < seg.header_seq;
  const bool is_later_by_clock = timestamps && newest_tsval_ &&
                                 static_cast<std::int32_t>(timestamps->value - *newest_tsval_) > 0;
  const bool is_news =
      seg.ack == una && (delivered_octets > 0 || is_first || is_later || is_later_by_clock);
  if (!is_news) return true;
  if (is_first || is_later) newest_seq_ = seg.header_seq;
  if (timestamps && (!newest_tsval_ || is_later_by_clock)) newest_tsval_ = timestamps->value;
  return false;
}

ConnectionEcn::Report ConnectionEcn::on_accurate_ack(const Segment& seg,
                                                     std::uint64_t delivered_octets,
                                                     std::uint32_t smss_octets) noexcept {
  const EcnBits ace = ecn_bits(seg.flags);
  if (std::exchange(awaits_option_, false) && seg.options.acc_ecn) {
    accurate_sender_.on_first_option(*seg.options.acc_ecn);
  }
  if (std::exchange(awaits_handshake_ack_, false)) {
    const bool is_pure = seg.text_octets == 0 && !seg.flags.fin && seg.options.sack.empty();
    if (is_pure) {
      const EcnHandshakeAck handshake = read_handshake_ack(ace);
      accurate_sender_.on_handshake_ack(handshake);
      if (!handshake.is_usable) stop_ect();
      const Ecn left_as = handshake_codepoint(config_);
      const auto& arrived_as = handshake.syn_ack_arrived_as;
      if (arrived_as && !is_valid_transition(left_as, *arrived_as)) {
        stop_ect();
      }
      return {arrived_as == Ecn::Ce && handshake.is_usable, arrived_as == Ecn::Ce ? 1U : 0U, 0};
    }
  }
  const auto marks =
      accurate_sender_.on_ack({ace, &seg.options.acc_ecn, delivered_octets, smss_octets});
  if (accurate_sender_.is_contradictory() || !accurate_sender_.is_usable()) stop_ect();
  if (!accurate_sender_.is_usable()) return {};
  return {marks.packets > 0, marks.packets, marks.octets};
}

void ConnectionEcn::reduced_for_mark(SeqNum nxt) noexcept {
  response_.on_mark(nxt);
  ++responses_;
  ++counters_.tcp_ecn_responses;
  if (feedback_ == EcnFeedback::Classic) owes_cwr_ = true;
}

void ConnectionEcn::reduced_for_loss(SeqNum nxt) noexcept {
  response_.on_loss(nxt);
  // RFC 3168 section 6.1.1: whoever has sent ECT says it. Others have no peer that waits for it.
  if (feedback_ == EcnFeedback::Classic && sends_ect()) owes_cwr_ = true;
}

}  // namespace runnel::tcp
