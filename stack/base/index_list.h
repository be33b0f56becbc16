// A doubly linked list of objects that are named by indices: half the links of an IntrusiveList.
#pragma once

#include <cstdint>

namespace runnel::base {

struct IndexLinks {
  static constexpr std::uint32_t kNone = UINT32_MAX;

  std::uint32_t previous = kNone;
  std::uint32_t next = kNone;
};

// Objects have a member `links` and live in a Pool, which every call is given. An object is in one
// list at most, and taken out of it before it is erased.
class IndexList {
 public:
  static constexpr std::uint32_t kNone = IndexLinks::kNone;

  // kNone when empty.
  [[nodiscard]] std::uint32_t front() const noexcept { return first_; }
  [[nodiscard]] bool empty() const noexcept { return first_ == kNone; }

  template <typename Pool>
  void push_back(Pool& pool, std::uint32_t index) noexcept {
    pool.at(index).links = {last_, kNone};
    next_of(pool, last_) = index;
    last_ = index;
  }
  template <typename Pool>
  void remove(Pool& pool, std::uint32_t index) noexcept {
    const IndexLinks links = pool.at(index).links;
    next_of(pool, links.previous) = links.next;
    (links.next == kNone ? last_ : pool.at(links.next).links.previous) = links.previous;
    pool.at(index).links = {};
  }

 private:
  template <typename Pool>
  [[nodiscard]] std::uint32_t& next_of(Pool& pool, std::uint32_t index) noexcept {
    return index == kNone ? first_ : pool.at(index).links.next;
  }

  std::uint32_t first_ = kNone;
  std::uint32_t last_ = kNone;
};

}  // namespace runnel::base
