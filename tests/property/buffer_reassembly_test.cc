// Random overlapping adds to the reassembly queue against a map of octets.
//
// Every copy of an octet has another value, so that the stream shows which copy was kept.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <random>
#include <vector>

#include "stack/base/memory_budget.h"
#include "stack/buffer/reassembly_queue.h"
#include "stack/buffer/slab.h"
#include "stack/buffer/slice_queue.h"

namespace runnel::buffer {
namespace {

// The octets that are held, by offset; the rules of ReassemblyQueue, octet by octet.
class Model {
 public:
  ReassemblyQueue::AddOutcome add(std::uint64_t offset, Bytes bytes) {
    ReassemblyQueue::AddOutcome outcome;
    if (bytes.empty()) return outcome;
    if (!touches(offset, offset + bytes.size())) {
      const auto held = ranges();
      if (held.size() == ReassemblyQueue::kMaxRanges) {
        const auto highest = held.back();
        if (offset > highest.begin) {
          outcome.refused_octets = bytes.size();
          return outcome;
        }
        outcome.evicted_octets = static_cast<std::size_t>(highest.end - highest.begin);
        octets_.erase(octets_.find(highest.begin), octets_.end());
      }
    }
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      const bool is_new = octets_.try_emplace(offset + i, bytes[i]).second;
      ++(is_new ? outcome.added_octets : outcome.duplicate_octets);
    }
    return outcome;
  }

  std::vector<std::uint8_t> pop_contiguous(std::uint64_t offset) {
    octets_.erase(octets_.begin(), octets_.lower_bound(offset));
    std::vector<std::uint8_t> out;
    while (!octets_.empty() && octets_.begin()->first == offset + out.size()) {
      out.push_back(octets_.begin()->second);
      octets_.erase(octets_.begin());
    }
    return out;
  }

  [[nodiscard]] std::vector<ReassemblyQueue::Range> ranges() const {
    std::vector<ReassemblyQueue::Range> out;
    for (const auto& [offset, octet] : octets_) {
      if (out.empty() || out.back().end != offset) out.push_back({offset, offset});
      ++out.back().end;
    }
    return out;
  }
  [[nodiscard]] std::size_t size() const { return octets_.size(); }

 private:
  // Whether an octet in or next to the range is held.
  [[nodiscard]] bool touches(std::uint64_t begin, std::uint64_t end) const {
    const auto next = octets_.lower_bound(begin == 0 ? 0 : begin - 1);
    return next != octets_.end() && next->first <= end;
  }

  std::map<std::uint64_t, std::uint8_t> octets_;
};

struct Shape {
  std::uint64_t window;  // how far ahead of the stream the peer sends
  std::size_t longest;   // of one segment
};

class ReassemblyProperty : public testing::TestWithParam<Shape> {};

TEST_P(ReassemblyProperty, FirstCopyWinsWhateverTheOrder) {
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed);
    base::MemoryBudget budget(std::size_t{1} << 30U);
    SlabPool pool(budget);
    ReassemblyQueue queue;
    Model model;
    SliceQueue out;
    std::uint64_t received = random() % 1000;
    for (int step = 0; step < 1'000; ++step) {
      if (random() % 16 == 0) {
        // Half of the time where the gap is, else after a jump as an in-order segment makes it.
        if (random() % 2 == 0) received += random() % (GetParam().window / 4);
        const auto expected = model.pop_contiguous(received);
        ASSERT_EQ(queue.pop_contiguous(received, out), expected.size());
        std::vector<std::uint8_t> got(out.size());
        out.read(got);
        ASSERT_EQ(got, expected);
        received += expected.size();
      } else {
        const std::uint64_t offset = received + random() % GetParam().window;
        std::vector<std::uint8_t> octets(1 + random() % GetParam().longest);
        for (auto& octet : octets) octet = static_cast<std::uint8_t>(random());
        // Some in blocks of their size (kept by reference), some in large ones (copied).
        Slice slice{pool.acquire(random() % 2 == 0 ? octets.size() : SlabPool::kLargest), 0,
                    static_cast<std::uint32_t>(octets.size())};
        std::copy(octets.begin(), octets.end(), slice.slab->data());
        const auto expected = model.add(offset, octets);
        const auto outcome = queue.add(offset, slice);
        ASSERT_EQ(outcome.added_octets, expected.added_octets);
        ASSERT_EQ(outcome.duplicate_octets, expected.duplicate_octets);
        ASSERT_EQ(outcome.refused_octets, expected.refused_octets);
        ASSERT_EQ(outcome.evicted_octets, expected.evicted_octets);
      }
      ASSERT_EQ(queue.octets(), model.size());
      ASSERT_EQ(queue.empty(), model.size() == 0);
      ASSERT_GE(queue.charged_octets(), budget.used_octets());
      const auto ranges = model.ranges();
      ASSERT_EQ(queue.range_count(), ranges.size());
      for (std::size_t i = 0; i < ranges.size(); ++i) {
        ASSERT_EQ(queue.range(i).begin, ranges[i].begin);
        ASSERT_EQ(queue.range(i).end, ranges[i].end);
      }
    }
    queue.clear();
    ASSERT_EQ(queue.charged_octets(), 0U);
    ASSERT_EQ(pool.live_count(), 0U);
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, ReassemblyProperty,
                         testing::Values(Shape{64, 8},       // dense: duplicates, joins
                                         Shape{400, 1},      // single octets, many ranges
                                         Shape{2000, 20},    // more ranges than there may be
                                         Shape{6000, 1000},  // segments over several ranges
                                         Shape{12000, 3000}));

}  // namespace
}  // namespace runnel::buffer
