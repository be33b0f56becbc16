// The IPv4 header, RFC 791, as a view of octets and as a value.
#pragma once

#include <cstddef>
#include <cstdint>

#include "runnel/bytes.h"
#include "runnel/drop_reason.h"
#include "runnel/ip_address.h"
#include "stack/base/byte_order.h"
#include "stack/wire/optional_view.h"

namespace runnel::wire {

// Protocol numbers that the stack knows.
inline constexpr std::uint8_t kProtocolIcmp = 1;
inline constexpr std::uint8_t kProtocolTcp = 6;
inline constexpr std::uint8_t kProtocolUdp = 17;

inline constexpr std::size_t kIpv4MinHeaderOctets = 20;
inline constexpr std::size_t kIpv4MaxHeaderOctets = 60;
inline constexpr std::size_t kIpv4MaxPacketOctets = 65535;

// A read-only view of one IPv4 packet.
//
// parse() checks what the accessors need to be memory-safe, and what makes a packet malformed
// whatever its addresses are: version, header length, total length. Octets behind the total length
// (link padding) are cut off. The header checksum is a separate question.
class Ipv4View {
 public:
  // Returns the view, or the reason why these octets are not an IPv4 packet in `reason`.
  [[nodiscard]] static OptionalView<Ipv4View> parse(Bytes octets,
                                                    DropReason* reason = nullptr) noexcept;

  // The same for a packet that an ICMP error quotes: it may end before its total length does,
  // and total_octets() is then what is there.
  [[nodiscard]] static OptionalView<Ipv4View> parse_quote(Bytes octets) noexcept;

  [[nodiscard]] std::size_t header_octets() const noexcept {
    return std::size_t{octets_[0] & 0x0fU} * 4;
  }
  [[nodiscard]] std::uint8_t dscp() const noexcept { return octets_[1] >> 2U; }
  [[nodiscard]] std::uint8_t ecn() const noexcept { return octets_[1] & 0x03U; }
  [[nodiscard]] std::size_t total_octets() const noexcept { return octets_.size(); }
  [[nodiscard]] std::uint16_t identification() const noexcept {
    return base::load_be<std::uint16_t>(octets_, 4);
  }
  [[nodiscard]] bool dont_fragment() const noexcept { return (octets_[6] & 0x40U) != 0; }
  [[nodiscard]] bool more_fragments() const noexcept { return (octets_[6] & 0x20U) != 0; }
  // Where this fragment's payload belongs, in octets: 0 to 65,528.
  [[nodiscard]] std::size_t fragment_offset_octets() const noexcept {
    return std::size_t{base::load_be<std::uint16_t>(octets_, 6) & 0x1fffU} * 8;
  }
  [[nodiscard]] bool is_fragment() const noexcept {
    return more_fragments() || fragment_offset_octets() != 0;
  }
  [[nodiscard]] std::uint8_t ttl() const noexcept { return octets_[8]; }
  [[nodiscard]] std::uint8_t protocol() const noexcept { return octets_[9]; }
  [[nodiscard]] std::uint16_t header_checksum() const noexcept {
    return base::load_be<std::uint16_t>(octets_, 10);
  }
  [[nodiscard]] IpAddress source() const noexcept {
    return IpAddress::from_v4(base::load_be<std::uint32_t>(octets_, 12));
  }
  [[nodiscard]] IpAddress destination() const noexcept {
    return IpAddress::from_v4(base::load_be<std::uint32_t>(octets_, 16));
  }

  [[nodiscard]] Bytes packet() const noexcept { return octets_; }
  [[nodiscard]] Bytes header() const noexcept { return octets_.first(header_octets()); }
  [[nodiscard]] Bytes options() const noexcept { return header().subspan(kIpv4MinHeaderOctets); }
  [[nodiscard]] Bytes payload() const noexcept { return octets_.subspan(header_octets()); }

  [[nodiscard]] bool has_valid_checksum() const noexcept;
  // Walks the options without trusting their lengths: true when one of them is a loose or strict
  // source route (types 131 and 137).
  [[nodiscard]] bool has_source_route() const noexcept;

 private:
  friend class OptionalView<Ipv4View>;
  Ipv4View() noexcept = default;
  explicit Ipv4View(Bytes octets) noexcept : octets_(octets) {}
  Bytes octets_;
};

// An IPv4 header as a value; the stack sends none with options.
struct Ipv4Header {
  std::uint8_t dscp = 0;  // 6 bits
  std::uint8_t ecn = 0;   // 2 bits
  std::uint16_t identification = 0;
  bool dont_fragment = false;
  bool more_fragments = false;
  std::uint16_t fragment_offset_octets = 0;  // a multiple of 8
  std::uint8_t ttl = 64;
  std::uint8_t protocol = 0;
  IpAddress source;
  IpAddress destination;

  // Takes the fields of a parsed header (options are not kept).
  [[nodiscard]] static Ipv4Header from(const Ipv4View& view) noexcept;

  // Writes the 20 octets, with a correct header checksum.
  // REQUIRES: out.size() >= 20; 20 + payload_octets <= 65,535.
  void write(MutableBytes out, std::size_t payload_octets) const noexcept;

  friend bool operator==(const Ipv4Header&, const Ipv4Header&) noexcept = default;
};

}  // namespace runnel::wire
