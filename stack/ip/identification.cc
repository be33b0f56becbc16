#include "stack/ip/identification.h"

#include <array>

#include "stack/base/byte_order.h"

namespace runnel::ip {

// The counters begin at zero: what the permutations make of that is as good as any number.
IdentificationSource::IdentificationSource(Random& random)
    : key_(base::SipHashKey::draw(random)), buckets_(kBuckets) {}

std::optional<std::uint16_t> IdentificationSource::next(const IpAddress& source,
                                                        const IpAddress& destination,
                                                        std::uint8_t protocol,
                                                        Instant now) noexcept {
  std::array<std::uint8_t, 9> flow{};
  base::store_be(MutableBytes{flow}, 0, source.v4_value());
  base::store_be(MutableBytes{flow}, 4, destination.v4_value());
  flow[8] = protocol;
  const auto index = static_cast<std::uint8_t>(base::siphash_1_3(key_, flow) % kBuckets);
  Bucket& bucket = buckets_[index];
  if (!bucket.limiter.allow(now)) return std::nullopt;
  return permuted(index, bucket.counter++);
}

std::uint16_t IdentificationSource::permuted(std::uint8_t bucket,
                                             std::uint16_t count) const noexcept {
  constexpr std::uint8_t kRounds = 8;
  auto left = static_cast<std::uint8_t>(count >> 8U);
  auto right = static_cast<std::uint8_t>(count & 0xffU);
  for (std::uint8_t round = 0; round < kRounds; ++round) {
    const std::array<std::uint8_t, 3> input{bucket, round, right};
    const auto mask = static_cast<std::uint8_t>(base::siphash_1_3(key_, input) & 0xffU);
    const auto mixed = static_cast<std::uint8_t>(left ^ mask);
    left = right;
    right = mixed;
  }
  return static_cast<std::uint16_t>((left << 8U) | right);
}

}  // namespace runnel::ip
