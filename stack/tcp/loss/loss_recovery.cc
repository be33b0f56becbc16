#include "stack/tcp/loss/loss_recovery.h"

#include <algorithm>
#include <utility>

namespace runnel::tcp {

namespace {

using Fate = SentRange::Fate;

RecoveryPhase phase_of(DupackRecovery::Phase phase) noexcept {
  switch (phase) {
    case DupackRecovery::Phase::Open:
      return RecoveryPhase::Open;
    case DupackRecovery::Phase::FastRecovery:
      return RecoveryPhase::Recovery;
    case DupackRecovery::Phase::Timeout:
      break;
  }
  return RecoveryPhase::Timeout;
}

// What the ACK reports as received twice: the first block, when it lies before the acknowledgment
// number of the same segment or within the second block (RFC 2883 section 4).
std::optional<SeqRange> duplicate_report(const wire::SackBlocks& sack, SeqNum ack) noexcept {
  if (sack.empty()) return std::nullopt;
  const wire::SackBlock& first = sack.blocks[0];
  if (first.right <= first.left) return std::nullopt;
  const bool is_below = first.right <= ack;
  const bool is_inside =
      sack.count > 1 && sack.blocks[1].left <= first.left && first.right <= sack.blocks[1].right;
  if (!is_below && !is_inside) return std::nullopt;
  return SeqRange{first.left, first.right};
}

// The blocks by their place in the stream, except for the first `kept`. A peer names the one that
// came last first, but that is no reordering when the others are news too: ACKs get lost.
wire::SackBlocks ascending(const wire::SackBlocks& sack, std::uint8_t kept, SeqNum una) noexcept {
  wire::SackBlocks sorted = sack;
  std::sort(sorted.blocks.begin() + kept, sorted.blocks.begin() + sorted.count,
            [una](const wire::SackBlock& a, const wire::SackBlock& b) {
              return distance(una, a.left) < distance(una, b.left);
            });
  return sorted;
}

// A block grows at its ends while it is reported again and again: of one that was reported before,
// only the ends are looked at. They overlap it by more than any segment, lest one that was reported
// in part be passed over.
constexpr std::uint32_t kReportedOverlap = 1U << 16U;

}  // namespace

// --- Transmissions -------------------------------------------------------------------------------

bool LossRecovery::on_transmit(const SeqRange& range, std::uint16_t segment_octets,
                               Instant now) noexcept {
  const std::uint32_t in_flight_before =
      board_.empty() ? 0 : in_flight(board_[0].range.begin, range.begin);
  const DeliverySnapshot delivery = rate_.on_transmit(in_flight_before, range.octets(), now);
  if (!board_.on_transmit(range, segment_octets, now, delivery)) return false;
  if (phase_ == RecoveryPhase::Recovery) prr_.on_transmit(range.octets());
  return true;
}

void LossRecovery::on_retransmit(const SeqRange& range, std::uint16_t segment_octets,
                                 Instant now) noexcept {
  must_retransmit_ = false;
  const std::uint32_t in_flight_before =
      board_.empty() ? 0 : in_flight(board_[0].range.begin, board_.back().range.end);
  const DeliverySnapshot delivery = rate_.on_transmit(in_flight_before, range.octets(), now);
  if (!uses_sack_) dupack_.on_retransmit(range.end);
  board_.on_retransmit(range, segment_octets, now, delivery);
  if (uses_sack_) rack_.on_retransmit(range, now);
  audit_.on_retransmit(range, now);
  if (phase_ == RecoveryPhase::Recovery) prr_.on_transmit(range.octets());
}

void LossRecovery::on_flight_sent(SeqNum una, SeqNum nxt) noexcept {
  const std::uint64_t outstanding = distance(una, nxt);
  const bool is_quiet = uses_sack_ ? board_.sacked_octets() == 0 : !dupack_.has_duplicates();
  // Limited transmit only adds to it; but a sender with nothing more to send has less in flight.
  flight_sent_ = is_quiet ? outstanding : std::min(flight_sent_, outstanding);
}

void LossRecovery::send_all_again(SeqNum una, SeqNum nxt, std::uint16_t segment_octets) noexcept {
  mtu_probe_.reset();
  forgiven_probe_.reset();
  forward_rto_.stop();
  if (!uses_sack_) {
    dupack_.on_timeout(una, nxt);
    phase_ = RecoveryPhase::Timeout;
    return;
  }
  for (std::size_t i = 0; i < board_.count(); ++i) {
    const bool is_dropped =
        board_[i].fate == Fate::InFlight && board_[i].segment_octets > segment_octets;
    if (is_dropped) board_.set_fate(i, Fate::Lost);
  }
  must_retransmit_ = board_.lost_octets() > 0;
}

// --- Acknowledgments -----------------------------------------------------------------------------

AckFindings LossRecovery::on_ack(const Ack& ack) noexcept {
  AckFindings findings;
  board_.clear_newly_lost();
  findings.in_flight_before_octets = in_flight(ack.una, ack.nxt);
  update_scoreboard(ack, findings);
  if (is_spurious(ack, findings)) {
    findings.is_spurious = !forgiven_probe_;  // there is no response to take back
    forgiven_probe_.reset();
    if (phase_ != RecoveryPhase::Timeout) rack_.on_spurious_recovery();
    take_back(max(ack.una, ack.ack));
  }
  if (uses_sack_) {
    detect_by_rack(ack, findings);
  } else {
    detect_by_duplicates(ack, findings);
  }
  rate_.on_lost(findings.newly_lost_octets);
  rate_.take_sample(rack_.minimum_rtt(), findings.rate);
  // What a retransmission set free had no SACK to tell that it had arrived long before.
  if (findings.rate && findings.delivers_retransmission && !uses_sack_) findings.rate->rtt.reset();
  return findings;
}

base::OptionalDuration LossRecovery::on_fin_acknowledged(SeqNum ack, Instant now) noexcept {
  base::OptionalDuration rtt;
  board_.acknowledge(ack, [&](const SentRange& fin) {
    if (!fin.is_retransmitted) rtt = now - fin.sent_at;
  });
  return rtt;
}

void LossRecovery::update_scoreboard(const Ack& ack, AckFindings& findings) noexcept {
  const std::uint32_t sacked_before = board_.sacked_octets();
  if (ack.una < ack.ack) {
    findings.newly_acked_octets = distance(ack.una, ack.ack);
    board_.acknowledge(ack.ack, [&](const SentRange& sent) {
      note_delivered(sent, ack, ack.echoed_before, findings);
    });
  }
  if (uses_sack_ && ack.sack != nullptr && !ack.sack->empty()) apply_sack_blocks(ack, findings);
  // What a retransmission set free may have arrived long before it (Karn's rule).
  if (findings.delivers_retransmission) findings.rtt_sample.reset();
  if (sacked_before == 0 && board_.sacked_octets() > 0) nxt_at_first_sack_ = ack.nxt;
  findings.delivered_octets = static_cast<std::int64_t>(findings.newly_acked_octets) +
                              board_.sacked_octets() - sacked_before;
}

void LossRecovery::apply_sack_blocks(const Ack& ack, AckFindings& findings) noexcept {
  findings.dsack = duplicate_report(*ack.sack, ack.ack);
  if (findings.dsack) rack_.on_duplicate_report(max(ack.una, ack.ack), ack.nxt);

  const SeqNum una = max(ack.una, ack.ack);
  const auto apply = [&](SeqNum left, SeqNum right) {
    if (right <= left) return;
    board_.sack({left, right}, [&](const SentRange& sent) {
      findings.newly_sacked_octets += sent.octets();
      // DEVIATES: 8985-6.2-2-UPDATE. The echo of a SACK is not looked at: an ACK for something out
      // of order echoes what came before the gap (RFC 7323 section 4.3), so that no retransmission
      // that was SACKed would ever count. Linux does not look either.
      note_delivered(sent, ack, std::nullopt, findings);
    });
  };
  const std::uint8_t first = findings.dsack ? 1 : 0;
  const wire::SackBlocks sorted = ascending(*ack.sack, first, una);
  for (std::uint8_t i = first; i < sorted.count; ++i) {
    const wire::SackBlock& block = sorted.blocks[i];
    if (block.right <= block.left || ack.nxt < block.right) {
      ++findings.bad_sack_blocks;
      continue;
    }
    if (block.right <= una) continue;  // acknowledged meanwhile: the ACK was overtaken
    const SeqNum left = max(block.left, una);
    const wire::SackBlock* known = nullptr;
    for (std::uint8_t k = 0; k < previous_sack_.count; ++k) {
      const wire::SackBlock& before = previous_sack_.blocks[k];
      if (left <= before.left && before.right <= block.right) known = &before;
    }
    if (known == nullptr || distance(known->left, known->right) <= 2 * kReportedOverlap) {
      apply(left, block.right);
    } else {
      apply(left, known->left + kReportedOverlap);
      apply(known->right - kReportedOverlap, block.right);
    }
  }
  previous_sack_ = sorted;
  if (findings.dsack) previous_sack_.blocks[0] = {una, una};
}

void LossRecovery::note_delivered(const SentRange& sent, const Ack& ack,
                                  base::OptionalInstant echoed_before,
                                  AckFindings& findings) noexcept {
  if (sent.is_retransmitted) {
    findings.delivers_retransmission = true;
  } else if (!findings.rtt_sample) {
    findings.rtt_sample = ack.now - sent.sent_at;
  }
  rate_.on_delivered(sent, ack.now);
  if (!uses_sack_) return;
  const bool echoes_older = echoed_before && *echoed_before <= sent.sent_at;
  rack_.on_delivered(sent, echoes_older, ack.now);
  if (!sent.is_retransmitted && sent.range.end <= recover_) findings.delivers_original = true;
}

// --- Was it a loss at all? -----------------------------------------------------------------------

bool LossRecovery::is_spurious(const Ack& ack, const AckFindings& findings) noexcept {
  if (!may_undo_) return false;
  if (findings.dsack && audit_.is_spurious_by_dsack(*findings.dsack)) return true;
  if (phase_ == RecoveryPhase::Open) return false;
  if (audit_.is_spurious_by_echo(ack.ack, ack.echoed_before)) return true;
  if (phase_ != RecoveryPhase::Timeout) return false;

  ForwardRto::Evidence evidence;
  evidence.advances = findings.newly_acked_octets > 0;
  evidence.reaches_recover = recover_ <= ack.ack;
  evidence.delivers_original = findings.delivers_original;
  evidence.is_duplicate = !uses_sack_ && ack.is_duplicate;
  evidence.sacks_new_data = findings.newly_sacked_octets > 0;
  evidence.has_sent_new_data = recover_ < ack.nxt;
  const bool has_waited = forward_rto_.wants_new_data();
  const ForwardRto::Verdict verdict = forward_rto_.on_ack(evidence);
  // The new segments have taken up the window that the retransmissions need now: the first of them
  // goes all the same, three segments in all (RFC 5682 section 2.1, step 3a).
  if (verdict == ForwardRto::Verdict::Genuine && has_waited) {
    must_retransmit_ = board_.lost_octets() > 0;
    dupack_.force_retransmission();
  }
  return verdict == ForwardRto::Verdict::Spurious;
}

void LossRecovery::take_back(SeqNum una) noexcept {
  phase_ = RecoveryPhase::Open;
  must_retransmit_ = false;
  forward_rto_.stop();
  audit_.end();
  if (!uses_sack_) {
    dupack_.take_back(una);
    return;
  }
  for (std::size_t i = 0; i < board_.count(); ++i) {
    if (board_[i].fate == Fate::Lost) board_.set_fate(i, Fate::InFlight);
  }
  rack_.look_at_all_again();
}

// --- What is lost --------------------------------------------------------------------------------

void LossRecovery::detect_by_rack(const Ack& ack, AckFindings& findings) noexcept {
  if (phase_ != RecoveryPhase::Open && recover_ <= ack.ack) {
    phase_ = RecoveryPhase::Open;
    must_retransmit_ = false;
    forward_rto_.stop();
    rack_.on_recovered();
    findings.has_recovered = true;
  }
  const bool is_plain_duplicate = ack.says_nothing && (ack.sack == nullptr || ack.sack->empty());
  if (tail_loss_.on_ack(ack.ack, findings.dsack, is_plain_duplicate) &&
      phase_ == RecoveryPhase::Open) {
    findings.has_probe_repaired = true;
    findings.flight_octets = findings.in_flight_before_octets;
  }

  const bool in_recovery = phase_ != RecoveryPhase::Open;
  const Rack::Losses losses =
      rack_.detect(board_, in_recovery, ack.srtt.value_or(kForever), ack.now);
  const bool is_probe_alone = is_mtu_probe_lost_alone(findings);
  findings.newly_lost_octets = losses.lost_octets;
  findings.look_again = losses.look_again;
  findings.is_lost_retransmission = losses.retransmission_lost;
  // New data of the last recovery that were lost too begin another.
  const bool goes_on = findings.has_recovered && board_.lost_octets() > 0;
  if (losses.lost_octets == 0 && !goes_on) return;
  if (is_probe_alone) {
    board_.clear_newly_lost();  // says nothing about congestion
    findings.newly_lost_octets = 0;
    must_retransmit_ = true;
    return;
  }
  // The loss of a retransmission is a second sign of congestion (RFC 5681 section 4.3).
  const bool is_lost_again = phase_ == RecoveryPhase::Recovery && losses.retransmission_lost &&
                             losses.last_retransmission_lost >= reduced_at_;
  if (phase_ == RecoveryPhase::Open) {
    findings.flight_octets = flight_size(outstanding_at_first_sack(ack.una, ack.nxt));
    begin_recovery(max(ack.una, ack.ack), ack.nxt, ack.now);
  } else if (is_lost_again) {
    findings.flight_octets = findings.in_flight_before_octets;
    recover_ = ack.nxt;
    reduced_at_ = ack.now;
  } else {
    return;
  }
  findings.loss_began = true;
  recover_flight_ = distance(max(ack.una, ack.ack), ack.nxt) - board_.sacked_octets() +
                    findings.newly_sacked_octets + findings.newly_acked_octets;
}

void LossRecovery::detect_by_duplicates(const Ack& ack, AckFindings& findings) noexcept {
  using Finding = DupackRecovery::Finding;
  Finding finding = Finding::Nothing;
  if (findings.newly_acked_octets > 0) {
    finding = dupack_.on_new_ack(ack.ack, static_cast<std::uint32_t>(findings.newly_acked_octets),
                                 ack.smss_octets);
  } else if (ack.is_duplicate) {
    finding = dupack_.on_duplicate_ack(ack.una, ack.nxt, ack.smss_octets);
  }
  switch (finding) {
    case Finding::Nothing:
      break;
    case Finding::Loss:
      findings.loss_began = !forgives_mtu_probe(ack.una, findings);
      findings.newly_lost_octets = ack.smss_octets;
      findings.flight_octets = flight_size(dupack_.flight_before_duplicates(ack.una));
      begin_recovery(ack.una, ack.nxt, ack.now);
      break;
    case Finding::PartialAck:
      findings.keeps_timer = !dupack_.is_first_partial_ack();
      if (forgiven_probe_ && forgiven_probe_->end <= ack.ack) {  // more than the probe was lost
        forgiven_probe_.reset();
        findings.loss_began = true;
        findings.flight_octets = findings.in_flight_before_octets;
      }
      break;
    case Finding::Recovered:
      findings.has_recovered = true;
      forward_rto_.stop();
      break;
  }
  phase_ = phase_of(dupack_.phase());
}

// --- Probes of the path's MTU --------------------------------------------------------------------

bool LossRecovery::is_mtu_probe_lost_alone(AckFindings& findings) noexcept {
  if (!mtu_probe_) return false;
  const std::size_t i = board_.first_reaching(mtu_probe_->begin);
  if (i == board_.count() || board_[i].range.begin != mtu_probe_->begin ||
      board_[i].fate == Fate::Sacked) {
    mtu_probe_.reset();  // it has arrived
    return false;
  }
  if (board_[i].fate != Fate::Lost) return false;
  findings.is_mtu_probe_lost = true;
  findings.is_mtu_probe_lost_alone =
      phase_ == RecoveryPhase::Open && board_.lost_octets() == board_[i].octets();
  mtu_probe_.reset();
  return findings.is_mtu_probe_lost_alone;
}

bool LossRecovery::forgives_mtu_probe(SeqNum una, AckFindings& findings) noexcept {
  forgiven_probe_.reset();
  if (!mtu_probe_ || mtu_probe_->begin != una) return false;
  forgiven_probe_ = std::exchange(mtu_probe_, std::nullopt);
  findings.is_mtu_probe_lost = findings.is_mtu_probe_lost_alone = true;
  return true;
}

void LossRecovery::begin_recovery(SeqNum una, SeqNum nxt, Instant now) noexcept {
  phase_ = RecoveryPhase::Recovery;
  recover_ = nxt;
  reduced_at_ = now;
  flight_sent_ = 0;
  tail_loss_.cancel();
  audit_.begin(una);
}

std::uint64_t LossRecovery::outstanding_at_first_sack(SeqNum una, SeqNum nxt) const noexcept {
  if (board_.sacked_octets() == 0 || nxt_at_first_sack_ <= una) return distance(una, nxt);
  return distance(una, min(nxt, nxt_at_first_sack_));
}

void LossRecovery::regulate(const AckFindings& findings, std::uint64_t ssthresh_octets,
                            std::uint32_t smss_octets) noexcept {
  if (!uses_sack_ || phase_ != RecoveryPhase::Recovery) return;
  if (findings.loss_began) prr_.begin(ssthresh_octets, recover_flight_);
  const bool is_safe = findings.newly_acked_octets > 0 && findings.newly_lost_octets == 0;
  prr_.on_ack(findings.delivered_octets, board_.in_flight_octets(), is_safe, smss_octets);
}

void LossRecovery::restart_regulation(std::uint64_t ssthresh_octets) noexcept {
  if (!uses_sack_ || phase_ != RecoveryPhase::Recovery) return;
  prr_.begin(ssthresh_octets, board_.in_flight_octets());
}

// --- Timers --------------------------------------------------------------------------------------

std::uint64_t LossRecovery::on_timeout(SeqNum una, SeqNum nxt, Instant now) noexcept {
  // A timeout while the last one is being repaired says nothing about the first transmissions, and
  // with SACK nor does one while anything is (RFC 5682 section 3.1).
  const bool is_first =
      uses_sack_ ? phase_ == RecoveryPhase::Open : phase_ != RecoveryPhase::Timeout;
  if (is_first && may_undo_) {
    forward_rto_.on_timeout();
  } else {
    forward_rto_.stop();
  }
  board_.clear_newly_lost();
  phase_ = RecoveryPhase::Timeout;
  recover_ = nxt;
  reduced_at_ = now;
  flight_sent_ = 0;
  tail_loss_.cancel();
  audit_.begin(una);
  previous_sack_ = {};
  mtu_probe_.reset();
  forgiven_probe_.reset();
  if (!uses_sack_) {
    dupack_.on_timeout(una, nxt);
    rate_.on_lost(distance(una, nxt));
    return distance(una, nxt);
  }
  // What is SACKed at SND.UNA and yet not acknowledged was thrown away by the peer, and whatever
  // else it had SACKed may be too (RFC 2018 section 8).
  if (!board_.empty() && board_[0].fate == Fate::Sacked) {
    board_.forget_sacks();
    ++reneges_;
  }
  must_retransmit_ = true;
  const std::uint32_t lost = rack_.mark_on_timeout(board_, now);
  rate_.on_lost(lost);
  return lost;
}

AckFindings LossRecovery::on_reordering_timeout(SeqNum una, SeqNum nxt, base::OptionalDuration srtt,
                                                Instant now) noexcept {
  AckFindings findings;
  board_.clear_newly_lost();
  findings.in_flight_before_octets = in_flight(una, nxt);
  Ack silence;  // as an ACK that says nothing
  silence.now = now;
  silence.una = silence.ack = una;
  silence.nxt = nxt;
  silence.srtt = srtt;
  detect_by_rack(silence, findings);
  rate_.on_lost(findings.newly_lost_octets);
  return findings;
}

bool LossRecovery::wants_tail_loss_probe() const noexcept {
  return uses_sack_ && phase_ == RecoveryPhase::Open && board_.sacked_octets() == 0 &&
         board_.lost_octets() == 0 && !board_.empty() && tail_loss_.may_probe();
}

Duration LossRecovery::tail_loss_timeout(base::OptionalDuration srtt) const noexcept {
  const bool is_single_segment = board_.count() == 1 && board_[0].segments() == 1;
  return TailLossProbe::timeout(srtt, is_single_segment);
}

}  // namespace runnel::tcp
