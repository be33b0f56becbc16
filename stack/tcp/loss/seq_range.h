// A run of sequence space.
#pragma once

#include <cstdint>

#include "stack/wire/seq_num.h"

namespace runnel::tcp {

using wire::SeqNum;

// Octets of sequence space from begin to end - 1.
struct SeqRange {
  SeqNum begin;
  SeqNum end;
  [[nodiscard]] std::uint32_t octets() const noexcept { return distance(begin, end); }
  friend bool operator==(const SeqRange&, const SeqRange&) noexcept = default;
  template <typename Archive>
  void archive(Archive& archive) {
    archive(begin, end);
  }
};

}  // namespace runnel::tcp
