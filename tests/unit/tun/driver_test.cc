// The loop over one end of a socket pair; driver_link_test.cc has it over a real TUN.
#include "runnel/driver.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "runnel/impairment.h"
#include "runnel/random.h"
#include "runnel/system.h"
#include "runnel/unique_fd.h"
#include "tests/unit/tun/packets.h"
#include "tests/unit/tun/pair_device.h"

namespace runnel::tun {
namespace {

using namespace std::chrono_literals;

class DriverTest : public ::testing::Test {
 protected:
  explicit DriverTest(const Config& config = {}) : stack_(config, random_) {
    EXPECT_TRUE(stack_.add_address({IpAddress(192, 0, 2, 2), 24}));
  }
  // Runs until `condition` holds; false after five seconds.
  template <typename Condition>
  bool run_until(Condition condition) {
    const Instant end = monotonic_now() + 5s;
    while (!condition()) {
      if (monotonic_now() > end) return false;
      driver_.run_once(10ms);
    }
    return true;
  }

  SeededRandom random_{1};
  Stack stack_;
  Sockets sockets_{stack_};
  PairDevice device_;
  Driver driver_{stack_, sockets_, device_};
};

TEST_F(DriverTest, APacketIsAnsweredInOneTurn) {
  ASSERT_TRUE(device_.inject(echo_request(1)));
  driver_.run_once(0ns);
  EXPECT_EQ(reply_sequence(device_.next()), 1);
}

TEST_F(DriverTest, PacketsThatTheDeviceHeldBackAreDueWithoutAnythingElse) {
  ImpairedDevice late(device_, {.delay = 30ms}, monotonic_now);
  Driver driver(stack_, sockets_, late);
  ASSERT_TRUE(device_.inject(echo_request(1)));
  const Instant start = monotonic_now();
  int turns = 0;
  std::optional<std::uint16_t> sequence;
  while (!(sequence = reply_sequence(device_.next())) && monotonic_now() < start + 5s) {
    driver.run_once(5s);
    ++turns;
  }
  EXPECT_EQ(sequence, 1);
  EXPECT_GE(monotonic_now() - start, 60ms);
  EXPECT_LT(turns, 10) << "it should sleep, not ask";
}

TEST_F(DriverTest, ABurstOfPacketsIsAnsweredInOrder) {
  std::uint16_t sent = 0;
  std::uint16_t received = 0;
  EXPECT_TRUE(run_until([&] {
    while (sent < 1000 && device_.inject(echo_request(sent))) ++sent;
    while (const auto sequence = reply_sequence(device_.next())) EXPECT_EQ(*sequence, received++);
    return received == 1000;
  })) << received;
}

TEST_F(DriverTest, AFullDeviceLosesNothing) {
  // The replies of 200 requests do not fit; nobody reads them until all are sent.
  std::uint16_t sent = 0;
  EXPECT_TRUE(run_until([&] {
    if (sent < 200 && device_.inject(echo_request(sent, 500 + sent))) ++sent;
    return sent == 200;
  }));
  EXPECT_TRUE(run_until([&] { return device_.fulls > 0; }));
  std::uint16_t received = 0;
  EXPECT_TRUE(run_until([&] {
    for (Octets packet = device_.next(); !packet.empty(); packet = device_.next()) {
      EXPECT_EQ(reply_sequence(packet), received);
      EXPECT_EQ(Octets(packet.begin() + 28, packet.end()), pattern(500U + received));
      ++received;
    }
    return received == 200;
  })) << received;
}

TEST_F(DriverTest, AFullDeviceIsWaitedForAndNotAskedAgainAndAgain) {
  std::uint16_t sent = 0;
  EXPECT_TRUE(run_until([&] {
    if (device_.fulls == 0 && device_.inject(echo_request(sent, 500))) ++sent;
    return device_.fulls > 0;
  }));
  for (int i = 0; i < 20; ++i) driver_.run_once(1ms);
  EXPECT_EQ(device_.fulls, 1);
}

// Keeps packets until the end of the batch.
class BatchingDevice : public PairDevice {
 public:
  WriteStatus write_in_batch(TxFrame& frame) override {
    if (batch_.size() >= 16 && finish_batch() == WriteStatus::Full) return WriteStatus::Full;
    Octets flat(frame.size());
    frame.copy_to(flat);
    batch_.push_back(std::move(flat));
    return WriteStatus::Written;
  }
  WriteStatus finish_batch() override {
    while (!batch_.empty()) {
      if (send(batch_.front()) == WriteStatus::Full) return WriteStatus::Full;
      batch_.erase(batch_.begin());
    }
    return WriteStatus::Written;
  }

