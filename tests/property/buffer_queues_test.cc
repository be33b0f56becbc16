// Random operations on the byte queues against a plain stream of octets.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "runnel/packet.h"
#include "stack/base/memory_budget.h"
#include "stack/buffer/send_queue.h"
#include "stack/buffer/slab.h"
#include "stack/buffer/slice_queue.h"

namespace runnel::buffer {
namespace {

constexpr int kSeeds = 10;
constexpr int kSteps = 2'000;
constexpr std::size_t kMostHeld = 400'000;  // keeps the model fast

// Mostly small numbers, some as large as `limit`.
std::size_t draw_size(std::mt19937_64& random, std::size_t limit) {
  const std::size_t scale = std::size_t{1} << (random() % 18);
  return random() % (std::min(scale, limit) + 1);
}

std::vector<std::uint8_t> draw_octets(std::mt19937_64& random, std::size_t count) {
  std::vector<std::uint8_t> octets(count);
  for (auto& octet : octets) octet = static_cast<std::uint8_t>(random());
  return octets;
}

// A slice of random octets somewhere in a block, as a packet's payload lies behind its headers.
Slice draw_slice(std::mt19937_64& random, SlabPool& pool) {
  Slice slice{pool.acquire(random() % 3 == 0 ? SlabPool::kLargest : 1500), 0, 0};
  if (!slice.slab) return slice;
  const std::size_t capacity = slice.slab->capacity();
  slice.offset = static_cast<std::uint32_t>(random() % 100);
  slice.length = static_cast<std::uint32_t>(draw_size(random, capacity - slice.offset));
  const auto octets = draw_octets(random, slice.length);
  std::copy(octets.begin(), octets.end(), slice.slab->data() + slice.offset);
  return slice;
}

TEST(BufferProperty, SendQueueIsTheStreamThatWasWritten) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed);
    base::MemoryBudget budget(seed % 2 == 0 ? 1U << 30U : 1U << 20U);
    SlabPool pool(budget);
    SendQueue queue;
    std::vector<std::uint8_t> model;  // from begin_offset() on
    TxFrame frame;
    for (int step = 0; step < kSteps; ++step) {
      switch (random() % 6) {
        case 0: {
          const auto octets =
              draw_octets(random, draw_size(random, kMostHeld - std::min(kMostHeld, model.size())));
          const std::size_t taken = queue.append(octets, pool);
          ASSERT_LE(taken, octets.size());
          model.insert(model.end(), octets.begin(), octets.begin() + std::ptrdiff_t(taken));
          break;
        }
        case 1: {
          const Slice slice = draw_slice(random, pool);
          if (!queue.append(slice)) break;
          model.insert(model.end(), slice.bytes().begin(), slice.bytes().end());
          break;
        }
        case 2: {
          const std::size_t count = draw_size(random, model.size());
          queue.release_until(queue.begin_offset() + count);
          model.erase(model.begin(), model.begin() + std::ptrdiff_t(count));
          break;
        }
        default: {
          const std::size_t from = model.empty() ? 0 : random() % model.size();
          const std::size_t count = draw_size(random, model.size() - from);
          frame.clear();
          const std::size_t gathered = queue.gather(queue.begin_offset() + from, count, frame);
          ASSERT_TRUE(gathered == count || frame.is_full());
          std::size_t at = from;
          for (const Bytes piece : frame.payload()) {
            ASSERT_TRUE(std::equal(piece.begin(), piece.end(), model.begin() + std::ptrdiff_t(at)));
            at += piece.size();
          }
          ASSERT_EQ(at - from, gathered);
        }
      }
      ASSERT_EQ(queue.size(), model.size());
      ASSERT_GE(queue.charged_octets(), budget.used_octets()) << "a block is held unaccounted";
      ASSERT_TRUE(!model.empty() || queue.charged_octets() == 0);
    }
    queue.clear();
    ASSERT_EQ(pool.live_count(), 0U);
  }
}

TEST(BufferProperty, SliceQueueIsTheStreamThatWasPushed) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed);
    base::MemoryBudget budget(seed % 2 == 0 ? 1U << 30U : 1U << 20U);
    SlabPool pool(budget);
    SliceQueue queue;
    SliceQueue other;
    std::vector<std::uint8_t> model;
    std::vector<std::uint8_t> other_model;
    for (int step = 0; step < kSteps; ++step) {
      switch (random() % 8) {
        case 0: {
          const auto octets =
              draw_octets(random, draw_size(random, kMostHeld - std::min(kMostHeld, model.size())));
          const std::size_t taken = queue.push_copy(octets, pool);
          model.insert(model.end(), octets.begin(), octets.begin() + std::ptrdiff_t(taken));
          break;
        }
        case 1: {
          const Slice slice = draw_slice(random, pool);
          if (!queue.push(slice)) break;
          model.insert(model.end(), slice.bytes().begin(), slice.bytes().end());
          break;
        }
        case 2: {
          const Slice slice = draw_slice(random, pool);
          const Bytes taken = slice.bytes().first(queue.keep(slice));
          model.insert(model.end(), taken.begin(), taken.end());
          break;
        }
        case 3: {
          const Slice slice = draw_slice(random, pool);
          const Bytes taken = slice.bytes().last(queue.keep_in_front(slice));
          model.insert(model.begin(), taken.begin(), taken.end());
          break;
        }
        case 4:
          ASSERT_TRUE(queue.splice(other));
          model.insert(model.end(), other_model.begin(), other_model.end());
          other_model.clear();
          break;
        case 5:
          std::swap(queue, other);
          std::swap(model, other_model);
          break;
        case 6: {
          const std::size_t count = draw_size(random, model.size());
          queue.consume(count);
          model.erase(model.begin(), model.begin() + std::ptrdiff_t(count));
          break;
        }
        default: {
          std::vector<std::uint8_t> out(draw_size(random, 1U << 17U));
          const std::size_t count = queue.read(out);
          ASSERT_EQ(count, std::min(out.size(), model.size()));
          ASSERT_TRUE(std::equal(out.begin(), out.begin() + std::ptrdiff_t(count), model.begin()));
          model.erase(model.begin(), model.begin() + std::ptrdiff_t(count));
        }
      }
      ASSERT_EQ(queue.size(), model.size());
      ASSERT_EQ(queue.front().empty(), model.empty());
      ASSERT_GE(queue.charged_octets() + other.charged_octets(), budget.used_octets());
      ASSERT_TRUE(!model.empty() || queue.charged_octets() == 0);
    }
    queue.clear();
    other.clear();
    ASSERT_EQ(pool.live_count(), 0U);
  }
}

}  // namespace
}  // namespace runnel::buffer
