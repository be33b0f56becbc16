// TCP options: every kind that a current RFC defines, as values and as octets.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "runnel/bytes.h"
#include "stack/wire/seq_num.h"

namespace runnel::wire {

enum class TcpOptionKind : std::uint8_t {
  EndOfList = 0,
  NoOperation = 1,
  MaximumSegmentSize = 2,
  WindowScale = 3,
  SackPermitted = 4,
  Sack = 5,
  Timestamps = 8,
  Md5Signature = 19,    // RFC 2385
  UserTimeout = 28,     // RFC 5482
  Authentication = 29,  // RFC 5925
  Mptcp = 30,           // RFC 8684
  FastOpen = 34,        // RFC 7413
  AccEcn0 = 172,        // RFC 9768
  AccEcn1 = 174,        // RFC 9768
};

inline constexpr std::size_t kTcpMaxOptionOctets = 40;

// One option as it stands in the header: the octets behind kind and length.
struct TcpOption {
  TcpOptionKind kind = TcpOptionKind::NoOperation;  // may be a number that has no name above
  Bytes body;
};

// Walks an option list without trusting its lengths.
//
// No-Operations are passed over. The walk ends behind the last octet, at an End of List, or at a
// length that lies, and then is_malformed().
class TcpOptionReader {
 public:
  explicit TcpOptionReader(Bytes octets) noexcept : rest_(octets) {}

  // The next option; nothing at the end.
  [[nodiscard]] std::optional<TcpOption> next() noexcept;
  [[nodiscard]] bool is_malformed() const noexcept { return is_malformed_; }

 private:
  Bytes rest_;
  bool is_malformed_ = false;
};

// One block of a SACK option: octets left to right - 1 have arrived (RFC 2018 section 3).
struct SackBlock {
  SeqNum left;
  SeqNum right;
  friend bool operator==(const SackBlock&, const SackBlock&) noexcept = default;
  template <typename Archive>
  void archive(Archive& archive) {
    archive(left, right);
  }
};

// A list of at most four SACK blocks, as many as an option can carry.
struct SackBlocks {
  std::array<SackBlock, 4> blocks{};
  std::uint8_t count = 0;
  [[nodiscard]] bool empty() const noexcept { return count == 0; }
  friend bool operator==(const SackBlocks& a, const SackBlocks& b) noexcept;
};

// What an option of so many blocks takes of a segment, alignment included, and how many blocks fit.
[[nodiscard]] constexpr std::size_t sack_option_octets(std::size_t blocks) noexcept {
  return blocks == 0 ? 0 : 4 + 8 * blocks;
}
[[nodiscard]] constexpr std::size_t sack_blocks_in(std::size_t octets) noexcept {
  return octets < 12 ? 0 : (octets - 4) / 8;
}

struct TcpTimestamps {           // RFC 7323 section 3.2
  std::uint32_t value = 0;       // TSval
  std::uint32_t echo_reply = 0;  // TSecr
  friend bool operator==(const TcpTimestamps&, const TcpTimestamps&) noexcept = default;
};

struct TcpUserTimeout {     // RFC 5482 section 3
  bool is_minutes = false;  // granularity: minutes, else seconds
  std::uint16_t value = 0;  // 15 bits
  friend bool operator==(const TcpUserTimeout&, const TcpUserTimeout&) noexcept = default;
};

struct TcpFastOpenCookie {  // RFC 7413 section 4.1.1
  std::array<std::uint8_t, 16> octets{};
  std::uint8_t length = 0;  // 0: a request; else 4 to 16, even
  friend bool operator==(const TcpFastOpenCookie&, const TcpFastOpenCookie&) noexcept = default;
};

// The counters of an AccECN option (RFC 9768 section 3.2.3): each 24 bits, as many as were sent.
struct TcpAccEcn {
  bool is_order_1 = false;  // kind 174: EE1B, ECEB, EE0B; else kind 172: EE0B, ECEB, EE1B
  std::array<std::uint32_t, 3> counters{};  // in the order of the option
  std::uint8_t count = 0;                   // 0 to 3
  friend bool operator==(const TcpAccEcn&, const TcpAccEcn&) noexcept = default;
};

// The options of one segment. What is absent is not in the segment; of a kind that appears twice
// the first counts.
struct TcpOptions {
  std::optional<std::uint16_t> maximum_segment_size;  // octets
  std::optional<std::uint8_t> window_scale;           // shift count as received, may exceed 14
  bool sack_permitted = false;
  SackBlocks sack;
  std::optional<TcpTimestamps> timestamps;
  std::optional<TcpUserTimeout> user_timeout;
  std::optional<TcpFastOpenCookie> fast_open;
  std::optional<TcpAccEcn> acc_ecn;
  // Seen, but not understood any further: MD5, TCP-AO, MPTCP and kinds without a name here.
  bool has_unknown = false;
  // The list lied: a length of 0, 1, beyond the header or missing. What came before it counts.
  bool is_malformed = false;

  // Reads an option list. Never fails: see is_malformed. Options of a wrong length for their kind
  // are skipped as unknown ones are (AccECN has no wrong length: RFC 9768 section 3.2.3 takes the
  // whole counters of any).
  [[nodiscard]] static TcpOptions parse(Bytes octets) noexcept;
  // The same in place. REQUIRES: there are no options yet.
  void read(Bytes octets) noexcept;

  // The length of write()'s output: a multiple of 4, at most 40.
  [[nodiscard]] std::size_t octets() const noexcept;

  // Writes the options in the order in which a SYN carries them on most systems and returns
  // octets():
  //
  //   MSS | SACK permitted, timestamps | NOP, window scale | NOP, NOP, SACK | user timeout |
  //   Fast Open, AccECN, End of List, zeros
  //
  // The first row is aligned to 32 bits by No-Operations. The second is packed, because 40 octets
  // are few, and padded behind an End of List (RFC 9293 section 3.1: MUST-69).
  // REQUIRES: out.size() >= octets(), and they fit in 40 octets: see fits().
  std::size_t write(MutableBytes out) const noexcept;
  [[nodiscard]] bool fits() const noexcept;

  friend bool operator==(const TcpOptions&, const TcpOptions&) noexcept = default;
};

}  // namespace runnel::wire