 private:
  std::vector<Octets> batch_;
};

TEST_F(DriverTest, AFullDeviceThatKeepsBatchesLosesNothing) {
  BatchingDevice device;
  Driver driver(stack_, sockets_, device);
  std::uint16_t sent = 0;
  std::uint16_t received = 0;
  const Instant end = monotonic_now() + 5s;
  const auto run_until_full = [&] {
    const int before = device.fulls;
    while (device.fulls == before && sent < 400 && monotonic_now() < end) {
      if (device.inject(echo_request(sent, 500))) ++sent;
      driver.run_once(0ns);
    }
  };
  while (received < 400 && monotonic_now() < end) {
    run_until_full();
    const int fulls = device.fulls;
    for (int i = 0; i < 20; ++i) driver.run_once(1ms);
    EXPECT_LE(device.fulls, fulls + 1) << "it is waited for";
    while (const auto sequence = reply_sequence(device.next())) EXPECT_EQ(*sequence, received++);
  }
  EXPECT_EQ(received, 400);
  EXPECT_GT(device.fulls, 1);
}

TEST_F(DriverTest, InputGoesOnWhileTheDeviceIsFull) {
  std::uint16_t sent = 0;
  EXPECT_TRUE(run_until([&] {
    if (device_.inject(echo_request(sent, 500))) ++sent;
    return device_.fulls > 0;
  }));
  const auto before = stack_.counters().ip_in_receives;
  ASSERT_TRUE(run_until([&] { return device_.inject(echo_request(9999)); }));
  EXPECT_TRUE(run_until([&] { return stack_.counters().ip_in_receives > before; }));
}

TEST_F(DriverTest, PostedFunctionsRunInOrderInTheLoopsThread) {
  std::vector<int> order;
  const auto loop = std::this_thread::get_id();
  std::thread other([&] {
    for (int i = 0; i < 100; ++i) {
      driver_.post([&, i] {
        EXPECT_EQ(std::this_thread::get_id(), loop);
        order.push_back(i);
      });
    }
    driver_.post([&] { driver_.stop(); });
  });
  driver_.run();
  other.join();
  ASSERT_EQ(order.size(), 100U);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
}

TEST_F(DriverTest, TimersAreExactWhileItRuns) {
  const int before = ::prctl(PR_GET_TIMERSLACK);
  driver_.post([&] {
    EXPECT_EQ(::prctl(PR_GET_TIMERSLACK), 1);
    driver_.stop();
  });
  driver_.run();
  EXPECT_EQ(::prctl(PR_GET_TIMERSLACK), before);
}

Config hasty() {
  Config config;
  config.tcp.rto_initial = config.tcp.rto_minimum = 10ms;
  return config;
}

class HastyDriverTest : public DriverTest {
 protected:
  HastyDriverTest() : DriverTest(hasty()) {}
};

TEST_F(HastyDriverTest, AnAnswerThatIsThereCountsBeforeTheTimerThatWaitedForIt) {
  ASSERT_TRUE(stack_.connect({IpAddress(192, 0, 2, 1), 80}));
  driver_.run_once(0ns);
  const Octets sent = device_.next();
  ASSERT_FALSE(sent.empty());
  driver_.run_once(0ns);
  ASSERT_EQ(stack_.counters().tcp_retransmission_timeouts, 0U);

  // The loop does not run for a while: both the answer and the timer are due then.
  Tins::IP syn(sent.data(), static_cast<std::uint32_t>(sent.size()));
  const auto& header = syn.rfind_pdu<Tins::TCP>();
  Tins::TCP answer(header.sport(), 80);
  answer.flags(Tins::TCP::SYN | Tins::TCP::ACK);
  answer.seq(1);
  answer.ack_seq(header.seq() + 1);
  answer.window(65535);
  std::this_thread::sleep_for(20ms);
  ASSERT_TRUE(device_.inject((Tins::IP("192.0.2.2", "192.0.2.1") / answer).serialize()));
  driver_.run_once(0ns);
  EXPECT_EQ(stack_.counters().tcp_retransmission_timeouts, 0U);
  EXPECT_EQ(stack_.counters().tcp_retrans_segs, 0U);
}

TEST_F(DriverTest, APostWakesASleepingLoop) {
  std::thread other([&] { driver_.post([&] { driver_.stop(); }); });
  driver_.run();  // without a packet, without a timer
  other.join();
}

TEST_F(DriverTest, AFunctionMayPostAnother) {
  int depth = 0;
  std::function<void()> again = [&] {
    if (++depth == 5) {
      driver_.stop();
    } else {
      driver_.post(again);
    }
  };
  driver_.post(again);
  driver_.run();
  EXPECT_EQ(depth, 5);
}

TEST_F(DriverTest, WhatAFunctionThrowsComesOutAndTheRestRunsLater) {
  bool ran = false;
  driver_.post([] { throw std::runtime_error("mine"); });
  driver_.post([&] { ran = true; });
  EXPECT_THROW(driver_.run(), std::runtime_error);
  EXPECT_FALSE(ran);
  driver_.post([&] { driver_.stop(); });
  driver_.run();
  EXPECT_TRUE(ran);
}

TEST_F(DriverTest, TimersRunInTheOrderOfTheirTimesAndNotEarly) {
  std::string order;
  const Instant begin = monotonic_now();
  driver_.after(3ms, [&] { order += 'c'; });
  driver_.after(1ms, [&] { order += 'a'; });
  driver_.after(4ms, [&] { driver_.stop(); });
  driver_.after(2ms, [&] {
    EXPECT_GE(monotonic_now() - begin, 2ms);
    order += 'b';
  });
  driver_.run();
  EXPECT_EQ(order, "abc");
  EXPECT_GE(monotonic_now() - begin, 4ms);
}

TEST_F(DriverTest, ATimerMaySetAnotherAndOneOfAllTimeNeverRuns) {
  int runs = 0;
  std::function<void()> again = [&] {
    if (++runs == 3) {
      driver_.stop();
    } else {
      driver_.after(0ns, again);
    }
  };
  driver_.after(0ns, again);
  driver_.after(Duration::max(), [] { ADD_FAILURE() << "292 years have passed"; });
  driver_.run();
  EXPECT_EQ(runs, 3);
}

TEST_F(DriverTest, AWatchedDescriptorRunsItsFunctionUntilUnwatched) {
  const UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  int runs = 0;
  driver_.watch(event.get(), [&] {
    if (++runs == 3) driver_.unwatch(event.get());  // it stays readable
  });
  driver_.run_once(0ns);
  EXPECT_EQ(runs, 0);
  ::eventfd_write(event.get(), 1);
  for (int i = 0; i < 10; ++i) driver_.run_once(0ns);
  EXPECT_EQ(runs, 3);
}

TEST_F(DriverTest, WatchingAgainReplacesTheFunction) {
  const UniqueFd event(::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK));
  driver_.watch(event.get(), [] { ADD_FAILURE() << "replaced"; });
  bool ran = false;
  driver_.watch(event.get(), [&] { ran = true; });
  driver_.run_once(0ns);
  EXPECT_TRUE(ran);
}

TEST_F(DriverTest, AFunctionMayUnwatchAnotherThatIsReadyToo) {
  const UniqueFd one(::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK));
  const UniqueFd other(::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK));
  int runs = 0;
  for (const int descriptor : {one.get(), other.get()}) {
    driver_.watch(descriptor, [&] {
      ++runs;
      driver_.unwatch(one.get());
      driver_.unwatch(other.get());
    });
  }
  for (int i = 0; i < 5; ++i) driver_.run_once(0ns);
  EXPECT_EQ(runs, 1);
}

