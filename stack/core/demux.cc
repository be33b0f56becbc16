#include "stack/core/demux.h"

#include <bit>
#include <utility>

namespace runnel::core {

Demux::Demux(Random& random) : key_(base::SipHashKey::draw(random)) {
  segments_.push_back(std::make_unique<Segment>());
  set_bucket_count(kSegmentBuckets);
}

void Demux::insert(std::uint64_t hash, DemuxHandle handle) {
  if (size_ + 1 > count_ * kMostEntriesPerBucket) add_bucket();
  append({short_hash(hash), pack(handle)});
  ++size_;
}

void Demux::replace(std::uint64_t hash, DemuxHandle before, DemuxHandle after) noexcept {
  const Place place = place_of(hash, before);
  place.bucket->packed[place.slot] = pack(after);
}

// The last entry of the bucket closes the gap.
void Demux::erase(std::uint64_t hash, DemuxHandle handle) noexcept {
  const Place place = place_of(hash, handle);
  const Entry last = take_last(home_of(hash));
  if (last.packed != pack(handle)) {
    place.bucket->hashes[place.slot] = last.hash;
    place.bucket->packed[place.slot] = last.packed;
  }
  --size_;
  if (count_ > kSegmentBuckets && size_ < count_ * kLeastEntriesPerBucket) remove_bucket();
}

Demux::Place Demux::place_of(std::uint64_t hash, DemuxHandle handle) const noexcept {
  for (Bucket* bucket = &home_of(hash);; bucket = bucket->more.get()) {
    assert(bucket != nullptr);
    for (std::size_t slot = 0; slot < Bucket::kEntries; ++slot) {
      if (bucket->packed[slot] == pack(handle)) return {bucket, slot};
    }
  }
}

// Puts an entry behind those of its bucket.
void Demux::append(Entry entry) {
  Bucket* bucket = &home_of(entry.hash);
  while (bucket->packed.back() != 0) {
    if (!bucket->more) bucket->more = std::make_unique<Bucket>();
    bucket = bucket->more.get();
  }
  std::size_t slot = 0;
  while (bucket->packed[slot] != 0) ++slot;
  bucket->hashes[slot] = entry.hash;
  bucket->packed[slot] = entry.packed;
}

// Takes the last entry out of a bucket. REQUIRES: it has one.
Demux::Entry Demux::take_last(Bucket& home) noexcept {
  std::unique_ptr<Bucket>* link = nullptr;  // what owns `bucket`, unless it is `home`
  Bucket* bucket = &home;
  while (bucket->more) {
    link = &bucket->more;
    bucket = link->get();
  }
  std::size_t slot = Bucket::kEntries - 1;
  while (bucket->packed[slot] == 0) --slot;
  const Entry entry{bucket->hashes[slot], std::exchange(bucket->packed[slot], 0)};
  if (slot == 0 && link != nullptr) link->reset();
  return entry;
}

// --- One bucket more, one bucket less ------------------------------------------------------------

void Demux::set_bucket_count(std::size_t count) noexcept {
  count_ = count;
  mask_ = std::bit_ceil(count) - 1;
}

// Puts the entries of `from` where they belong now.
void Demux::move_entries(Bucket& from) {
  const Bucket before = std::exchange(from, Bucket{});
  for (const Bucket* bucket = &before; bucket != nullptr; bucket = bucket->more.get()) {
    for (std::size_t slot = 0; slot < Bucket::kEntries && bucket->packed[slot] != 0; ++slot) {
      append({bucket->hashes[slot], bucket->packed[slot]});
      ++moved_;
    }
  }
}

void Demux::add_bucket() {
  const std::size_t added = count_;
  if (added == segments_.size() * kSegmentBuckets) {
    segments_.push_back(std::make_unique<Segment>());
  }
  set_bucket_count(added + 1);
  move_entries(bucket_at(added - std::bit_floor(added)));
}

void Demux::remove_bucket() {
  const std::size_t removed = count_ - 1;
  set_bucket_count(removed);
  move_entries(bucket_at(removed));
  if (removed == (segments_.size() - 1) * kSegmentBuckets) segments_.pop_back();
}

}  // namespace runnel::core
