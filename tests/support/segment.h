// Segments as a test writes them and reads them.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runnel/ecn.h"
#include "runnel/endpoint.h"
#include "runnel/packet.h"
#include "runnel/time.h"
#include "stack/wire/tcp.h"

namespace runnel::test {

// A segment that the peer sends, put together call by call:
//
//    segment().syn().seq(7).window(65535).mss(1460)
//
// Checksums, lengths and the data offset are right unless the test says otherwise. A `seq` or `ack`
// is a plain 32-bit number, so that test arithmetic wraps as TCP's does.
class SegmentBuilder {
 public:
  SegmentBuilder(const Endpoint& from, const Endpoint& to) : from_(from), to_(to) {}

  SegmentBuilder& from(const Endpoint& endpoint) {
    from_ = endpoint;
    return *this;
  }
  SegmentBuilder& to(const Endpoint& endpoint) {
    to_ = endpoint;
    return *this;
  }
  SegmentBuilder& from_port(std::uint16_t port) {
    from_.port = port;
    return *this;
  }
  SegmentBuilder& to_port(std::uint16_t port) {
    to_.port = port;
    return *this;
  }

  SegmentBuilder& seq(std::uint32_t value) {
    header_.seq = wire::SeqNum{value};
    return *this;
  }
  // Sets the number and the ACK bit.
  SegmentBuilder& ack(std::uint32_t value) {
    header_.ack = wire::SeqNum{value};
    header_.flags.ack = true;
    return *this;
  }
  SegmentBuilder& syn() {
    header_.flags.syn = true;
    return *this;
  }
  SegmentBuilder& fin() {
    header_.flags.fin = true;
    return *this;
  }
  SegmentBuilder& rst() {
    header_.flags.rst = true;
    return *this;
  }
  SegmentBuilder& psh() {
    header_.flags.psh = true;
    return *this;
  }
  SegmentBuilder& urg(std::uint16_t pointer) {
    header_.flags.urg = true;
    header_.urgent_pointer = pointer;
    return *this;
  }
  SegmentBuilder& flags(const wire::TcpFlags& flags) {
    header_.flags = flags;
    return *this;
  }
  // AE, CWR and ECE as a number, AE highest: also the ACE field of AccECN.
  SegmentBuilder& ecn_bits(unsigned bits) {
    header_.flags.ae = (bits & 4U) != 0;
    header_.flags.cwr = (bits & 2U) != 0;
    header_.flags.ece = (bits & 1U) != 0;
    return *this;
  }
  // The IP header's ECN field.
  SegmentBuilder& ecn(Ecn value) {
    ecn_ = value;
    return *this;
  }
  SegmentBuilder& acc_ecn(const wire::TcpAccEcn& value) {
    header_.options.acc_ecn = value;
    return *this;
  }
  SegmentBuilder& window(std::uint16_t value) {
    header_.window = value;
    return *this;
  }
  SegmentBuilder& mss(std::uint16_t octets) {
    header_.options.maximum_segment_size = octets;
    return *this;
  }
  SegmentBuilder& wscale(std::uint8_t shift) {
    header_.options.window_scale = shift;
    return *this;
  }
  SegmentBuilder& sack_permitted() {
    header_.options.sack_permitted = true;
    return *this;
  }
  // Adds one block of a SACK option: octets left to right - 1.
  SegmentBuilder& sack(std::uint32_t left, std::uint32_t right) {
    wire::SackBlocks& sack = header_.options.sack;
    sack.blocks.at(sack.count++) = {wire::SeqNum{left}, wire::SeqNum{right}};
    return *this;
  }
  SegmentBuilder& timestamps(std::uint32_t value, std::uint32_t echo_reply) {
    header_.options.timestamps = {value, echo_reply};
    return *this;
  }
  // Also where the tester's peer would put them in by itself.
  SegmentBuilder& no_timestamps() {
    header_.options.timestamps.reset();
    leaves_timestamps_out_ = true;
    return *this;
  }
  SegmentBuilder& options(const wire::TcpOptions& value) {
    header_.options = value;
    return *this;
  }
  // Takes these octets as the whole option list instead; their number must be a multiple of 4.
  SegmentBuilder& raw_options(std::vector<std::uint8_t> octets) {
    raw_options_ = std::move(octets);
    return *this;
  }
  SegmentBuilder& payload(std::string_view text) {
    payload_.assign(text.begin(), text.end());
    return *this;
  }
  SegmentBuilder& payload(std::vector<std::uint8_t> octets) {
    payload_ = std::move(octets);
    return *this;
  }