TEST_F(DriverTest, TheEndOfAPipeIsReported) {
  int ends[2] = {-1, -1};
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd reader(ends[0]);
  { const UniqueFd writer(ends[1]); }
  bool ran = false;
  driver_.watch(reader.get(), [&] {
    ran = true;
    driver_.unwatch(reader.get());
  });
  driver_.run_once(1s);
  EXPECT_TRUE(ran);
}

TEST_F(DriverTest, ARegularFileIsAlwaysReadable) {
  const UniqueFd file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(file);
  int runs = 0;
  driver_.watch(file.get(), [&] {
    if (++runs == 3) {
      driver_.unwatch(file.get());
      driver_.stop();
    }
  });
  driver_.run();
  EXPECT_EQ(runs, 3);
}

TEST_F(DriverTest, StopWritesWhatIsQueued) {
  driver_.post([&] {
    for (std::uint16_t i = 0; i < 100; ++i) {
      EXPECT_TRUE(stack_.send_echo_request(IpAddress(192, 0, 2, 1), 1, i, {}));
    }
    driver_.stop();
  });
  std::size_t packets = 0;
  std::thread reader([&] {  // slowly: the device is Full in between
    const Instant end = monotonic_now() + 5s;
    while (packets < 100 && monotonic_now() < end) {
      if (!device_.next().empty()) ++packets;
    }
  });
  driver_.run();
  reader.join();
  EXPECT_EQ(packets, 100U);
}

