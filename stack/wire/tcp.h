// The TCP header, RFC 9293 section 3.1, as a view of octets and as a value.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>

#include "runnel/bytes.h"
#include "runnel/ip_address.h"
#include "stack/base/byte_order.h"
#include "stack/wire/checksum.h"
#include "stack/wire/seq_num.h"
#include "stack/wire/tcp_options.h"

namespace runnel::wire {

inline constexpr std::size_t kTcpMinHeaderOctets = 20;
inline constexpr std::size_t kTcpMaxHeaderOctets = 60;
inline constexpr std::size_t kTcpChecksumOffset = 16;  // within the header

// The nine control bits, in bits: together they are copied as one word, which on a machine that
// puts the first of them lowest is the word of the header. AE is RFC 9768's name for the bit that
// RFC 3540 called NS.
struct TcpFlags {
  bool fin : 1 = false;
  bool syn : 1 = false;
  bool rst : 1 = false;
  bool psh : 1 = false;
  bool ack : 1 = false;
  bool urg : 1 = false;
  bool ece : 1 = false;
  bool cwr : 1 = false;
  bool ae : 1 = false;
  std::uint16_t none : 7 = 0;

  // From and to the low nine bits of the header's 16-bit word at offset 12.
  [[nodiscard]] static constexpr TcpFlags from_bits(std::uint16_t bits) noexcept {
    if (!std::is_constant_evaluated() && std::endian::native == std::endian::little) {
      return std::bit_cast<TcpFlags>(static_cast<std::uint16_t>(bits & 0x1ffU));
    }
    return {(bits & 0x001U) != 0, (bits & 0x002U) != 0, (bits & 0x004U) != 0,
            (bits & 0x008U) != 0, (bits & 0x010U) != 0, (bits & 0x020U) != 0,
            (bits & 0x040U) != 0, (bits & 0x080U) != 0, (bits & 0x100U) != 0};
  }
  [[nodiscard]] constexpr std::uint16_t bits() const noexcept {
    if (!std::is_constant_evaluated() && std::endian::native == std::endian::little) {
      return std::bit_cast<std::uint16_t>(*this);
    }
    return static_cast<std::uint16_t>(
        (fin ? 0x001U : 0U) | (syn ? 0x002U : 0U) | (rst ? 0x004U : 0U) | (psh ? 0x008U : 0U) |
        (ack ? 0x010U : 0U) | (urg ? 0x020U : 0U) | (ece ? 0x040U : 0U) | (cwr ? 0x080U : 0U) |
        (ae ? 0x100U : 0U));
  }
  friend constexpr bool operator==(const TcpFlags&, const TcpFlags&) noexcept = default;
};

// A read-only view of one TCP segment's octets.
//
// parse() checks only what the accessors need to be memory-safe; the checksum is a separate
// question because the link may have answered it already (PacketMeta).
class TcpView {
 public:
  // Nothing when the octets are fewer than a header, or the data offset lies.
  [[nodiscard]] static std::optional<TcpView> parse(Bytes octets) noexcept {
    if (octets.size() < kTcpMinHeaderOctets) return std::nullopt;
    const std::size_t header_octets = static_cast<std::size_t>(octets[12] >> 4U) * 4;
    if (header_octets < kTcpMinHeaderOctets || header_octets > octets.size()) return std::nullopt;
    return TcpView{octets, header_octets};
  }

  [[nodiscard]] std::uint16_t source_port() const noexcept {
    return base::load_be<std::uint16_t>(octets_, 0);
  }
  [[nodiscard]] std::uint16_t destination_port() const noexcept {
    return base::load_be<std::uint16_t>(octets_, 2);
  }
  [[nodiscard]] SeqNum seq() const noexcept {
    return SeqNum{base::load_be<std::uint32_t>(octets_, 4)};
  }
  [[nodiscard]] SeqNum ack() const noexcept {
    return SeqNum{base::load_be<std::uint32_t>(octets_, 8)};
  }
  [[nodiscard]] std::size_t header_octets() const noexcept { return header_octets_; }
  [[nodiscard]] TcpFlags flags() const noexcept {
    return TcpFlags::from_bits(base::load_be<std::uint16_t>(octets_, 12) & 0x1ffU);
  }
  [[nodiscard]] std::uint8_t reserved_bits() const noexcept { return (octets_[12] >> 1U) & 0x07U; }
  [[nodiscard]] std::uint16_t window() const noexcept {
    return base::load_be<std::uint16_t>(octets_, 14);
  }
  [[nodiscard]] std::uint16_t checksum() const noexcept {
    return base::load_be<std::uint16_t>(octets_, 16);
  }
  [[nodiscard]] std::uint16_t urgent_pointer() const noexcept {
    return base::load_be<std::uint16_t>(octets_, 18);
  }
  [[nodiscard]] Bytes option_octets() const noexcept {
    return octets_.first(header_octets_).subspan(kTcpMinHeaderOctets);
  }
  [[nodiscard]] TcpOptions options() const noexcept { return TcpOptions::parse(option_octets()); }
  [[nodiscard]] Bytes payload() const noexcept { return octets_.subspan(header_octets_); }

  // Verifies the checksum over pseudo-header, header and payload.
  [[nodiscard]] bool has_valid_checksum(const IpAddress& source,
                                        const IpAddress& destination) const noexcept;

 private:
  TcpView(Bytes octets, std::size_t header_octets) noexcept
      : octets_(octets), header_octets_(header_octets) {}
  Bytes octets_;
  std::size_t header_octets_;
};

// A TCP header as a value.
struct TcpHeader {
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  SeqNum seq;
  SeqNum ack;
  TcpFlags flags;
  std::uint16_t window = 0;  // as in the header: not scaled
  std::uint16_t urgent_pointer = 0;
  TcpOptions options;

  [[nodiscard]] static TcpHeader from(const TcpView& view) noexcept;

  [[nodiscard]] std::size_t octets() const noexcept {
    return kTcpMinHeaderOctets + options.octets();
  }
  // Writes the header with a checksum field of zero; reserved bits are zero.
  // REQUIRES: out.size() >= octets().
  void write(MutableBytes out) const noexcept;
  // The same. REQUIRES: out.size() == octets().
  void write_all(MutableBytes out) const noexcept;

  friend bool operator==(const TcpHeader&, const TcpHeader&) noexcept = default;
};

}  // namespace runnel::wire
