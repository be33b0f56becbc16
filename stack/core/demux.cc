#include "stack/core/demux.h"

#include <utility>

namespace runnel::core {

void Demux::insert(std::uint64_t hash, DemuxHandle handle) {
  if ((size_ + 1) * 4 > entries_.size() * 3) grow();
  std::size_t i = hash & mask();
  while (entries_[i].packed != 0) i = (i + 1) & mask();
  entries_[i] = {short_hash(hash), pack(handle)};
  ++size_;
}

std::size_t Demux::position_of(std::uint64_t hash, DemuxHandle handle) const noexcept {
  std::size_t i = hash & mask();
  while (entries_[i].packed != pack(handle)) {
    assert(entries_[i].packed != 0);
    i = (i + 1) & mask();
  }
  return i;
}

void Demux::replace(std::uint64_t hash, DemuxHandle before, DemuxHandle after) noexcept {
  entries_[position_of(hash, before)].packed = pack(after);
}

// Closes the gap by moving back every entry that may stand nearer to its home, so that no
// tombstones are needed and a search ends at the first empty entry.
void Demux::erase(std::uint64_t hash, DemuxHandle handle) noexcept {
  std::size_t gap = position_of(hash, handle);
  for (std::size_t i = (gap + 1) & mask(); entries_[i].packed != 0; i = (i + 1) & mask()) {
    const std::size_t home = entries_[i].hash & mask();
    const bool may_move = ((i - home) & mask()) >= ((i - gap) & mask());
    if (may_move) {
      entries_[gap] = entries_[i];
      gap = i;
    }
  }
  entries_[gap] = {};
  --size_;
}

void Demux::grow() {
  std::vector<Entry> before(entries_.size() * 2);
  std::swap(before, entries_);
  for (const Entry& entry : before) {
    if (entry.packed == 0) continue;
    std::size_t i = entry.hash & mask();
    while (entries_[i].packed != 0) i = (i + 1) & mask();
    entries_[i] = entry;
  }
}

}  // namespace runnel::core
