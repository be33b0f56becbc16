#include "stack/tcp/loss/spurious_recovery.h"

#include <algorithm>

namespace runnel::tcp {

ForwardRto::Verdict ForwardRto::on_ack(const Evidence& ack) noexcept {
  if (step_ == Step::Off) return Verdict::Open;
  if (ack.delivers_original) return decide(Verdict::Spurious);
  if (ack.reaches_recover) return decide(Verdict::Genuine);  // nothing is left to be decided
  if (step_ == Step::First) {
    if (ack.advances) {
      step_ = Step::Second;
    } else if (ack.is_duplicate) {
      return decide(Verdict::Genuine);
    }
    return Verdict::Open;
  }
  if (ack.advances) return decide(ack.has_sent_new_data ? Verdict::Spurious : Verdict::Genuine);
  if (ack.is_duplicate || ack.sacks_new_data) return decide(Verdict::Genuine);
  return Verdict::Open;
}

void RetransmissionAudit::begin(SeqNum una) noexcept {
  is_active_ = true;
  may_ask_echo_ = false;
  una_ = una;
  first_sent_at_ = Instant{};
  unproven_ = 0;
}

void RetransmissionAudit::on_retransmit(const SeqRange& range, Instant now) noexcept {
  if (!is_active_) return;
  if (unproven_ == 0 && first_sent_at_ == Instant{}) {
    first_sent_at_ = now;
    last_end_ = range.end;
    may_ask_echo_ = true;
  }
  last_end_ = max(last_end_, range.end);
  unproven_ += range.octets();
}

bool RetransmissionAudit::is_spurious_by_echo(SeqNum ack,
                                              base::OptionalInstant echoed_before) noexcept {
  if (!is_active_ || !may_ask_echo_ || ack <= una_) return false;
  if (!echoed_before || *echoed_before > first_sent_at_) {
    may_ask_echo_ = false;  // a retransmission was needed
    return false;
  }
  if (ack < last_end_) return false;
  end();
  return true;
}

bool RetransmissionAudit::is_spurious_by_dsack(const SeqRange& duplicate) noexcept {
  if (!is_active_ || unproven_ == 0 || duplicate.begin < una_) return false;
  unproven_ -= std::min<std::uint64_t>(unproven_, duplicate.octets());
  if (unproven_ > 0) return false;
  end();
  return true;
}

}  // namespace runnel::tcp
