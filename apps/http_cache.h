// Whole responses for those who ask for the same small file at the same time.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "runnel/time.h"

namespace runnel::apps {

// Responses that are good for one instant of the stack's time.
//
// All requests of one batch of packets arrive at the same instant, so a file that many of them ask
// for is opened and read once for all. Nothing is ever stale: an instant later the file is looked
// at again.
class HttpCache {
 public:
  static constexpr std::size_t kMaxContentOctets = std::size_t{16} << 10U;
  static constexpr std::size_t kMaxEntries = 16;

  // What was added for this target and version at `now`; nullptr if nothing.
  [[nodiscard]] const std::string* find(std::string_view target, bool is_http11, Instant now) {
    if (now != instant_) {
      instant_ = now;
      count_ = 0;
    }
    for (std::size_t i = 0; i < count_; ++i) {
      if (entries_[i].is_http11 == is_http11 && entries_[i].target == target) {
        return &entries_[i].response;
      }
    }
    return nullptr;
  }

  // Adds a response for the instant of the last find(), which has not found one. Views of an
  // earlier one may end: what is full begins again.
  void add(std::string_view target, bool is_http11, std::string_view response) {
    if (count_ == kMaxEntries) count_ = 0;
    Entry& entry = entries_[count_++];
    entry.target = target;
    entry.is_http11 = is_http11;
    entry.response = response;
  }

 private:
  struct Entry {
    std::string target;
    std::string response;
    bool is_http11 = true;
  };

  std::array<Entry, kMaxEntries> entries_;
  std::size_t count_ = 0;
  Instant instant_{};
};

}  // namespace runnel::apps
