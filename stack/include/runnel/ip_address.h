// Addresses and prefixes of either family as plain values.
#pragma once

#include <array>
#include <bit>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace runnel {

// An IPv4 or IPv6 address in 16 octets.
//
// An IPv4 address is kept in its IPv4-mapped form ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2), so
// one type serves both families and comparing never asks for the family.
class IpAddress {
 public:
  // The unspecified IPv4 address, 0.0.0.0.
  constexpr IpAddress() noexcept : IpAddress(0, 0, 0, 0) {}

  constexpr IpAddress(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) noexcept
      : IpAddress(Octets{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d}) {}

  // Makes an IPv4 address from its 32-bit value in host byte order.
  [[nodiscard]] static constexpr IpAddress from_v4(std::uint32_t value) noexcept {
    const std::uint64_t low = kIsLittleEndian ? std::uint64_t{swapped(value)} << 32U : value;
    return IpAddress(std::bit_cast<Octets>(Words{0, kMappedWord | low}));
  }

  [[nodiscard]] static constexpr IpAddress from_v6(
      const std::array<std::uint8_t, 16>& octets) noexcept {
    return IpAddress(octets);
  }

  // Reads a dotted quad such as 192.0.2.2: four decimal numbers without leading zeros.
  [[nodiscard]] static std::optional<IpAddress> parse_v4(std::string_view text) noexcept;

  [[nodiscard]] constexpr bool is_v4() const noexcept {
    constexpr std::uint64_t kMask = kIsLittleEndian ? 0xffff'ffffU : ~std::uint64_t{0xffff'ffffU};
    return words()[0] == 0 && (words()[1] & kMask) == kMappedWord;
  }
  [[nodiscard]] constexpr bool is_v6() const noexcept { return !is_v4(); }

  // The IPv4 address as a number in host byte order. REQUIRES: is_v4().
  [[nodiscard]] constexpr std::uint32_t v4_value() const noexcept {
    return kIsLittleEndian ? swapped(static_cast<std::uint32_t>(words()[1] >> 32U))
                           : static_cast<std::uint32_t>(words()[1]);
  }

  // All 16 octets, IPv4 in mapped form.
  [[nodiscard]] constexpr const std::array<std::uint8_t, 16>& octets() const noexcept {
    return octets_;
  }

  [[nodiscard]] bool is_unspecified() const noexcept;
  [[nodiscard]] bool is_loopback() const noexcept;  // 127.0.0.0/8, ::1
  // 224.0.0.0/4, ff00::/8
  [[nodiscard]] constexpr bool is_multicast() const noexcept {
    return is_v4() ? v4_value() >> 28U == 0xeU : octets_[0] == 0xff;
  }
  // 255.255.255.255
  [[nodiscard]] constexpr bool is_limited_broadcast() const noexcept {
    return is_v4() && v4_value() == 0xffffffffU;
  }
  // 240.0.0.0/4, RFC 1112 section 4
  [[nodiscard]] constexpr bool is_reserved() const noexcept {
    return is_v4() && v4_value() >> 28U == 0xfU;
  }

  [[nodiscard]] std::string to_string() const;

  friend constexpr bool operator==(const IpAddress& a, const IpAddress& b) noexcept {
    return ((a.words()[0] ^ b.words()[0]) | (a.words()[1] ^ b.words()[1])) == 0;
  }
  friend constexpr auto operator<=>(const IpAddress&, const IpAddress&) noexcept = default;

 private:
  using Octets = std::array<std::uint8_t, 16>;
  // The same octets in two pieces. Every packet's addresses are made and compared, and what was
  // written octet by octet could not be read as a word at once.
  using Words = std::array<std::uint64_t, 2>;

  explicit constexpr IpAddress(const Octets& octets) noexcept : octets_(octets) {}

  [[nodiscard]] constexpr Words words() const noexcept { return std::bit_cast<Words>(octets_); }

  [[nodiscard]] static constexpr std::uint32_t swapped(std::uint32_t value) noexcept {
    return __builtin_bswap32(value);
  }

  static constexpr bool kIsLittleEndian = std::endian::native == std::endian::little;
  // The second word of ::ffff:0.0.0.0.
  static constexpr std::uint64_t kMappedWord =
      kIsLittleEndian ? std::uint64_t{0xffff0000U} : std::uint64_t{0xffff} << 32U;

  Octets octets_;
};

// An address together with the length of its network's prefix, such as 192.0.2.2/24.
struct IpPrefix {
  IpAddress address;
  std::uint8_t length = 32;  // bits, 0 to 32 for IPv4

  // Reads IPv4 CIDR notation, 192.0.2.2/24; the length is required.
  [[nodiscard]] static std::optional<IpPrefix> parse_v4(std::string_view text) noexcept;

  [[nodiscard]] std::uint32_t v4_mask() const noexcept;
  [[nodiscard]] IpAddress network() const noexcept;
  // The subnet's directed broadcast address; none for /31 and /32 (RFC 3021).
  [[nodiscard]] std::optional<IpAddress> directed_broadcast() const noexcept;
  [[nodiscard]] bool contains(const IpAddress& other) const noexcept;
  // The lowest host address of the network that is not `address`; none for /32.
  [[nodiscard]] std::optional<IpAddress> first_other_host() const noexcept;
  [[nodiscard]] std::string to_string() const;

  friend bool operator==(const IpPrefix&, const IpPrefix&) noexcept = default;
};

}  // namespace runnel
