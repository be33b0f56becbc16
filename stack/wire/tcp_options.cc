#include "stack/wire/tcp_options.h"

#include <algorithm>
#include <cassert>

#include "stack/base/byte_order.h"

namespace runnel::wire {
namespace {

using base::load_be;

constexpr std::size_t kSackBlockOctets = 8;
constexpr std::size_t kAccEcnCounterOctets = 3;
constexpr std::uint32_t kAccEcnCounterMask = 0xffffff;
constexpr std::size_t kAlignedTimestampOctets = 12;
constexpr std::uint32_t kAlignedTimestampHead = 0x0101080a;  // two No-Operations, kind, length
constexpr std::uint16_t kUserTimeoutMinutes = 0x8000;
constexpr std::uint16_t kUserTimeoutValue = 0x7fff;

constexpr std::size_t round_up_to_words(std::size_t octets) noexcept {
  return (octets + 3) & ~std::size_t{3};
}

// Each takes one option's body. False: the length is wrong for the kind.

bool take_mss(TcpOptions& options, Bytes body) noexcept {
  if (body.size() != 2) return false;
  if (!options.maximum_segment_size) options.maximum_segment_size = load_be<std::uint16_t>(body);
  return true;
}

bool take_window_scale(TcpOptions& options, Bytes body) noexcept {
  if (body.size() != 1) return false;
  if (!options.window_scale) options.window_scale = body[0];
  return true;
}

bool take_sack_permitted(TcpOptions& options, Bytes body) noexcept {
  if (!body.empty()) return false;
  options.sack_permitted = true;
  return true;
}

bool take_sack(TcpOptions& options, Bytes body) noexcept {
  SackBlocks& sack = options.sack;
  const std::size_t count = body.size() / kSackBlockOctets;
  if (count == 0 || count > sack.blocks.size() || body.size() % kSackBlockOctets != 0) return false;
  if (!sack.empty()) return true;
  for (std::size_t i = 0; i < count; ++i) {
    sack.blocks[i].left = SeqNum{load_be<std::uint32_t>(body, kSackBlockOctets * i)};
    sack.blocks[i].right = SeqNum{load_be<std::uint32_t>(body, kSackBlockOctets * i + 4)};
  }
  sack.count = static_cast<std::uint8_t>(count);
  return true;
}

bool take_timestamps(TcpOptions& options, Bytes body) noexcept {
  if (body.size() != 8) return false;
  if (!options.timestamps) {
    options.timestamps = {load_be<std::uint32_t>(body), load_be<std::uint32_t>(body, 4)};
  }
  return true;
}

bool take_user_timeout(TcpOptions& options, Bytes body) noexcept {
  if (body.size() != 2) return false;
  const auto word = load_be<std::uint16_t>(body);
  if (!options.user_timeout) {
    options.user_timeout = {(word & kUserTimeoutMinutes) != 0,
                            static_cast<std::uint16_t>(word & kUserTimeoutValue)};
  }
  return true;
}

bool take_fast_open(TcpOptions& options, Bytes body) noexcept {
  TcpFastOpenCookie cookie;
  const bool is_request = body.empty();
  if (!is_request && (body.size() < 4 || body.size() > cookie.octets.size() || body.size() % 2)) {
    return false;
  }
  if (options.fast_open) return true;
  std::copy(body.begin(), body.end(), cookie.octets.begin());
  cookie.length = static_cast<std::uint8_t>(body.size());
  options.fast_open = cookie;
  return true;
}

bool take_acc_ecn(TcpOptions& options, Bytes body, bool is_order_1) noexcept {
  if (options.acc_ecn) return true;
  TcpAccEcn acc_ecn;
  acc_ecn.is_order_1 = is_order_1;
  const std::size_t count = std::min(body.size() / kAccEcnCounterOctets, acc_ecn.counters.size());
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = kAccEcnCounterOctets * i;
    acc_ecn.counters[i] = (std::uint32_t{body[at]} << 16U) | load_be<std::uint16_t>(body, at + 1);
  }
  acc_ecn.count = static_cast<std::uint8_t>(count);
  options.acc_ecn = acc_ecn;
  return true;
}

// False: not an option that this stack understands.
bool take(TcpOptions& options, const TcpOption& option) noexcept {
  switch (option.kind) {
    case TcpOptionKind::MaximumSegmentSize:
      return take_mss(options, option.body);
    case TcpOptionKind::WindowScale:
      return take_window_scale(options, option.body);
    case TcpOptionKind::SackPermitted:
      return take_sack_permitted(options, option.body);
    case TcpOptionKind::Sack:
      return take_sack(options, option.body);
    case TcpOptionKind::Timestamps:
      return take_timestamps(options, option.body);
    case TcpOptionKind::UserTimeout:
      return take_user_timeout(options, option.body);
    case TcpOptionKind::FastOpen:
      return take_fast_open(options, option.body);
    case TcpOptionKind::AccEcn0:
      return take_acc_ecn(options, option.body, false);
    case TcpOptionKind::AccEcn1:
      return take_acc_ecn(options, option.body, true);
    case TcpOptionKind::EndOfList:
    case TcpOptionKind::NoOperation:  // the reader keeps these two to itself
    case TcpOptionKind::Md5Signature:
    case TcpOptionKind::Authentication:
    case TcpOptionKind::Mptcp:
      return false;
  }
  return false;
}

// Puts octets one behind the other.
class Writer {
 public:
  explicit Writer(MutableBytes out) noexcept : out_(out) {}

