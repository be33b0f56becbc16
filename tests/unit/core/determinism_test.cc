// The same seed, the same octets at the same nanoseconds; another seed, others.
#include <gtest/gtest.h>

#include "tests/support/transfer.h"

namespace runnel::test {
namespace {

HostPairOptions eventful(std::uint64_t seed, bool offload) {
  HostPairOptions options;
  options.seed = seed;
  options.offload = offload;
  options.loss_per_mille = 30;
  options.duplicates_per_mille = 30;
  options.reordering_per_mille = 50;
  options.check_with_libtins = false;
  return options;
}

class Determinism : public ::testing::TestWithParam<bool> {};

TEST_P(Determinism, TwoRunsWithTheSameSeedEmitTheSameTrace) {
  HostPair first(eventful(7, GetParam()));
  HostPair second(eventful(7, GetParam()));
  const Duration first_taken = transfer_and_expect_everything(first, 200'000, 200'000);
  const Duration second_taken = transfer_and_expect_everything(second, 200'000, 200'000);
  EXPECT_EQ(first_taken, second_taken);
  EXPECT_EQ(first.trace_digest(), second.trace_digest());
  ASSERT_EQ(first.trace().size(), second.trace().size());
  for (std::size_t i = 0; i < first.trace().size(); ++i) {
    ASSERT_EQ(first.trace()[i].at, second.trace()[i].at) << "packet " << i;
    ASSERT_EQ(first.trace()[i].direction, second.trace()[i].direction) << "packet " << i;
    ASSERT_EQ(first.trace()[i].octets, second.trace()[i].octets) << "packet " << i;
  }
}

TEST_P(Determinism, AnotherSeedIsAnotherTrace) {
  HostPair first(eventful(7, GetParam()));
  HostPair second(eventful(8, GetParam()));
  transfer_and_expect_everything(first, 50'000, 50'000);
  transfer_and_expect_everything(second, 50'000, 50'000);
  EXPECT_NE(first.trace_digest(), second.trace_digest());
}

INSTANTIATE_TEST_SUITE_P(Offload, Determinism, ::testing::Bool());

}  // namespace
}  // namespace runnel::test
