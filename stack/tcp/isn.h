// Initial sequence numbers that only the two ends of a connection can know: RFC 6528.
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

// The octets of a four-tuple that hashes are made of, 12 for IPv4 and 36 for IPv6.
struct TupleOctets {
  std::array<std::uint8_t, 36> octets;
  std::size_t size;
  [[nodiscard]] Bytes bytes() const noexcept { return {octets.data(), size}; }
};
[[nodiscard]] TupleOctets octets_of(const FourTuple& tuple) noexcept;

}  // namespace runnel::tcp
