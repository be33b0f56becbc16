// Numbers that only the two ends of a connection can know: initial sequence numbers (RFC 6528) and
// the offsets of timestamps (RFC 7323 section 7.1).
//
// Both are F(local, remote, secret), a hash under a secret key: SipHash-2-4, of which sequence
// numbers take one half and timestamps the other.
#pragma once

#include "runnel/random.h"
#include "runnel/time.h"
#include "stack/base/siphash.h"
#include "stack/tcp/segment.h"

namespace runnel::tcp {

// What is secret about a four-tuple. The same for every connection of it, and unrelated for any two
// others.
struct TupleSecrets {
  std::uint32_t isn_offset;
  // What is added to the stack's clock in timestamps, which therefore go on rising from one
  // connection of the four-tuple to the next.
  std::uint32_t timestamp_offset;

  // The initial sequence number of a connection that is opened now: ISN = M + F(local, remote,
  // secret). M ticks every 4 microseconds.
  [[nodiscard]] SeqNum isn(Instant now) const noexcept;
};

class SecretGenerator {
 public:
  explicit SecretGenerator(Random& random) : key_(base::SipHashKey::draw(random)) {}
  [[nodiscard]] TupleSecrets of(const FourTuple& tuple) const noexcept;

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
// Their SipHash-2-4.
[[nodiscard]] std::uint64_t secret_hash(const base::SipHashKey& key,
                                        const FourTuple& tuple) noexcept;

}  // namespace runnel::tcp
