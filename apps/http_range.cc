#include "apps/http_range.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace runnel::apps {
namespace {

std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Digits only, the whole of `text`. A number beyond 64 bits is read as the largest: it lies behind
// the end of every file either way.
std::optional<std::uint64_t> parse_position(std::string_view text) noexcept {
  if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos) {
    return std::nullopt;
  }
  std::uint64_t value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  return result.ec == std::errc::result_out_of_range ? UINT64_MAX : value;
}

}  // namespace

ByteRange parse_range(std::string_view value, std::uint64_t size_octets) noexcept {
  using Kind = ByteRange::Kind;
  const ByteRange whole{Kind::Whole, 0, size_octets};
  constexpr std::string_view kUnit = "bytes=";
  if (value.substr(0, kUnit.size()) != kUnit) return whole;
  const std::string_view range = trimmed(value.substr(kUnit.size()));
  const std::size_t dash = range.find('-');
  if (dash == std::string_view::npos || range.find(',') != std::string_view::npos) return whole;

  const auto first = parse_position(trimmed(range.substr(0, dash)));
  const std::string_view last_text = trimmed(range.substr(dash + 1));
  const auto last = parse_position(last_text);
  if (!last && !last_text.empty()) return whole;
  if (!first) {  // bytes=-N: the last N octets
    if (!last || dash != 0) return whole;
    const std::uint64_t octets = std::min(*last, size_octets);
    if (octets == 0) return {Kind::Unsatisfiable, 0, 0};
    return {Kind::Part, size_octets - octets, octets};
  }
  if (last && *last < *first) return whole;
  if (*first >= size_octets) return {Kind::Unsatisfiable, 0, 0};
  const std::uint64_t final = std::min(last.value_or(UINT64_MAX), size_octets - 1);
  return {Kind::Part, *first, final - *first + 1};
}

}  // namespace runnel::apps
