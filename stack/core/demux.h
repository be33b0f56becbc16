// From a pair of endpoints to what is there: a connection, a half-open one, or one in TIME-WAIT.
#pragma once

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "stack/base/siphash.h"
#include "stack/tcp/isn.h"
#include "stack/tcp/segment.h"

namespace runnel::core {

// What a four-tuple leads to: the kind of record and its index in the table of that kind.
struct DemuxHandle {
  enum class Kind : std::uint8_t { None, Connection, SynReceived, TimeWait };

  Kind kind = Kind::None;
  std::uint32_t index = 0;  // below 2^30

  friend bool operator==(const DemuxHandle&, const DemuxHandle&) noexcept = default;
};

// A hash table that grows and shrinks by one bucket at a time: Litwin's linear hashing.
//
// A bucket is one line of the processor's cache with seven entries of eight octets: part of the
// hash, and the handle. The tuples themselves are in the records, so whoever looks up says whether
// a handle is the one that is meant. A bucket that is full continues in another line of its own.
//
//    buckets_:  [ segment | segment | ... ]      bucket n is in segment n / 256
//                0 ... 2^k-1 | 2^k ... count_-1   an entry's bucket is the low k + 1 bits of its
//                                                hash; the low k bits, if that one is not there yet
//
// So bucket count_ takes its entries from one other bucket, count_ - 2^k, when it comes into
// being, and gives them back to it when it goes: no operation ever moves more than one bucket's
// entries, there is never a second table, and a search looks into one bucket always. A table of a
// million connections neither stops to grow nor keeps its memory when they are gone.
//
// The hash is SipHash-1-3 under a secret key: a peer that chooses addresses and ports cannot make
// them collide.
//
// INVARIANT: the entries of a bucket and the lines behind it stand without gaps from the front.
class Demux {
 public:
  explicit Demux(Random& random);

  [[nodiscard]] std::uint64_t hash(const tcp::FourTuple& tuple) const noexcept {
    const IpAddress& local = tuple.local.address;
    const IpAddress& remote = tuple.remote.address;
    if (!local.is_v4() || !remote.is_v4()) {
      return base::siphash_1_3(key_, tcp::octets_of(tuple).bytes());
    }
    return base::siphash_1_3(key_, std::uint64_t{local.v4_value()} << 32U | remote.v4_value(),
                             std::uint32_t{tuple.local.port} << 16U | tuple.remote.port);
  }

  // The handle for which `is_match(handle)` holds among those with this hash; Kind::None if none.
  template <typename IsMatch>
  [[nodiscard]] DemuxHandle find(std::uint64_t hash, IsMatch&& is_match) const {
    for (const Bucket* bucket = &home_of(hash); bucket != nullptr; bucket = bucket->more.get()) {
      for (std::size_t i = 0; i < Bucket::kEntries; ++i) {
        if (bucket->hashes[i] != short_hash(hash) || bucket->packed[i] == 0) continue;
        if (is_match(unpack(bucket->packed[i]))) return unpack(bucket->packed[i]);
      }
    }
    return {};
  }

  // Fetches what find(hash) will look at from memory into the cache, and does not wait for it.
  void prefetch(std::uint64_t hash) const noexcept { __builtin_prefetch(&home_of(hash)); }

  // Adds a handle. REQUIRES: its tuple is not there.
  void insert(std::uint64_t hash, DemuxHandle handle);
  // REQUIRES: the handle is there.
  void erase(std::uint64_t hash, DemuxHandle handle) noexcept;
  void replace(std::uint64_t hash, DemuxHandle before, DemuxHandle after) noexcept;

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::size_t bucket_count() const noexcept { return count_; }
  // How many entries growing and shrinking have handled so far.
  [[nodiscard]] std::uint64_t moved_entries() const noexcept { return moved_; }

 private:
  static constexpr std::size_t kSegmentBuckets = 256;
  // A bucket has room for seven entries. With four to each there is one bucket in twelve at most
  // (when the table is half way to its next power of two) that has to continue elsewhere.
  static constexpr std::size_t kMostEntriesPerBucket = 4;
  static constexpr std::size_t kLeastEntriesPerBucket = 3;

  struct Entry {
    std::uint32_t hash = 0;  // the low half: it gives the bucket in a table of up to 2^32
    std::uint32_t packed = 0;
  };
  struct alignas(64) Bucket {
    static constexpr std::size_t kEntries = 7;
    std::array<std::uint32_t, kEntries> hashes{};
    std::array<std::uint32_t, kEntries> packed{};  // 0: no entry
    std::unique_ptr<Bucket> more;
  };
  static_assert(sizeof(Bucket) == 64);
  struct Segment {
    std::array<Bucket, kSegmentBuckets> buckets;
  };
  struct Place {
    Bucket* bucket;
    std::size_t slot;
  };

  [[nodiscard]] static std::uint32_t short_hash(std::uint64_t hash) noexcept {
    return static_cast<std::uint32_t>(hash);
  }
  [[nodiscard]] static std::uint32_t pack(DemuxHandle handle) noexcept {
    assert(handle.kind != DemuxHandle::Kind::None && handle.index < (1U << 30U));
    return static_cast<std::uint32_t>(handle.kind) << 30U | handle.index;
  }
  [[nodiscard]] static DemuxHandle unpack(std::uint32_t packed) noexcept {
    return {static_cast<DemuxHandle::Kind>(packed >> 30U), packed & ((1U << 30U) - 1U)};
  }

  [[nodiscard]] Bucket& bucket_at(std::size_t number) const noexcept {
    return segments_[number / kSegmentBuckets]->buckets[number % kSegmentBuckets];
  }
  [[nodiscard]] Bucket& home_of(std::uint64_t hash) const noexcept {
    const std::size_t number = hash & mask_;
    return bucket_at(number < count_ ? number : number & (mask_ >> 1U));
  }
  [[nodiscard]] Place place_of(std::uint64_t hash, DemuxHandle handle) const noexcept;
  void append(Entry entry);
  [[nodiscard]] static Entry take_last(Bucket& home) noexcept;
  void set_bucket_count(std::size_t count) noexcept;
  void move_entries(Bucket& from);
  void add_bucket();
  void remove_bucket();

  base::SipHashKey key_;
  std::vector<std::unique_ptr<Segment>> segments_;
  std::size_t count_ = 0;  // of buckets
  std::size_t mask_ = 0;   // as many low bits as the last bucket's number has
  std::size_t size_ = 0;
  std::uint64_t moved_ = 0;
};

}  // namespace runnel::core
