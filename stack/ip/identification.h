// The identification field of packets that may be fragmented, RFC 6864.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "runnel/ip_address.h"
#include "runnel/random.h"
#include "runnel/time.h"
#include "stack/base/rate_limiter.h"
#include "stack/base/siphash.h"

namespace runnel::ip {

// Numbers for datagrams between two hosts that repeat neither soon nor predictably.
//
// Theory of operation. Within a datagram's lifetime of two minutes no number may come twice between
// the same source, destination and protocol (RFC 6864 section 4.3). So each such flow has a
// counter, which repeats as late as 16 bits allow, and a limit on how fast it may count
// (section 5.2).
//
// A bare counter tells everybody who gets two of its numbers how many packets left in between: the
// idle scan. So it goes through a secret permutation of the 16-bit numbers, a Feistel network over
// SipHash. 65,536 consecutive numbers are still all different, and their order says nothing to who
// has no key.
//
// Flows cannot be kept one by one, since their number is in the peers' hands. A keyed hash of the
// flow picks one of kBuckets counters with a permutation and a limit of its own. Flows that share a
// bucket share its numbers, which are then unique for both.
class IdentificationSource {
 public:
  // Datagrams between two hosts may live so long (RFC 6864 section 4, RFC 9293's MSL).
  static constexpr std::uint32_t kLifetimeSeconds = 120;
  // 65,536 / 120 is 546; the limiter lets one second's worth leave at once on top of that.
  static constexpr std::uint32_t kDatagramsPerSecond = 541;
  static_assert((kLifetimeSeconds + 1) * kDatagramsPerSecond <= 65536);
  static constexpr std::size_t kBuckets = 256;

  explicit IdentificationSource(Random& random);

  // The identification of the flow's next datagram; none when it would repeat too soon.
  [[nodiscard]] std::optional<std::uint16_t> next(const IpAddress& source,
                                                  const IpAddress& destination,
                                                  std::uint8_t protocol, Instant now) noexcept;

 private:
  struct Bucket {
    std::uint16_t counter = 0;
    base::RateLimiter limiter{kDatagramsPerSecond};
  };

  // The secret permutation of the bucket with this index.
  [[nodiscard]] std::uint16_t permuted(std::uint8_t bucket, std::uint16_t count) const noexcept;

  base::SipHashKey key_;
  std::vector<Bucket> buckets_;
};

}  // namespace runnel::ip
