#include "stack/tcp/congestion/dctcp.h"

#include <algorithm>

#include "stack/base/mul_div.h"

namespace runnel::tcp {

using base::mul_div;

namespace {

constexpr std::uint32_t kGainDivisor = 16;  // 1 / g, RFC 8257 section 4.2

}  // namespace

void Dctcp::on_ack(const AckEvent& event) {
  count(event);
  reno_.on_ack(event);
}

void Dctcp::on_loss(const LossEvent& event) {
  if (event.cause != LossEvent::Cause::EcnMark) {
    reno_.on_loss(event);
  } else if (event.calls_for_response) {
    const std::uint64_t cwnd = reno_.cwnd_octets();
    reno_.answer_mark_with(cwnd - mul_div(cwnd, alpha_, 2 * kWhole));
  }
}

// RFC 8257 section 3.3, for whatever was delivered, by ACK or by SACK.
void Dctcp::count(const AckEvent& event) noexcept {
  acked_ += event.newly_delivered_octets;
  marked_ += std::min(event.ce_marked_octets, event.newly_delivered_octets);
  if (acked_ == 0 || (window_end_ && event.una <= *window_end_)) return;
  update_alpha();
  window_end_ = event.nxt;
  acked_ = marked_ = 0;
}

// alpha = alpha * (1 - g) + g * M. A sixteenth of what is left of alpha is 0 in integers before
// alpha is; then it goes down by the smallest step (section 4.2).
void Dctcp::update_alpha() noexcept {
  const std::uint32_t decay = std::max(alpha_ / kGainDivisor, alpha_ > 0 ? 1U : 0U);
  const auto share = static_cast<std::uint32_t>(mul_div(marked_, kWhole, acked_));  // M
  alpha_ = std::min(alpha_ - decay + share / kGainDivisor, kWhole);
}

}  // namespace runnel::tcp
