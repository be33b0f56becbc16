// Range requests, RFC 9110 section 14.
#pragma once

#include <cstdint>
#include <string_view>

namespace runnel::apps {

struct ByteRange {
  enum class Kind : std::uint8_t {
    Whole,          // no range, or one that is to be ignored: malformed, or several at once
    Part,           // answered with 206
    Unsatisfiable,  // answered with 416
  };

  Kind kind = Kind::Whole;
  std::uint64_t first = 0;  // Part: position of the first octet, and how many
  std::uint64_t octets = 0;
};

// Reads a Range field's value against a representation of `size_octets`.
[[nodiscard]] ByteRange parse_range(std::string_view value, std::uint64_t size_octets) noexcept;

}  // namespace runnel::apps
