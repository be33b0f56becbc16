#include "stack/tcp/user_timeout.h"

#include <algorithm>
#include <chrono>

namespace runnel::tcp {

namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::int64_t kLargestValue = 0x7fff;
constexpr Duration kLeastLowerLimit = seconds(100);  // RFC 5482 section 3.1

}  // namespace

UserTimeout::UserTimeout(const TcpConfig& config) noexcept
    : local_(config.user_timeout),
      default_advertised_(config.user_timeout_advertised),
      advertised_(local_ > Duration{0} ? local_ : default_advertised_),
      lower_limit_(std::max(config.user_timeout_lower_limit, kLeastLowerLimit)),
      upper_limit_(config.user_timeout_upper_limit),
      is_enabled_(config.user_timeout_option) {}

void UserTimeout::set(Duration timeout) noexcept {
  local_ = timeout;
  const Duration advertised = timeout > Duration{0} ? timeout : default_advertised_;
  if (advertised != advertised_) announced_until_.reset();
  advertised_ = advertised;
}

bool UserTimeout::arrives(const wire::TcpUserTimeout& option) noexcept {
  const Duration told = decode(option);
  if (!is_enabled_ || told == Duration{0} || told == remote_) return false;
  remote_ = told;
  return true;
}

Duration UserTimeout::in_force(Duration rto) const noexcept {
  if (local_ > Duration{0}) return local_;
  if (remote_ == Duration{0}) return Duration{0};
  const Duration lower = std::max(lower_limit_, rto + seconds(1));
  // L_LIMIT is the stronger one: a connection must survive a retransmission timeout.
  return std::max(std::min(upper_limit_, std::max(advertised_, remote_)), lower);
}

wire::TcpUserTimeout UserTimeout::encode(Duration timeout) noexcept {
  if (timeout == kForever) return {true, static_cast<std::uint16_t>(kLargestValue)};
  const std::int64_t in_seconds = std::chrono::ceil<seconds>(timeout).count();
  if (in_seconds <= kLargestValue) {
    return {false, static_cast<std::uint16_t>(std::max<std::int64_t>(in_seconds, 1))};
  }
  const std::int64_t in_minutes = std::chrono::ceil<minutes>(timeout).count();
  return {true, static_cast<std::uint16_t>(std::min(in_minutes, kLargestValue))};
}

Duration UserTimeout::decode(const wire::TcpUserTimeout& option) noexcept {
  return option.is_minutes ? Duration(minutes(option.value)) : Duration(seconds(option.value));
}

}  // namespace runnel::tcp
