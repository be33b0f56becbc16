#include "stack/tcp/congestion/slow_start.h"

#include <algorithm>

namespace runnel::tcp {

namespace {

// One SMSS at most for an ACK. After a timeout a cumulative ACK may cover octets that arrived long
// ago: then as RFC 3465 section 2.2 has it.
bool counts_once(const AckEvent& event) noexcept {
  return event.after_timeout || event.counts_once;
}

}  // namespace

SlowStart::Step SlowStart::on_ack(const AckEvent& event, std::uint64_t smss_octets,
                                  std::uint64_t room_octets) noexcept {
  Step step;
  if (!event.app_limited) {
    step.growth_octets = std::min(growth(event, smss_octets), room_octets);
    if (step.growth_octets == room_octets && !counts_once(event)) {
      step.unused_octets = event.newly_acked_octets - step.growth_octets;
    }
  }
  // A round trip is what it is, whoever limits the sender.
  if (hystart_.on_ack(event.una, event.nxt, event.rtt_sample, event.is_paced)) {
    step.unused_octets = 0;
    step.ends_here = true;
  }
  return step;
}

// DEVIATES: 5681-3.1-SS. The RFC allows one SMSS for each ACK. One ACK here may stand for a
// super-packet of 44 segments, so every acknowledged octet counts, as in Linux, unless configured
// otherwise.
std::uint64_t SlowStart::growth(const AckEvent& event, std::uint64_t smss_octets) const noexcept {
  const std::uint64_t acked = event.newly_acked_octets;
  const std::uint64_t counted = counts_once(event) ? std::min(acked, smss_octets) : acked;
  return hystart_.is_over() ? counted : hystart_.growth(counted, smss_octets, event.is_paced);
}

}  // namespace runnel::tcp
