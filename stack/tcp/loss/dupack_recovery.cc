#include "stack/tcp/loss/dupack_recovery.h"

#include <algorithm>

namespace runnel::tcp {

namespace {

constexpr std::uint32_t kDuplicateAckThreshold = 3;  // RFC 5681 section 3.2

}  // namespace

DupackRecovery::Finding DupackRecovery::on_new_ack(SeqNum ack, std::uint32_t acked_octets,
                                                   std::uint32_t smss) noexcept {
  duplicate_acks_ = 0;
  if (lost_.begin < ack) lost_.begin = ack;
  if (lost_.end < lost_.begin) lost_.end = lost_.begin;

  if (phase_ == Phase::Open) {
    departed_octets_ = 0;
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
  departed_octets_ -= std::min(departed_octets_, acked_octets - std::min(acked_octets, smss));
  lost_ = {ack, min(ack + smss, recover_)};
  must_retransmit_ = true;
  return Finding::PartialAck;
}

DupackRecovery::Finding DupackRecovery::on_duplicate_ack(SeqNum una, SeqNum nxt,
                                                         std::uint32_t smss) noexcept {
  ++duplicate_acks_;
  const std::uint32_t outstanding = distance(una, nxt);
  if (phase_ == Phase::Timeout) return Finding::Nothing;
  // No more can have left than was sent, less the segment that is missing: forged duplicates
  // permit nothing beyond that.
  const std::uint32_t most = outstanding - std::min(outstanding, smss);
  departed_octets_ = std::min(departed_octets_ + smss, most);

  if (phase_ == Phase::FastRecovery || duplicate_acks_ != kDuplicateAckThreshold) {
    return Finding::Nothing;
  }
  if (una < recover_) return Finding::Nothing;  // RFC 6582 section 3.2, step 2

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
