// Reads and writes over a socket pair, which keeps packets apart and really fills.
#include "tun/io_ring.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <array>
#include <cerrno>
#include <string>
#include <vector>

#include "tests/unit/tun/network_namespace.h"
#include "tests/unit/tun/ring_pair.h"

namespace runnel::tun {
namespace {

std::string name(std::size_t i) {
  return "packet " + std::to_string(i);
}

class Slots {
 public:
  MutableBytes operator[](std::size_t i) { return octets_[i]; }
  std::string text(std::size_t i, int size) const {
    return std::string(octets_[i].begin(), octets_[i].begin() + size);
  }

 private:
  std::array<std::array<std::uint8_t, 100>, IoRing::kMost> octets_{};
};

TEST(IoRing, ReadsInOrderWhatIsThereAndWaitsForNoMore) {
  in_network_namespace([] {
    RingPair pair;
    if (!pair.ring) return;
    Slots slots;
    for (const std::size_t there : {0U, 1U, 7U, 31U, 32U, 3U}) {
      for (std::size_t i = 0; i < there; ++i) pair.send(name(i));
      for (std::size_t i = 0; i < IoRing::kMost; ++i) pair.ring->add_read(slots[i]);
      const auto results = pair.ring->run();
      ASSERT_EQ(results.size(), IoRing::kMost);
      for (std::size_t i = 0; i < there; ++i) {
        ASSERT_GT(results[i], 0);
        EXPECT_EQ(slots.text(i, results[i]), name(i));
      }
      for (std::size_t i = there; i < IoRing::kMost; ++i) EXPECT_EQ(results[i], -EAGAIN);
    }
  });
}

TEST(IoRing, WhatWasNotAskedForStays) {
  in_network_namespace([] {
    RingPair pair;
    if (!pair.ring) return;
    Slots slots;
    for (std::size_t i = 0; i < 10; ++i) pair.send(name(i));
    for (std::size_t i = 0; i < 10; i += 2) {
      pair.ring->add_read(slots[0]);
      pair.ring->add_read(slots[1]);
      const auto results = pair.ring->run();
      ASSERT_EQ(results.size(), 2U);
      EXPECT_EQ(slots.text(0, results[0]), name(i));
      EXPECT_EQ(slots.text(1, results[1]), name(i + 1));
    }
  });
}

TEST(IoRing, WritesAndReadsAreDoneInTheOrderInWhichTheyWereAdded) {
  in_network_namespace([] {
    RingPair pair;
    if (!pair.ring) return;
    Slots slots;
    pair.send("question");
    pair.ring->add_read(slots[0]);
    pair.ring->add_write(as_bytes("first"));
    pair.ring->add_read(slots[1]);
    pair.ring->add_write(as_bytes("second"));
    const auto results = pair.ring->run();
    EXPECT_EQ(std::vector<int>(results.begin(), results.end()),
              (std::vector<int>{8, 5, -EAGAIN, 6}));
    EXPECT_EQ(slots.text(0, 8), "question");
    EXPECT_EQ(pair.next(), "first");
    EXPECT_EQ(pair.next(), "second");
  });
}

TEST(IoRing, NothingToDoIsDone) {
  in_network_namespace([] {
    RingPair pair;
    if (!pair.ring) return;
    EXPECT_TRUE(pair.ring->run().empty());
  });
}

TEST(IoRing, ErrorsAreOfEach) {
  in_network_namespace([] {
    ::signal(SIGPIPE, SIG_IGN);
    RingPair pair;
    if (!pair.ring) return;
    Slots slots;
    pair.send("last words");
    pair.hang_up();
    pair.ring->add_write(as_bytes("one"));
    pair.ring->add_read(slots[0]);
    pair.ring->add_write(as_bytes("two"));
    const auto results = pair.ring->run();
    EXPECT_EQ(std::vector<int>(results.begin(), results.end()),
              (std::vector<int>{-EPIPE, 10, -EPIPE}));
  });
}

}  // namespace
}  // namespace runnel::tun
