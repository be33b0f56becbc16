// From a pair of endpoints to what is there: a connection, a half-open one, or one in TIME-WAIT.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
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

// A hash table with open addressing and linear probing, eight octets an entry: part of the hash,
// and the handle. The tuples themselves are in the records, so whoever looks up says whether a
// handle is the one that is meant.
//
// The hash is SipHash-1-3 under a secret key: a peer that chooses addresses and ports cannot make
// them collide.
class Demux {
 public:
  explicit Demux(Random& random)
      : key_(base::SipHashKey::draw(random)), entries_(kInitialEntries) {}

  [[nodiscard]] std::uint64_t hash(const tcp::FourTuple& tuple) const noexcept {
    return base::siphash_1_3(key_, tcp::octets_of(tuple).bytes());
  }

  // The handle for which `is_match(handle)` holds among those with this hash; Kind::None if none.
  template <typename IsMatch>
  [[nodiscard]] DemuxHandle find(std::uint64_t hash, IsMatch&& is_match) const {
    for (std::size_t i = hash & mask();; i = (i + 1) & mask()) {
      const Entry& entry = entries_[i];
      if (entry.packed == 0) return {};
      if (entry.hash == short_hash(hash) && is_match(unpack(entry.packed))) {
        return unpack(entry.packed);
      }
    }
  }

  // Adds a handle. REQUIRES: its tuple is not there.
  void insert(std::uint64_t hash, DemuxHandle handle);
  // REQUIRES: the handle is there.
  void erase(std::uint64_t hash, DemuxHandle handle) noexcept;
  void replace(std::uint64_t hash, DemuxHandle before, DemuxHandle after) noexcept;

  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  static constexpr std::size_t kInitialEntries = 1024;

  struct Entry {
    std::uint32_t hash = 0;  // the low half: it gives the entry's home in a table up to 2^32
    std::uint32_t packed = 0;
  };

  [[nodiscard]] std::size_t mask() const noexcept { return entries_.size() - 1; }
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
  [[nodiscard]] std::size_t position_of(std::uint64_t hash, DemuxHandle handle) const noexcept;
  void grow();

  base::SipHashKey key_;
  std::vector<Entry> entries_;  // a power of two, at most three quarters of it used
  std::size_t size_ = 0;
};

}  // namespace runnel::core
