// SipHash (Aumasson and Bernstein): a keyed hash short enough for every packet. With a secret key
// an attacker can neither choose colliding inputs nor guess outputs.
#pragma once

#include <bit>
#include <cstddef>
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

// The function's inside, for the one that has to be inline.
struct SipState {
  std::uint64_t v0, v1, v2, v3;

  explicit SipState(const SipHashKey& key) noexcept
      : v0(key.k0 ^ 0x736f6d6570736575U),
        v1(key.k1 ^ 0x646f72616e646f6dU),
        v2(key.k0 ^ 0x6c7967656e657261U),
        v3(key.k1 ^ 0x7465646279746573U) {}

  void round() noexcept {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }

  template <int kRounds>
  void rounds() noexcept {
    for (int i = 0; i < kRounds; ++i) round();
  }
  template <int kRounds>
  void absorb(std::uint64_t word) noexcept {
    v3 ^= word;
    rounds<kRounds>();
    v0 ^= word;
  }
  // The remaining octets of a message, seven at most, and on top its length modulo 256.
  [[nodiscard]] static std::uint64_t last_word(std::uint64_t rest, std::size_t octets) noexcept {
    return rest | std::uint64_t{octets} << 56U;
  }
  template <int kRounds>
  [[nodiscard]] std::uint64_t finish() noexcept {
    v2 ^= 0xffU;
    rounds<kRounds>();
    return v0 ^ v1 ^ v2 ^ v3;
  }
};

// The same of twelve octets, least significant first: a pair of IPv4 endpoints, without a loop.
[[nodiscard]] inline std::uint64_t siphash_1_3(const SipHashKey& key, std::uint64_t first_eight,
                                               std::uint32_t last_four) noexcept {
  SipState state{key};
  state.absorb<1>(first_eight);
  state.absorb<1>(SipState::last_word(last_four, 12));
  return state.finish<3>();
}
[[nodiscard]] inline std::uint64_t siphash_2_4(const SipHashKey& key, std::uint64_t first_eight,
                                               std::uint32_t last_four) noexcept {
  SipState state{key};
  state.absorb<2>(first_eight);
  state.absorb<2>(SipState::last_word(last_four, 12));
  return state.finish<4>();
}

}  // namespace runnel::base