  // What is wrong, or unusual, below.
  SegmentBuilder& corrupt_checksum() {
    corrupts_checksum_ = true;
    return *this;
  }
  SegmentBuilder& data_offset(std::uint8_t words) {
    data_offset_ = words;
    return *this;
  }
  SegmentBuilder& reserved(std::uint8_t bits) {
    reserved_ = bits;
    return *this;
  }
  SegmentBuilder& ip_options(std::vector<std::uint8_t> octets) {
    ip_options_ = std::move(octets);
    return *this;
  }
  SegmentBuilder& ttl(std::uint8_t value) {
    ttl_ = value;
    return *this;
  }

  // What the tester needs to know to put the peer's timestamps in.
  [[nodiscard]] const Endpoint& source() const noexcept { return from_; }
  [[nodiscard]] const Endpoint& destination() const noexcept { return to_; }
  [[nodiscard]] const wire::TcpHeader& header() const noexcept { return header_; }
  [[nodiscard]] bool may_be_given_timestamps() const noexcept {
    return !header_.options.timestamps && !raw_options_ && !leaves_timestamps_out_;
  }

  // The whole IPv4 packet.
  [[nodiscard]] std::vector<std::uint8_t> build() const;

 private:
  Endpoint from_;
  Endpoint to_;
  wire::TcpHeader header_;
  std::vector<std::uint8_t> payload_;
  std::optional<std::vector<std::uint8_t>> raw_options_;
  std::vector<std::uint8_t> ip_options_;
  std::optional<std::uint8_t> data_offset_;
  std::uint8_t reserved_ = 0;
  std::uint8_t ttl_ = 64;
  Ecn ecn_ = Ecn::NotEct;
  bool corrupts_checksum_ = false;
  bool leaves_timestamps_out_ = false;
};

// A segment that the stack under test has sent.
struct SentSegment {
  Instant at;
  Endpoint from;
  Endpoint to;
  std::uint32_t seq = 0;
  std::uint32_t ack = 0;  // meaningful with flags.ack
  wire::TcpFlags flags;
  std::uint16_t window = 0;  // as in the header, not scaled
  std::uint16_t urgent_pointer = 0;
  wire::TcpOptions options;
  std::string payload;
  std::uint8_t ttl = 0;
  std::uint8_t dscp = 0;
  Ecn ecn = Ecn::NotEct;
  std::uint16_t gso_size_octets = 0;
  std::vector<std::uint8_t> octets;  // the whole packet

  // SEG.LEN: payload, and one each for SYN and FIN (RFC 9293 section 3.4).
  [[nodiscard]] std::uint32_t length() const noexcept {
    return static_cast<std::uint32_t>(payload.size()) + (flags.syn ? 1U : 0U) +
           (flags.fin ? 1U : 0U);
  }

  // AE, CWR and ECE as a number, AE highest.
  [[nodiscard]] unsigned ecn_bits() const noexcept {
    return (flags.ae ? 4U : 0U) | (flags.cwr ? 2U : 0U) | (flags.ece ? 1U : 0U);
  }

  // Nothing when `packet` is not TCP.
  [[nodiscard]] static std::optional<SentSegment> parse(Bytes packet, const PacketMeta& meta,
                                                        Instant at);
};

// One line, as tcpdump writes it.
std::ostream& operator<<(std::ostream& out, const SentSegment& segment);

}  // namespace runnel::test
