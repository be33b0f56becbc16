#include "stack/tcp/fast_open.h"

#include <algorithm>

#include "stack/base/byte_order.h"
#include "stack/tcp/handshake.h"

namespace runnel::tcp {

namespace {

std::int64_t epoch_at(Instant now) noexcept {
  return now.time_since_epoch() / FastOpenCookies::kRotationInterval;
}

}  // namespace

// --- Server: cookies -----------------------------------------------------------------------------

wire::TcpFastOpenCookie FastOpenCookies::make_for_epoch(const IpAddress& client,
                                                        std::int64_t epoch) const noexcept {
  std::array<std::uint8_t, 24> covered{};
  std::copy(client.octets().begin(), client.octets().end(), covered.begin());
  base::store_be<std::uint64_t>(covered, 16, static_cast<std::uint64_t>(epoch));
  wire::TcpFastOpenCookie cookie;
  cookie.length = kCookieOctets;
  base::store_be<std::uint64_t>(cookie.octets, 0, base::siphash_2_4(key_, covered));
  return cookie;
}

wire::TcpFastOpenCookie FastOpenCookies::make(const IpAddress& client, Instant now) const noexcept {
  return make_for_epoch(client, epoch_at(now));
}

FastOpenCookies::Verdict FastOpenCookies::check(const wire::TcpFastOpenCookie& cookie,
                                                const IpAddress& client,
                                                Instant now) const noexcept {
  const std::int64_t epoch = epoch_at(now);
  if (cookie == make_for_epoch(client, epoch)) return Verdict::Current;
  if (cookie == make_for_epoch(client, epoch - 1)) return Verdict::Previous;
  return Verdict::Invalid;
}

// --- Server: how many ----------------------------------------------------------------------------

bool FastOpenQuota::take(std::size_t limit, Instant now) {
  while (!penalties_.empty() && penalties_.front() <= now) {
    penalties_.pop_front();
    --pending_;
  }
  if (pending_ >= limit) return false;
  ++pending_;
  return true;
}

// --- Client --------------------------------------------------------------------------------------

void FastOpenClient::begin(const PathEstimate& known) noexcept {
  is_wanted_ = known.fast_open_works.value_or(true);
  losses_ = known.fast_open_losses.value_or(0);
  if (known.fast_open_cookie) cookie_ = *known.fast_open_cookie;
  peer_mss_octets_ = known.peer_mss_octets.value_or(kDefaultMssOctets);
  if (known.path_mtu_octets) {
    peer_mss_octets_ = std::min(peer_mss_octets_, offered_mss(*known.path_mtu_octets));
  }
}

std::optional<wire::TcpFastOpenCookie> FastOpenClient::option() const noexcept {
  if (!is_wanted_ || is_option_sent_ || has_timed_out_) return std::nullopt;
  return cookie_;
}

std::uint32_t FastOpenClient::text_limit(std::uint16_t offered_mss_octets,
                                         std::size_t option_octets) const noexcept {
  if (!option() || cookie_.length == 0) return 0;
  const std::size_t most = std::min(peer_mss_octets_, offered_mss_octets);
  return static_cast<std::uint32_t>(most - std::min(most, option_octets));
}

void FastOpenClient::syn_sent(std::uint32_t text_octets) noexcept {
  is_option_sent_ = true;
  text_octets_ = text_octets;
}

// The failure is remembered at once: connections that open before this one gets its answer should
// not run into the same firewall. The answer may take it back.
void FastOpenClient::syn_timed_out() noexcept {
  if (has_timed_out_) return;
  has_timed_out_ = true;
  unanswered();
}

void FastOpenClient::unanswered() noexcept {
  if (!is_option_sent_) return;
  works_ = false;
  has_lesson_ = true;
}

void FastOpenClient::syn_acknowledged(const wire::TcpOptions& options,
                                      std::uint32_t acked_octets) noexcept {
  if (!is_option_sent_) return;
  peer_mss_octets_ = options.maximum_segment_size.value_or(kDefaultMssOctets);
  has_new_cookie_ = options.fast_open && options.fast_open->length > 0;
  if (has_new_cookie_) cookie_ = *options.fast_open;
  has_answer_ = has_lesson_ = true;
  if (acked_octets > 0 || has_new_cookie_) {
    works_ = true;
    losses_ = 0;
  } else if (has_timed_out_) {
    losses_ = static_cast<std::uint8_t>(std::min<unsigned>(losses_ + 1U, kLossesInARow));
    works_ = losses_ < kLossesInARow;
  } else if (text_octets_ > 0) {
    works_ = false;  // neither took the data nor said which cookie it wants
  }
}

std::optional<PathEstimate> FastOpenClient::take_lesson() noexcept {
  if (!has_lesson_) return std::nullopt;
  has_lesson_ = false;
  PathEstimate lesson;
  lesson.fast_open_works = works_;
  if (has_new_cookie_) lesson.fast_open_cookie = cookie_;
  if (has_answer_) {
    lesson.peer_mss_octets = peer_mss_octets_;
    lesson.fast_open_losses = losses_;
  }
  return lesson;
}

}  // namespace runnel::tcp
