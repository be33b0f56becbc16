// ICMPv4 messages: RFC 792, RFC 1122 section 3.2.2, RFC 1191.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "runnel/bytes.h"
#include "stack/base/byte_order.h"

namespace runnel::wire {

enum class IcmpType : std::uint8_t {
  EchoReply = 0,
  DestinationUnreachable = 3,
  SourceQuench = 4,
  Redirect = 5,
  EchoRequest = 8,
  TimeExceeded = 11,
  ParameterProblem = 12,
  TimestampRequest = 13,
  TimestampReply = 14,
};

// Codes of DestinationUnreachable.
inline constexpr std::uint8_t kIcmpNetUnreachable = 0;
inline constexpr std::uint8_t kIcmpHostUnreachable = 1;
inline constexpr std::uint8_t kIcmpProtocolUnreachable = 2;
inline constexpr std::uint8_t kIcmpPortUnreachable = 3;
inline constexpr std::uint8_t kIcmpFragmentationNeeded = 4;
// Codes of TimeExceeded.
inline constexpr std::uint8_t kIcmpTtlExceeded = 0;
inline constexpr std::uint8_t kIcmpReassemblyTimeExceeded = 1;

inline constexpr std::size_t kIcmpHeaderOctets = 8;

// A read-only view of one ICMP message: eight octets of header, then echo data or a quoted packet.
class Icmpv4View {
 public:
  [[nodiscard]] static std::optional<Icmpv4View> parse(Bytes octets) noexcept {
    if (octets.size() < kIcmpHeaderOctets) return std::nullopt;
    return Icmpv4View{octets};
  }

  // The type may be a number that IcmpType does not name.
  [[nodiscard]] IcmpType type() const noexcept { return IcmpType{octets_[0]}; }
  [[nodiscard]] std::uint8_t code() const noexcept { return octets_[1]; }
  [[nodiscard]] std::uint16_t checksum() const noexcept {
    return base::load_be<std::uint16_t>(octets_, 2);
  }
  [[nodiscard]] bool has_valid_checksum() const noexcept;
  // True for the types that report an error and quote a packet (3, 4, 5, 11, 12).
  [[nodiscard]] bool is_error() const noexcept;

  // Echo messages:
  [[nodiscard]] std::uint16_t identifier() const noexcept {
    return base::load_be<std::uint16_t>(octets_, 4);
  }
  [[nodiscard]] std::uint16_t sequence() const noexcept {
    return base::load_be<std::uint16_t>(octets_, 6);
  }
  // Fragmentation needed: the next hop's MTU in octets, 0 from routers before RFC 1191.
  [[nodiscard]] std::uint16_t next_hop_mtu() const noexcept {
    return base::load_be<std::uint16_t>(octets_, 6);
  }

  // Echo data, or the quoted packet of an error (header and at least 8 octets, unless it lies).
  [[nodiscard]] Bytes body() const noexcept { return octets_.subspan(kIcmpHeaderOctets); }
  [[nodiscard]] Bytes message() const noexcept { return octets_; }

 private:
  explicit Icmpv4View(Bytes octets) noexcept : octets_(octets) {}
  Bytes octets_;
};

// The eight octets before an ICMP message's body.
struct Icmpv4Header {
  IcmpType type = IcmpType::EchoReply;
  std::uint8_t code = 0;
  // The second word: identifier and sequence, or unused and next-hop MTU.
  std::uint16_t identifier = 0;
  std::uint16_t sequence = 0;

  // Writes the header with the checksum over header and body. REQUIRES: out.size() >= 8.
  void write(MutableBytes out, Bytes body) const noexcept;

  friend bool operator==(const Icmpv4Header&, const Icmpv4Header&) noexcept = default;
};

}  // namespace runnel::wire