TEST_F(DriverTest, StopDoesNotWaitForADeviceThatStaysFull) {
  driver_.post([&] {
    for (std::uint16_t i = 0; i < 500; ++i) {
      EXPECT_TRUE(stack_.send_echo_request(IpAddress(192, 0, 2, 1), 1, i, {}));
    }
    driver_.stop();
  });
  driver_.run();  // ends
  EXPECT_GT(device_.fulls, 0);
}

TEST_F(DriverTest, StopBeforeRunEndsItAtOnceAndOnce) {
  driver_.stop();
  driver_.run();
  bool ran = false;
  driver_.post([&] {
    ran = true;
    driver_.stop();
  });
  driver_.run();
  EXPECT_TRUE(ran);
}

TEST_F(DriverTest, ADeviceThatIsGoneEndsTheLoop) {
  device_.is_gone = true;
  EXPECT_THROW(driver_.run(), DeviceError);
}

TEST_F(DriverTest, AnIdleLoopSleeps) {
  const Instant begin = monotonic_now();
  driver_.run_once(20ms);
  EXPECT_GE(monotonic_now() - begin, 20ms);
}

TEST_F(DriverTest, AnIdleLoopDoesNotAskTheDevice) {
  driver_.after(50ms, [&] { driver_.stop(); });
  driver_.run();
  EXPECT_LE(device_.reads, 2);
}

TEST_F(DriverTest, AnErrorThatReadDoesNotExplainDoesNotSpin) {
  device_.hang_up();  // epoll reports EPOLLHUP for ever
  driver_.after(350ms, [&] { driver_.stop(); });
  driver_.run();
  EXPECT_LE(device_.reads, 10);
}

TEST_F(DriverTest, PacketsOfAHostToItselfDoNotWaitForAnythingElse) {
  ASSERT_TRUE(stack_.send_echo_request(IpAddress(192, 0, 2, 2), 1, 1, {}));
  driver_.run_once(0ns);
  driver_.run_once(0ns);
  EXPECT_TRUE(stack_.poll_echo_reply());
  EXPECT_TRUE(device_.next().empty()) << "they do not leave";
}

// Two drivers on the queues of what the world takes for one host.
class TwoQueuesTest : public DriverTest {
 protected:
  TwoQueuesTest() : DriverTest(with_a_sibling()), other_stack_(with_a_sibling(), random_) {
    EXPECT_TRUE(other_stack_.add_address({IpAddress(192, 0, 2, 2), 24}));
    driver_.pass_strays_to(other_);
    other_.pass_strays_to(driver_);
  }
  static Config with_a_sibling() {
    Config config;
    config.sibling_stacks = 1;
    return config;
  }
  static Octets packet(Tins::TCP tcp, std::uint32_t seq, std::uint32_t ack) {
    tcp.seq(seq);
    tcp.ack_seq(ack);
    tcp.window(65535);
    return (Tins::IP("192.0.2.2", "192.0.2.1") / tcp).serialize();
  }
  static Octets segment(std::uint32_t seq, std::uint32_t ack, std::uint16_t flags) {
    Tins::TCP tcp(7, 50000);
    tcp.flags(flags);
    return packet(tcp, seq, ack);
  }
  static Tins::TCP tcp_of(const Octets& octets) {
    EXPECT_FALSE(octets.empty());
    if (octets.empty()) return {};
    return Tins::IP(octets.data(), static_cast<std::uint32_t>(octets.size()))
        .rfind_pdu<Tins::TCP>();
  }
  void turn_both() {
    for (int i = 0; i < 3; ++i) {
      driver_.run_once(0ns);
      other_.run_once(0ns);
    }
  }

  Stack other_stack_;
  Sockets other_sockets_{other_stack_};
  PairDevice other_device_;
  Driver other_{other_stack_, other_sockets_, other_device_};
};

