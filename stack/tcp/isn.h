// Numbers that only the two ends of a connection can know: initial sequence numbers (RFC 6528) and
// the offsets of timestamps (RFC 7323 section 7.1).
#pragma once

#include "runnel/random.h"
#include "runnel/time.h"
#include "stack/base/siphash.h"
#include "stack/tcp/segment.h"

namespace runnel::tcp {

// ISN = M + F(local, remote, secret): M ticks every 4 microseconds, F is SipHash-2-4.
class IsnGenerator {
 public:
  explicit IsnGenerator(Random& random) : key_(base::SipHashKey::draw(random)) {}
  [[nodiscard]] SeqNum generate(const FourTuple& tuple, Instant now) const noexcept;

 private:
  base::SipHashKey key_;
};

// What is added to the stack's clock in the timestamps of a connection: F(local, remote, secret).
// The same for every connection of a four-tuple, so that its timestamps go on rising from one to
// the next; unrelated for any two others.
class TimestampOffsets {
 public:
  explicit TimestampOffsets(Random& random) : key_(base::SipHashKey::draw(random)) {}
  [[nodiscard]] std::uint32_t offset_for(const FourTuple& tuple) const noexcept;

 private:
  base::SipHashKey key_;
};

// The octets of a four-tuple that hashes are made of, 12 for IPv4 and 36 for IPv6.
struct TupleOctets {
  std::array<std::uint8_t, 36> octets;
  std::size_t size;
  [[nodiscard]] Bytes bytes() const noexcept { return {octets.data(), size}; }
};
[[nodiscard]] TupleOctets octets_of(const FourTuple& tuple) noexcept;

}  // namespace runnel::tcp
