#include "stack/tcp/loss/dupack_recovery.h"

#include <algorithm>

namespace runnel::tcp {

namespace {

constexpr std::uint32_t kDuplicateAckThreshold = 3;  // RFC 5681 section 3.2

// `recover` follows SND.UNA at this distance, lest it come to lie in front of it by wrapping.
constexpr std::uint32_t kRecoverDistance = 1U << 30U;

}  // namespace

DupackRecovery::Finding DupackRecovery::on_new_ack(SeqNum ack, std::uint32_t acked_octets,
                                                   std::uint32_t smss) noexcept {
  duplicate_acks_ = 0;
  if (lost_.begin < ack) lost_.begin = ack;
  if (lost_.end < lost_.begin) lost_.end = lost_.begin;

  if (phase_ == Phase::Open) {
    departed_octets_ = 0;
    if (recover_ < ack - kRecoverDistance) recover_ = ack - kRecoverDistance;
    return Finding::Nothing;
  }
  if (recover_ <= ack) {
    phase_ = Phase::Open;
    must_retransmit_ = false;
    departed_octets_ = 0;
    lost_ = {ack, ack};
    return Finding::Recovered;
  }
  if (phase_ == Phase::Timeout) return Finding::Nothing;

  // Of what was acknowledged, one segment was the retransmission; the others had left the network
  // before, and their duplicate ACKs were counted then.
  ++partial_acks_;
  departed_octets_ -=
      std::min(departed_octets_, acked_octets >= smss ? acked_octets - smss : acked_octets);
  lost_ = {ack, min(ack + smss, recover_)};
  must_retransmit_ = true;
  return Finding::PartialAck;
}

DupackRecovery::Finding DupackRecovery::on_duplicate_ack(SeqNum una, SeqNum nxt,
                                                         std::uint32_t smss) noexcept {
  if (phase_ == Phase::Timeout) return Finding::Nothing;
  if (duplicate_acks_ == 0) countable_ = nxt;
  ++duplicate_acks_;
  // No more can have left than had been sent when the first duplicate came, less the segment that
  // is missing: forged duplicates permit nothing beyond that, whatever is sent meanwhile.
  const std::uint32_t outstanding = flight_before_duplicates(una);
  const std::uint32_t most = outstanding - std::min(outstanding, smss);
  const bool is_limited_transmit =
      phase_ == Phase::Open && duplicate_acks_ < kDuplicateAckThreshold;
  const bool is_loss = phase_ == Phase::Open && duplicate_acks_ == kDuplicateAckThreshold &&
                       recover_ < una;  // RFC 6582 section 3.2, step 2
  if (is_limited_transmit || is_loss || phase_ == Phase::FastRecovery) {
    departed_octets_ = std::min(departed_octets_ + smss, most);
  }
  if (!is_loss) return Finding::Nothing;

  phase_ = Phase::FastRecovery;
  recover_ = nxt;
  partial_acks_ = 0;
  lost_ = {una, una + std::min(smss, outstanding)};
  must_retransmit_ = true;
  return Finding::Loss;
}

void DupackRecovery::on_timeout(SeqNum una, SeqNum nxt) noexcept {
  phase_ = Phase::Timeout;
  recover_ = nxt;
  duplicate_acks_ = 0;
  departed_octets_ = 0;
  lost_ = {una, nxt};
  must_retransmit_ = true;
}

void DupackRecovery::take_back(SeqNum una) noexcept {
  phase_ = Phase::Open;
  must_retransmit_ = false;
  duplicate_acks_ = 0;
  departed_octets_ = 0;
  lost_ = {una, una};
}

void DupackRecovery::on_retransmit(SeqNum end) noexcept {
  lost_.begin = min(end, lost_.end);
  must_retransmit_ = false;
}

std::uint32_t DupackRecovery::in_flight(SeqNum una, SeqNum nxt) const noexcept {
  const std::uint32_t gone = lost_.octets() + departed_octets_;
  const std::uint32_t outstanding = distance(una, nxt);
  return outstanding - std::min(outstanding, gone);
}

}  // namespace runnel::tcp
