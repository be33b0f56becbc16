// What a run of the test program changes for all tests, from its environment: see TcpTester.
#pragma once

#include <cstdint>

#include "runnel/time.h"

namespace runnel::test {

inline constexpr std::uint64_t kTesterSeed = 20;
inline constexpr std::uint32_t kIsnNearWrap = 0xfffffff0;

// RUNNEL_TEST_ISN_NEAR_WRAP=1
[[nodiscard]] bool has_isn_near_wrap();
// When the clock-driven ISN between the tester's two endpoints is kIsnNearWrap.
[[nodiscard]] Instant start_for_isn_near_wrap();

// RUNNEL_TEST_HIBERNATION=1: connections hibernate as soon as they are at rest.
[[nodiscard]] bool hibernates_at_once();

// RUNNEL_TEST_TIMESTAMPS
enum class TimestampsByDefault : std::uint8_t {
  StackOnly,  // unset: the stack offers them, the peer has none
  On,
  Off,
};
[[nodiscard]] TimestampsByDefault timestamps_by_default();

}  // namespace runnel::test
