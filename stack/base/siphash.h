// SipHash (Aumasson and Bernstein): a keyed hash short enough for every packet. With a secret key
// an attacker can neither choose colliding inputs nor guess outputs.
#pragma once

#include <cstdint>

#include "runnel/bytes.h"
#include "runnel/random.h"

namespace runnel::base {

struct SipHashKey {
  std::uint64_t k0 = 0;
  std::uint64_t k1 = 0;

  [[nodiscard]] static SipHashKey draw(Random& random);
};

// SipHash-2-4: for what must stay secret (initial sequence numbers, cookies).
[[nodiscard]] std::uint64_t siphash_2_4(const SipHashKey& key, Bytes data) noexcept;
// SipHash-1-3: for hash tables.
[[nodiscard]] std::uint64_t siphash_1_3(const SipHashKey& key, Bytes data) noexcept;

}  // namespace runnel::base
