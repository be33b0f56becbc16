#include "tun/poller.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "runnel/system.h"
#include "runnel/tun_device.h"
#include "runnel/unique_fd.h"

namespace runnel::tun {
namespace {

using namespace std::chrono_literals;

// Both ways to keep the time behave the same.
class PollerTest : public ::testing::TestWithParam<Poller::Clockwork> {
 protected:
  Poller poller_{GetParam()};
  UniqueFd event_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
};

TEST_P(PollerTest, WaitsAsLongAsItWasToldAndNoShorter) {
  const Instant begin = monotonic_now();
  EXPECT_TRUE(poller_.wait(3ms).empty());
  EXPECT_GE(monotonic_now() - begin, 3ms);
}

TEST_P(PollerTest, TimesBelowAMillisecondAreKept) {
  // The best of some: another program may have taken the processor in between.
  Duration best = 1s;
  for (int i = 0; i < 50; ++i) {
    const Instant begin = monotonic_now();
    EXPECT_TRUE(poller_.wait(200us).empty());
    const Duration took = monotonic_now() - begin;
    EXPECT_GE(took, 200us);
    best = std::min(best, took);
  }
  EXPECT_LT(best, 1ms);
}

TEST_P(PollerTest, ZeroAndNegativeTimesDoNotWait) {
  const Instant begin = monotonic_now();
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(poller_.wait(i % 2 == 0 ? 0ns : -1s).empty());
  EXPECT_LT(monotonic_now() - begin, 1s);
}

TEST_P(PollerTest, ReportsWhatIsReady) {
  ASSERT_TRUE(poller_.watch(event_.get(), EPOLLIN));
  EXPECT_TRUE(poller_.wait(0ns).empty());
  ::eventfd_write(event_.get(), 1);
  const auto ready = poller_.wait(std::nullopt);
  ASSERT_EQ(ready.size(), 1U);
  EXPECT_EQ(ready[0].data.fd, event_.get());
  EXPECT_EQ(ready[0].events, std::uint32_t{EPOLLIN});
}

TEST_P(PollerTest, ATimeLimitThatHasPassedDoesNotEndTheNextWait) {
  EXPECT_TRUE(poller_.wait(1ms).empty());
  ASSERT_TRUE(poller_.watch(event_.get(), EPOLLIN));
  const Instant begin = monotonic_now();
  EXPECT_TRUE(poller_.wait(2ms).empty());
  EXPECT_GE(monotonic_now() - begin, 2ms);
}

TEST_P(PollerTest, WatchingAgainChangesTheEvents) {
  ASSERT_TRUE(poller_.watch(event_.get(), EPOLLIN));
  ASSERT_TRUE(poller_.watch(event_.get(), EPOLLIN | EPOLLOUT));
  const auto ready = poller_.wait(0ns);
  ASSERT_EQ(ready.size(), 1U);
  EXPECT_EQ(ready[0].events, std::uint32_t{EPOLLOUT});
}

TEST_P(PollerTest, AForgottenDescriptorIsNotReported) {
  ASSERT_TRUE(poller_.watch(event_.get(), EPOLLIN));
  ::eventfd_write(event_.get(), 1);
  poller_.forget(event_.get());
  poller_.forget(event_.get());  // harmless
  EXPECT_TRUE(poller_.wait(0ns).empty());
}

TEST_P(PollerTest, SaysWhichDescriptorsAreAlwaysReady) {
  const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_FALSE(poller_.watch(null.get(), EPOLLIN));
}

TEST_P(PollerTest, ADescriptorThatIsNotOpenIsAnError) {
  EXPECT_THROW(poller_.watch(-1, EPOLLIN), DeviceError);
}

INSTANTIATE_TEST_SUITE_P(BothClockworks, PollerTest,
                         ::testing::Values(Poller::Clockwork::Pwait2, Poller::Clockwork::TimerFd),
                         [](const auto& parameter) {
                           return parameter.param == Poller::Clockwork::Pwait2 ? "Pwait2"
                                                                               : "TimerFd";
                         });

}  // namespace
}  // namespace runnel::tun
