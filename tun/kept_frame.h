// An outgoing packet that waits for a full device.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "runnel/bytes.h"
#include "runnel/packet.h"

namespace runnel::tun {

// A frame that the device had no room for, in memory of its own: its payload belongs to the stack
// and may be gone after the next call.
class KeptFrame {
 public:
  explicit operator bool() const noexcept { return is_set_; }
  [[nodiscard]] TxFrame& frame() noexcept { return frame_; }

  void keep(const TxFrame& original) {
    payload_.clear();
    for (const Bytes slice : original.payload()) {
      payload_.insert(payload_.end(), slice.begin(), slice.end());
    }
    frame_.clear();
    const Bytes header = original.header();
    std::copy(header.begin(), header.end(), frame_.prepend(header.size()).begin());
    if (!payload_.empty()) frame_.append(payload_);
    frame_.meta = original.meta;
    is_set_ = true;
  }
  void forget() noexcept { is_set_ = false; }

 private:
  TxFrame frame_;
  std::vector<std::uint8_t> payload_;
  bool is_set_ = false;
};

}  // namespace runnel::tun