TEST_F(TwoQueuesTest, AConnectionGoesOnWhenItsPacketsComeByTheOtherQueue) {
  ASSERT_TRUE(stack_.listen({IpAddress(), 7}));
  ASSERT_TRUE(other_stack_.listen({IpAddress(), 7}));
  ASSERT_TRUE(device_.inject(segment(100, 0, Tins::TCP::SYN)));
  turn_both();
  const Tins::TCP syn_ack = tcp_of(device_.next());
  ASSERT_EQ(syn_ack.flags(), Tins::TCP::SYN | Tins::TCP::ACK);
  ASSERT_TRUE(other_device_.inject(segment(101, syn_ack.seq() + 1, Tins::TCP::ACK)));
  turn_both();
  EXPECT_EQ(stack_.connection_count(), 1U);
  EXPECT_EQ(other_stack_.connection_count(), 0U);
  ASSERT_TRUE(
      other_device_.inject(segment(101, syn_ack.seq() + 1, Tins::TCP::FIN | Tins::TCP::ACK)));
  turn_both();
  EXPECT_EQ(tcp_of(device_.next()).ack_seq(), 102U) << "by the queue of the connection";
  EXPECT_TRUE(other_device_.next().empty());
}

TEST_F(TwoQueuesTest, AListenerOfOneIsReachedByBoth) {
  ASSERT_TRUE(stack_.listen({IpAddress(), 7}));
  ASSERT_TRUE(other_device_.inject(segment(100, 0, Tins::TCP::SYN)));
  turn_both();
  EXPECT_EQ(tcp_of(device_.next()).flags(), Tins::TCP::SYN | Tins::TCP::ACK);
}

TEST_F(TwoQueuesTest, WhatNobodyKnowsIsRefusedOnce) {
  ASSERT_TRUE(device_.inject(segment(100, 1, Tins::TCP::ACK)));
  turn_both();
  EXPECT_EQ(tcp_of(other_device_.next()).flags(), Tins::TCP::RST);
  EXPECT_TRUE(device_.next().empty());
}

TEST_F(TwoQueuesTest, AFloodOfStraysForADriverThatDoesNotRunIsBounded) {
  for (int i = 0; i < 3000; ++i) {
    ASSERT_TRUE(run_until([&] { return device_.inject(segment(100, 1, Tins::TCP::ACK)); }));
  }
  for (int i = 0; i < 100; ++i) driver_.run_once(0ns);
  const auto before = other_stack_.counters().ip_in_receives;
  for (int i = 0; i < 100; ++i) other_.run_once(0ns);
  const auto shown = other_stack_.counters().ip_in_receives - before;
  EXPECT_GE(shown, 256U);
  EXPECT_LE(shown, 1024U);
  EXPECT_EQ(shown + stack_.counters().dropped(DropReason::StrayNotTaken), 3000U);
}

TEST_F(DriverTest, BusyPollFindsThePacketBeforeItSleepsAndEndsWithThePackets) {
  Driver driver(stack_, sockets_, device_, {.busy_poll = 20ms});
  std::thread peer([&] {
    for (std::uint16_t i = 0; i < 50; ++i) {
      EXPECT_TRUE(device_.inject(echo_request(i)));
      const Instant end = monotonic_now() + 5s;
      while (!reply_sequence(device_.next()) && monotonic_now() < end) {
      }
    }
    driver.post([&] { driver.after(500ms, [&] { driver.stop(); }); });
  });
  driver.run();
  peer.join();
  EXPECT_GT(device_.reads, 100) << "it asked and asked";
  const int reads = device_.reads;
  driver.after(50ms, [&] { driver.stop(); });
  driver.run();
  EXPECT_LT(device_.reads - reads, 10) << "silence is slept through";
}

Config poor() {
  Config config;
  config.memory_budget_octets = 100 * 1024;  // one receive block, not two
  return config;
}

class PoorDriverTest : public DriverTest {
 protected:
  PoorDriverTest() : DriverTest(poor()) {}
};

TEST_F(PoorDriverTest, PacketsAreReadEvenWhenTheBudgetHasNoBlockForThem) {
  driver_.run_once(0ns);
  ASSERT_FALSE(stack_.acquire_rx_buffer()) << "the budget is spent";
  for (std::uint16_t i = 0; i < 3; ++i) {
    ASSERT_TRUE(device_.inject(echo_request(i)));
    driver_.run_once(0ns);
    EXPECT_EQ(reply_sequence(device_.next()), i);
  }
}

Config destitute() {
  Config config;
  config.memory_budget_octets = 1024;
  return config;
}

class DestituteDriverTest : public DriverTest {
 protected:
  DestituteDriverTest() : DriverTest(destitute()) {}
};

TEST_F(DestituteDriverTest, WithoutAnyMemoryForPacketsTheLoopDoesNotSpin) {
  ASSERT_TRUE(device_.inject(echo_request(1)));
  driver_.after(55ms, [&] { driver_.stop(); });
  driver_.run();
  EXPECT_EQ(device_.reads, 0);
}

}  // namespace
}  // namespace runnel::tun
