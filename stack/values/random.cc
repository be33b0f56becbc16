#include "runnel/random.h"

#include <bit>
#include <cassert>

namespace runnel {
namespace {

// Spreads a seed over as many words as are asked for: splitmix64 (Steele, Lea and Flood).
std::uint64_t split_mix(std::uint64_t& state) noexcept {
  state += 0x9e3779b97f4a7c15U;
  std::uint64_t z = state;
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31U);
}

}  // namespace

SeededRandom::SeededRandom(std::uint64_t seed) noexcept {
  for (std::uint64_t& word : state_) word = split_mix(seed);
}

std::uint64_t SeededRandom::next() {
  auto& s = state_;
  const std::uint64_t result = std::rotl(s[1] * 5, 7) * 9;
  const std::uint64_t shifted = s[1] << 17U;
  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= shifted;
  s[3] = std::rotl(s[3], 45);
  return result;
}

std::uint64_t SeededRandom::below(std::uint64_t bound) {
  assert(bound > 0);
  // The 2^64 mod bound lowest numbers are refused: what is left divides evenly.
  const std::uint64_t refused = (0 - bound) % bound;
  std::uint64_t number = next();
  while (number < refused) number = next();
  return number % bound;
}

}  // namespace runnel