  template <typename T>
  void put(T value) noexcept {
    base::store_be(out_, at_, value);
    at_ += sizeof(T);
  }
  void kind_and_length(TcpOptionKind kind, std::size_t length) noexcept {
    put(static_cast<std::uint8_t>(kind));
    put(static_cast<std::uint8_t>(length));
  }
  void no_operations(int count) noexcept {
    for (; count > 0; --count) put(static_cast<std::uint8_t>(TcpOptionKind::NoOperation));
  }
  [[nodiscard]] std::size_t at() const noexcept { return at_; }

 private:
  MutableBytes out_;
  std::size_t at_ = 0;
};

std::size_t fast_open_octets(const TcpFastOpenCookie& cookie) noexcept {
  return 2U + std::min<std::size_t>(cookie.length, cookie.octets.size());
}

std::size_t acc_ecn_octets(const TcpAccEcn& acc_ecn) noexcept {
  return 2U + kAccEcnCounterOctets * std::min<std::size_t>(acc_ecn.count, acc_ecn.counters.size());
}

std::size_t sack_octets(const SackBlocks& sack) noexcept {
  return 2U + kSackBlockOctets * std::min<std::size_t>(sack.count, sack.blocks.size());
}

// SACK permitted fills the two octets that would else align the timestamps.
void write_sack_permitted_and_timestamps(Writer& out, const TcpOptions& options) noexcept {
  if (!options.sack_permitted && !options.timestamps) return;
  if (!options.sack_permitted || !options.timestamps) out.no_operations(2);
  if (options.sack_permitted) out.kind_and_length(TcpOptionKind::SackPermitted, 2);
  if (options.timestamps) {
    out.kind_and_length(TcpOptionKind::Timestamps, 10);
    out.put(options.timestamps->value);
    out.put(options.timestamps->echo_reply);
  }
}

void write_sack(Writer& out, const SackBlocks& sack) noexcept {
  if (sack.empty()) return;
  out.no_operations(2);
  out.kind_and_length(TcpOptionKind::Sack, sack_octets(sack));
  for (std::size_t i = 0; i < sack.count; ++i) {
    out.put(sack.blocks[i].left.value());
    out.put(sack.blocks[i].right.value());
  }
}

void write_fast_open(Writer& out, const TcpFastOpenCookie& cookie) noexcept {
  out.kind_and_length(TcpOptionKind::FastOpen, fast_open_octets(cookie));
  for (std::size_t i = 0; i < cookie.length; ++i) out.put(cookie.octets[i]);
}

void write_acc_ecn(Writer& out, const TcpAccEcn& acc_ecn) noexcept {
  out.kind_and_length(acc_ecn.is_order_1 ? TcpOptionKind::AccEcn1 : TcpOptionKind::AccEcn0,
                      acc_ecn_octets(acc_ecn));
  for (std::size_t i = 0; i < acc_ecn.count; ++i) {
    const std::uint32_t counter = acc_ecn.counters[i] & kAccEcnCounterMask;
    out.put(static_cast<std::uint8_t>(counter >> 16U));
    out.put(static_cast<std::uint16_t>(counter));
  }
}

// Whether the list is timestamps behind two No-Operations and nothing else: what nearly every
// segment of an established connection carries (RFC 7323 appendix A).
bool is_aligned_timestamps(Bytes octets) noexcept {
  return octets.size() == kAlignedTimestampOctets &&
         load_be<std::uint32_t>(octets) == kAlignedTimestampHead;
}

}  // namespace

