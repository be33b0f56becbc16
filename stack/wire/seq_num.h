// Points in TCP's sequence space.
#pragma once

#include <cstdint>
#include <functional>

namespace runnel::wire {

// A point in sequence space, modulo 2^32 (RFC 9293 section 3.4).
//
// Comparisons are exact only between points less than 2^31 apart, so they are not a strict weak
// ordering: SeqNum must not be the key of an ordered container.
class SeqNum {
 public:
  constexpr SeqNum() noexcept = default;
  explicit constexpr SeqNum(std::uint32_t value) noexcept : value_(value) {}

  [[nodiscard]] constexpr std::uint32_t value() const noexcept { return value_; }

  friend constexpr SeqNum operator+(SeqNum a, std::uint32_t octets) noexcept {
    return SeqNum{a.value_ + octets};
  }
  friend constexpr SeqNum operator-(SeqNum a, std::uint32_t octets) noexcept {
    return SeqNum{a.value_ - octets};
  }
  constexpr SeqNum& operator+=(std::uint32_t octets) noexcept { return *this = *this + octets; }

  // The signed distance from b to a, in octets.
  friend constexpr std::int32_t operator-(SeqNum a, SeqNum b) noexcept {
    return static_cast<std::int32_t>(a.value_ - b.value_);
  }

  friend constexpr bool operator==(SeqNum, SeqNum) noexcept = default;
  friend constexpr bool operator<(SeqNum a, SeqNum b) noexcept { return a - b < 0; }
  friend constexpr bool operator>(SeqNum a, SeqNum b) noexcept { return b < a; }
  friend constexpr bool operator<=(SeqNum a, SeqNum b) noexcept { return a - b <= 0; }
  friend constexpr bool operator>=(SeqNum a, SeqNum b) noexcept { return b <= a; }

 private:
  std::uint32_t value_ = 0;
};

// The octets from `from` to `to`. REQUIRES: from <= to.
[[nodiscard]] constexpr std::uint32_t distance(SeqNum from, SeqNum to) noexcept {
  return to.value() - from.value();
}

[[nodiscard]] constexpr SeqNum max(SeqNum a, SeqNum b) noexcept {
  return a < b ? b : a;
}
[[nodiscard]] constexpr SeqNum min(SeqNum a, SeqNum b) noexcept {
  return a < b ? a : b;
}

}  // namespace runnel::wire

// Deliberately incomplete: std::map<SeqNum, ...> must not compile.
template <>
struct std::less<runnel::wire::SeqNum>;
