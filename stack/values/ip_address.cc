#include "runnel/ip_address.h"

#include <algorithm>
#include <charconv>
#include <cstddef>

namespace runnel {
namespace {

// Takes a decimal number without sign or leading zeros, at most `max`, off the front of `text`.
std::optional<std::uint32_t> take_number(std::string_view& text, std::uint32_t max) noexcept {
  std::uint32_t value = 0;
  std::size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') {
    value = value * 10 + static_cast<std::uint32_t>(text[digits] - '0');
    if (value > max) return std::nullopt;
    ++digits;
  }
  if (digits == 0 || (digits > 1 && text.front() == '0')) return std::nullopt;
  text.remove_prefix(digits);
  return value;
}

bool take(std::string_view& text, char expected) noexcept {
  if (text.empty() || text.front() != expected) return false;
  text.remove_prefix(1);
  return true;
}

std::uint16_t group(const std::array<std::uint8_t, 16>& octets, std::size_t index) noexcept {
  return static_cast<std::uint16_t>((octets[2 * index] << 8U) | octets[2 * index + 1]);
}

// The longest run of two or more zero groups: what "::" stands for (RFC 5952 section 4.2).
struct ZeroRun {
  std::size_t begin = 8;
  std::size_t length = 0;
};

ZeroRun longest_zero_run(const std::array<std::uint8_t, 16>& octets) noexcept {
  ZeroRun longest;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    if (group(octets, i) != 0) {
      begin = i + 1;
    } else if (i + 1 - begin >= 2 && i + 1 - begin > longest.length) {
      longest = {begin, i + 1 - begin};
    }
  }
  return longest;
}

std::string v6_to_string(const std::array<std::uint8_t, 16>& octets) {
  const ZeroRun zeros = longest_zero_run(octets);
  std::string text;
  for (std::size_t i = 0; i < 8; ++i) {
    if (i == zeros.begin) {
      text += "::";
      i += zeros.length - 1;
      continue;
    }
    if (!text.empty() && text.back() != ':') text += ':';
    std::array<char, 4> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + 4, group(octets, i), 16);
    text.append(digits.data(), static_cast<std::size_t>(end.ptr - digits.data()));
  }
  return text;
}

}  // namespace

std::optional<IpAddress> IpAddress::parse_v4(std::string_view text) noexcept {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) {
    if (i > 0 && !take(text, '.')) return std::nullopt;
    const auto octet = take_number(text, 255);
    if (!octet) return std::nullopt;
    value = (value << 8U) | *octet;
  }
  if (!text.empty()) return std::nullopt;
  return from_v4(value);
}

bool IpAddress::is_unspecified() const noexcept {
  if (is_v4()) return v4_value() == 0;
  return *this == from_v6({});
}

bool IpAddress::is_loopback() const noexcept {
  if (is_v4()) return v4_value() >> 24U == 127;
  return *this == from_v6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
}

std::string IpAddress::to_string() const {
  const auto octets = this->octets();
  if (is_v6()) return v6_to_string(octets);
  std::string text;
  for (std::size_t i = 12; i < 16; ++i) {
    if (i > 12) text += '.';
    text += std::to_string(octets[i]);
  }
  return text;
}

std::optional<IpPrefix> IpPrefix::parse_v4(std::string_view text) noexcept {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto address = IpAddress::parse_v4(text.substr(0, slash));
  text.remove_prefix(slash + 1);
  const auto length = take_number(text, 32);
  if (!address || !length || !text.empty()) return std::nullopt;
  return IpPrefix{*address, static_cast<std::uint8_t>(*length)};
}

std::uint32_t IpPrefix::v4_mask() const noexcept {
  if (length == 0) return 0;  // shifting by 32 is undefined
  return length >= 32 ? 0xffffffffU : 0xffffffffU << (32U - length);
}

IpAddress IpPrefix::network() const noexcept {
  return IpAddress::from_v4(address.v4_value() & v4_mask());
}

std::optional<IpAddress> IpPrefix::directed_broadcast() const noexcept {
  if (length >= 31) return std::nullopt;
  return IpAddress::from_v4(address.v4_value() | ~v4_mask());
}

bool IpPrefix::contains(const IpAddress& other) const noexcept {
  return other.is_v4() && ((other.v4_value() ^ address.v4_value()) & v4_mask()) == 0;
}

std::optional<IpAddress> IpPrefix::first_other_host() const noexcept {
  if (length >= 32) return std::nullopt;
  // Both addresses of a /31 are hosts (RFC 3021); elsewhere the lowest is the network itself.
  const std::uint32_t lowest = network().v4_value() + (length == 31 ? 0U : 1U);
  return IpAddress::from_v4(lowest == address.v4_value() ? lowest + 1 : lowest);
}

std::string IpPrefix::to_string() const {
  return address.to_string() + "/" + std::to_string(length);
}

}  // namespace runnel