bool operator==(const SackBlocks& a, const SackBlocks& b) noexcept {
  return std::equal(a.blocks.begin(), a.blocks.begin() + a.count,  //
                    b.blocks.begin(), b.blocks.begin() + b.count);
}

std::optional<TcpOption> TcpOptionReader::next() noexcept {
  while (!rest_.empty()) {
    const TcpOptionKind kind{rest_[0]};
    if (kind == TcpOptionKind::EndOfList) break;
    if (kind == TcpOptionKind::NoOperation) {
      rest_ = rest_.subspan(1);
      continue;
    }
    if (rest_.size() < 2 || rest_[1] < 2 || rest_[1] > rest_.size()) {
      is_malformed_ = true;
      break;
    }
    const std::size_t length = rest_[1];
    const Bytes body = rest_.subspan(2, length - 2);
    rest_ = rest_.subspan(length);
    return TcpOption{kind, body};
  }
  rest_ = {};
  return std::nullopt;
}

TcpOptions TcpOptions::parse(Bytes octets) noexcept {
  TcpOptions options;
  options.read(octets);
  return options;
}

void TcpOptions::read(Bytes octets) noexcept {
  if (octets.empty()) return;
  if (is_aligned_timestamps(octets)) {
    TcpTimestamps& read = timestamps.emplace();
    read.value = load_be<std::uint32_t>(octets, 4);
    read.echo_reply = load_be<std::uint32_t>(octets, 8);
    return;
  }
  TcpOptionReader reader{octets};
  while (const auto option = reader.next()) {
    if (!take(*this, *option)) has_unknown = true;
  }
  is_malformed = reader.is_malformed();
}

std::size_t TcpOptions::octets() const noexcept {
  std::size_t octets = 0;
  if (maximum_segment_size) octets += 4;
  if (timestamps) {
    octets += 12;
  } else if (sack_permitted) {
    octets += 4;
  }
  if (window_scale) octets += 4;
  if (!sack.empty()) octets += 2 + sack_octets(sack);
  if (user_timeout) octets += 4;
  if (fast_open) octets += fast_open_octets(*fast_open);
  if (acc_ecn) octets += acc_ecn_octets(*acc_ecn);
  return round_up_to_words(octets);
}

bool TcpOptions::fits() const noexcept {
  return octets() <= kTcpMaxOptionOctets;
}

std::size_t TcpOptions::write(MutableBytes out) const noexcept {
  assert(fits());
  assert(out.size() >= octets());
  Writer writer{out};
  if (maximum_segment_size) {
    writer.kind_and_length(TcpOptionKind::MaximumSegmentSize, 4);
    writer.put(*maximum_segment_size);
  }
  write_sack_permitted_and_timestamps(writer, *this);
  if (window_scale) {
    writer.no_operations(1);
    writer.kind_and_length(TcpOptionKind::WindowScale, 3);
    writer.put(*window_scale);
  }
  write_sack(writer, sack);
  if (user_timeout) {
    writer.kind_and_length(TcpOptionKind::UserTimeout, 4);
    writer.put(static_cast<std::uint16_t>((user_timeout->is_minutes ? kUserTimeoutMinutes : 0U) |
                                          (user_timeout->value & kUserTimeoutValue)));
  }
  if (fast_open) write_fast_open(writer, *fast_open);
  if (acc_ecn) write_acc_ecn(writer, *acc_ecn);
  const std::size_t end = round_up_to_words(writer.at());
  while (writer.at() < end) writer.put(static_cast<std::uint8_t>(TcpOptionKind::EndOfList));
  return end;
}

}  // namespace runnel::wire
