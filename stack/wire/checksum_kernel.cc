#include "stack/wire/checksum_kernel.h"

#include <array>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace runnel::wire {
namespace {

// --- Portable ------------------------------------------------------------------------------------

// Four sums side by side keep the additions independent of each other.
template <bool kCopies>
std::uint64_t sum_portable(std::uint8_t* to, const std::uint8_t* from, std::size_t count) noexcept {
  constexpr std::size_t kStep = sizeof(std::uint64_t);
  std::uint64_t first = 0;
  std::uint64_t second = 0;
  std::uint64_t third = 0;
  std::uint64_t fourth = 0;
  const auto take = [&](std::uint64_t& sum, std::size_t at) {
    std::uint64_t word;
    std::memcpy(&word, from + at, kStep);
    if constexpr (kCopies) std::memcpy(to + at, &word, kStep);
    add_with_carry(sum, word);
  };
  for (; count >= 4 * kStep; count -= 4 * kStep) {
    take(first, 0);
    take(second, kStep);
    take(third, 2 * kStep);
    take(fourth, 3 * kStep);
    from += 4 * kStep;
    if constexpr (kCopies) to += 4 * kStep;
  }
  if constexpr (kCopies) std::memcpy(to, from, count);
  add_with_carry(first, second);
  add_with_carry(third, fourth);
  add_with_carry(first, third);
  add_with_carry(first, portable_sum(from, count));
  return first;
}

#if defined(__x86_64__)

// --- SSE2, which every x86-64 has ----------------------------------------------------------------

// Adds both halves of the two 64-bit words in `octets`: 2^32 such additions do not overflow.
inline __m128i add_halves(__m128i sums, __m128i octets) noexcept {
  const __m128i low_halves = _mm_set1_epi64x(0xffffffff);
  sums = _mm_add_epi64(sums, _mm_and_si128(octets, low_halves));
  return _mm_add_epi64(sums, _mm_srli_epi64(octets, 32));
}

inline __m128i load_128(const std::uint8_t* from) noexcept {
  return _mm_loadu_si128(static_cast<const __m128i*>(static_cast<const void*>(from)));
}
inline void store_128(std::uint8_t* to, __m128i octets) noexcept {
  _mm_storeu_si128(static_cast<__m128i*>(static_cast<void*>(to)), octets);
}

template <bool kCopies>
std::uint64_t sum_sse2(std::uint8_t* to, const std::uint8_t* from, std::size_t count) noexcept {
  constexpr std::size_t kStep = 16;
  __m128i first = _mm_setzero_si128();
  __m128i second = _mm_setzero_si128();
  for (; count >= 2 * kStep; count -= 2 * kStep, from += 2 * kStep) {
    const __m128i a = load_128(from);
    const __m128i b = load_128(from + kStep);
    if constexpr (kCopies) {
      store_128(to, a);
      store_128(to + kStep, b);
      to += 2 * kStep;
    }
    first = add_halves(first, a);
    second = add_halves(second, b);
  }
  std::array<std::uint64_t, 2> sums;
  std::memcpy(sums.data(), &first, sizeof sums);
  std::uint64_t sum = sums[0];
  add_with_carry(sum, sums[1]);
  std::memcpy(sums.data(), &second, sizeof sums);
  for (const std::uint64_t other : sums) add_with_carry(sum, other);
  add_with_carry(sum, sum_portable<kCopies>(to, from, count));
  return sum;
}

// --- AVX2 ----------------------------------------------------------------------------------------

[[gnu::target("avx2")]] inline __m256i add_halves(__m256i sums, __m256i octets) noexcept {
  const __m256i low_halves = _mm256_set1_epi64x(0xffffffff);
  sums = _mm256_add_epi64(sums, _mm256_and_si256(octets, low_halves));
  return _mm256_add_epi64(sums, _mm256_srli_epi64(octets, 32));
}

[[gnu::target("avx2")]] inline __m256i load_256(const std::uint8_t* from) noexcept {
  return _mm256_loadu_si256(static_cast<const __m256i*>(static_cast<const void*>(from)));
}
[[gnu::target("avx2")]] inline void store_256(std::uint8_t* to, __m256i octets) noexcept {
  _mm256_storeu_si256(static_cast<__m256i*>(static_cast<void*>(to)), octets);
}

template <bool kCopies>
[[gnu::target("avx2")]] std::uint64_t sum_avx2(std::uint8_t* to, const std::uint8_t* from,
                                               std::size_t count) noexcept {
  constexpr std::size_t kStep = 32;
  __m256i first = _mm256_setzero_si256();
  __m256i second = _mm256_setzero_si256();
  for (; count >= 4 * kStep; count -= 4 * kStep, from += 4 * kStep) {
    const __m256i a = load_256(from);
    const __m256i b = load_256(from + kStep);
    const __m256i c = load_256(from + 2 * kStep);
    const __m256i d = load_256(from + 3 * kStep);
    if constexpr (kCopies) {
      store_256(to, a);
      store_256(to + kStep, b);
      store_256(to + 2 * kStep, c);
      store_256(to + 3 * kStep, d);
      to += 4 * kStep;
    }
    first = add_halves(add_halves(first, a), c);
    second = add_halves(add_halves(second, b), d);
  }
  std::array<std::uint64_t, 4> sums;
  first = _mm256_add_epi64(first, second);
  std::memcpy(sums.data(), &first, sizeof sums);
  // g++ 12 does not do this by itself for a function with a target of its own, and all SSE code of
  // the process, the compiler's too, would wait for the upper halves of its registers from then on.
  _mm256_zeroupper();
  std::uint64_t sum = sum_sse2<kCopies>(to, from, count);
  for (const std::uint64_t other : sums) add_with_carry(sum, other);
  return sum;
}

// Asks the processor whether it has AVX2, and whether the system saves its registers.
bool has_avx2() noexcept {
  constexpr unsigned kOsXsaveAndAvx = (1U << 27U) | (1U << 28U);  // leaf 1, ECX
  constexpr unsigned kAvx2 = 1U << 5U;                            // leaf 7, EBX
  constexpr unsigned kXmmAndYmm = 0x6;                            // XCR0
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0) return false;
  if ((ecx & kOsXsaveAndAvx) != kOsXsaveAndAvx) return false;
  asm volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
  if ((eax & kXmmAndYmm) != kXmmAndYmm) return false;
  return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (ebx & kAvx2) != 0;
}

#endif

template <std::uint64_t (*kLoop)(std::uint8_t*, const std::uint8_t*, std::size_t) noexcept>
std::uint64_t without_copy(const std::uint8_t* from, std::size_t count) noexcept {
  return kLoop(nullptr, from, count);
}

constexpr ChecksumKernel kPortable{"portable", without_copy<sum_portable<false>>,
                                   sum_portable<true>};

}  // namespace

std::span<const ChecksumKernel> checksum_kernels() noexcept {
#if defined(__x86_64__)
  static constexpr std::array<ChecksumKernel, 3> kAll{
      {{"AVX2", without_copy<sum_avx2<false>>, sum_avx2<true>},
       {"SSE2", without_copy<sum_sse2<false>>, sum_sse2<true>},
       kPortable}};
  static const std::size_t kFirst = has_avx2() ? 0 : 1;
  return std::span(kAll).subspan(kFirst);
#else
  static constexpr std::array<ChecksumKernel, 1> kAll{kPortable};
  return kAll;
#endif
}

}  // namespace runnel::wire
