#include "stack/buffer/slab.h"

#include <bit>
#include <cstring>
#include <new>

#include "stack/buffer/application_memory.h"

namespace runnel::buffer {
namespace {

// The index of the smallest size that holds `octets`; of the largest when none does.
[[nodiscard]] std::size_t size_index_for(std::size_t octets) noexcept {
  std::size_t index = 0;  // counted without a branch: sizes of packets do not repeat
  for (std::size_t i = 0; i + 1 < SlabPool::kCapacities.size(); ++i) {
    index += SlabPool::kCapacities[i] < octets ? 1U : 0U;
  }
  return index;
}

// No two of the sizes are equally wide.
constexpr auto kIndexByWidth = [] {
  std::array<std::uint8_t, 33> by_width{};
  for (std::uint8_t i = 0; i < SlabPool::kCapacities.size(); ++i) {
    by_width[static_cast<std::size_t>(std::bit_width(SlabPool::kCapacities[i]))] = i;
  }
  return by_width;
}();

// The index of what is one of the sizes.
[[nodiscard]] std::size_t size_index_of(std::size_t capacity) noexcept {
  return kIndexByWidth[static_cast<std::size_t>(std::bit_width(capacity))];
}

[[nodiscard]] constexpr std::size_t block_octets(std::size_t size_index) noexcept {
  return sizeof(Slab) + SlabPool::kCapacities[size_index];
}

}  // namespace

SlabPool::~SlabPool() {
  assert(live_ == 0 && "a block outlives its pool");
  for (FreeList& list : free_) {
    while (list.first != nullptr) {
      Slab* const slab = list.first;
      list.first = slab->next_free_;
      slab->~Slab();
      ::operator delete(slab);
    }
  }
}

std::size_t SlabPool::capacity_for(std::size_t octets) noexcept {
  return kCapacities[size_index_for(octets)];
}

SlabRef SlabPool::acquire(std::size_t octets) noexcept {
  return acquire_size(size_index_for(octets));
}

SlabRef SlabPool::acquire_some(std::size_t octets) noexcept {
  for (std::size_t index = size_index_for(octets - octets / 2) + 1; index-- > 0;) {
    if (SlabRef slab = acquire_size(index)) return slab;
  }
  return {};
}

SlabRef SlabPool::acquire_size(std::size_t size_index) noexcept {
  if (!budget_->try_charge(block_octets(size_index))) return {};
  FreeList& list = free_[size_index];
  Slab* slab = list.first;
  if (slab != nullptr) {
    list.first = slab->next_free_;
    --list.count;
    slab->data_ = slab->own_octets();
    slab->references_ = 1;
  } else {
    void* const memory = ::operator new(block_octets(size_index), std::nothrow);
    if (memory == nullptr) {
      budget_->release(block_octets(size_index));
      return {};
    }
    slab = ::new (memory) Slab(*this, kCapacities[size_index]);
  }
  ++live_;
  return SlabRef::adopt(slab);
}

Slice SlabPool::copy(Bytes octets) noexcept {
  assert(octets.size() <= kLargest);
  SlabRef slab = acquire(octets.size());
  if (!slab) return {};
  if (!octets.empty()) std::memcpy(slab->data(), octets.data(), octets.size());
  return {std::move(slab), 0, static_cast<std::uint32_t>(octets.size())};
}

Slice SlabPool::lend(Bytes octets, ApplicationMemory* owner) noexcept {
  assert(octets.size() <= kLargestLoan);
  const std::size_t charge = owner != nullptr ? octets.size() : 0;
  if (!budget_->try_charge(charge)) return {};
  SlabRef slab = acquire_size(0);
  if (!slab) {
    budget_->release(charge);
    return {};
  }
  static_assert(sizeof(Slab::Lease) <= kCapacities.front());
  ::new (slab->own_octets()) Slab::Lease{owner, block_octets(0) + charge};
  if (owner != nullptr) owner->add_reference();
  slab->data_ = const_cast<std::uint8_t*>(octets.data());  // and never written: is_writable()
  slab->capacity_ = static_cast<std::uint32_t>(octets.size());
  return {std::move(slab), 0, static_cast<std::uint32_t>(octets.size())};
}

void SlabPool::take_back(Slab& slab) noexcept {
  assert(live_ > 0);
  --live_;
  budget_->release(slab.charged_octets());
  if (slab.is_lent()) {
    if (ApplicationMemory* const owner = slab.lease().owner) owner->drop_reference();
    slab.capacity_ = kCapacities.front();
  }
  const std::size_t size_index = size_index_of(slab.capacity());
  FreeList& list = free_[size_index];
  if ((list.count + 1) * block_octets(size_index) <= kMaxKeptOctets) {
    slab.next_free_ = std::exchange(list.first, &slab);
    ++list.count;
    return;
  }
  slab.~Slab();
  ::operator delete(&slab);
}

std::size_t SlabPool::kept_octets() const noexcept {
  std::size_t octets = 0;
  for (std::size_t i = 0; i < free_.size(); ++i) octets += free_[i].count * block_octets(i);
  return octets;
}

}  // namespace runnel::buffer
