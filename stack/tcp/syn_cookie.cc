#include "stack/tcp/syn_cookie.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "stack/base/byte_order.h"
#include "stack/tcp/handshake.h"
#include "stack/tcp/isn.h"

namespace runnel::tcp {

namespace {

constexpr std::uint32_t kParityMask = 1;
constexpr unsigned kMssShift = 1;
constexpr std::uint32_t kMssMask = 7;
constexpr unsigned kHashShift = 4;

constexpr std::uint32_t kOptionBits = 0x1f;  // of a timestamp
constexpr std::uint32_t kSackBit = 0x10;
constexpr std::uint32_t kScaleBits = 0x0f;
constexpr std::uint32_t kNoScaleBits = 0x0f;  // no scale is above 14

}  // namespace

std::uint32_t mss_index(std::uint16_t octets) noexcept {
  const auto& table = SynCookieGenerator::kMss;
  const auto above = std::upper_bound(table.begin(), table.end(), octets);
  return static_cast<std::uint32_t>(above - table.begin() - 1);
}

SeqNum SynCookieGenerator::cookie(const FourTuple& tuple, SeqNum irs, std::uint32_t mss_index,
                                  std::uint64_t step) const noexcept {
  const TupleOctets who = octets_of(tuple);
  std::array<std::uint8_t, sizeof(who.octets) + 16> input{};
  std::copy_n(who.octets.begin(), who.size, input.begin());
  base::store_be<std::uint32_t>(input, who.size, irs.value());
  base::store_be<std::uint32_t>(input, who.size + 4, mss_index);
  base::store_be<std::uint64_t>(input, who.size + 8, step);
  const auto hash =
      static_cast<std::uint32_t>(base::siphash_2_4(key_, Bytes(input).first(who.size + 16)));
  return SeqNum{hash << kHashShift | mss_index << kMssShift |
                (static_cast<std::uint32_t>(step) & kParityMask)};
}

wire::TcpHeader SynCookieGenerator::syn_ack(SynReceivedRecord record, const TcpConfig& config,
                                            const LinkLimits& link, Instant now) const {
  record.iss = cookie(record.tuple, record.irs, mss_index(record.peer_mss_octets), step_of(now));
  record.ecn.forget_all_but_accurate();
  if (!record.timestamps.is_agreed()) {
    record.peer_scale = SynReceivedRecord::kNoScale;
    record.is_sack_permitted = false;
  }
  wire::TcpHeader header = record.syn_ack(config, link, now);
  if (header.options.timestamps) {
    CookieOptions options{std::nullopt, record.is_sack_permitted};
    if (record.peer_scale != SynReceivedRecord::kNoScale) options.window_scale = record.peer_scale;
    header.options.timestamps->value = timestamp_with(options, header.options.timestamps->value);
  }
  return header;
}

std::optional<SynReceivedRecord> SynCookieGenerator::restore(
    const FourTuple& tuple, const Segment& ack, ListenerId listener, const TcpConfig& config,
    std::uint32_t timestamp_offset, Instant now) const noexcept {
  const SeqNum iss = ack.ack - 1;
  const SeqNum irs = ack.seq - 1;
  // The parity says whether this step made the cookie or the one before; the hash, whether it did.
  std::uint64_t step = step_of(now);
  if (((step ^ iss.value()) & kParityMask) != 0) --step;
  const std::uint32_t index = iss.value() >> kMssShift & kMssMask;
  if (iss != cookie(tuple, irs, index, step)) return std::nullopt;

  SynReceivedRecord record;
  record.tuple = tuple;
  record.listener = listener;
  record.iss = iss;
  record.irs = irs;
  record.sent_at = kNever;
  record.peer_window = ack.window;
  record.window = syn_window(config.receive_buffer_octets);
  record.peer_mss_octets = std::max(kMss[index], config.minimum_mss_octets);
  record.ecn = EcnHandshake::from_cookie(ecn_mode_of(config), ecn_bits(ack.flags));
  record.agree_on_timestamps(ack, config, timestamp_offset, now);
  if (!record.timestamps.is_agreed()) return record;

  // Only what was offered can have been agreed upon, whatever the peer's echo says.
  const CookieOptions options = options_of_timestamp(ack.options.timestamps->echo_reply);
  if (config.window_scaling && options.window_scale) record.peer_scale = *options.window_scale;
  record.is_sack_permitted = config.sack && options.is_sack_permitted;
  return record;
}

std::uint32_t timestamp_with(CookieOptions options, std::uint32_t clock) noexcept {
  std::uint32_t bits = options.window_scale.value_or(kNoScaleBits);
  if (options.is_sack_permitted) bits |= kSackBit;
  const std::uint32_t value = (clock & ~kOptionBits) | bits;
  return bits > (clock & kOptionBits) ? value - (kOptionBits + 1) : value;
}

CookieOptions options_of_timestamp(std::uint32_t value) noexcept {
  CookieOptions options;
  const std::uint32_t scale = value & kScaleBits;
  if (scale != kNoScaleBits) options.window_scale = static_cast<std::uint8_t>(scale);
  options.is_sack_permitted = (value & kSackBit) != 0;
  return options;
}

}  // namespace runnel::tcp
