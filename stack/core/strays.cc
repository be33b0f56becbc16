// Packets of connections that other stacks of the same addresses may have.
#include "stack/core/engine.h"

namespace runnel::core {

namespace {

// As many as a link may bring before somebody polls them; what is more is refused here.
constexpr std::size_t kMostStrays = 256;

}  // namespace

bool Engine::keep_stray(const Arrival& arrival) {
  if (arrival.meta.stacks_asked >= config_.sibling_stacks || strays_.size() >= kMostStrays) {
    return false;
  }
  strays_.push_back(arrival);
  ++strays_.back().meta.stacks_asked;
  return true;
}

std::optional<RxBuffer> Engine::poll_stray() {
  if (strays_.empty()) return std::nullopt;
  Arrival stray = std::move(strays_.front());
  strays_.pop_front();
  const Bytes octets = stray.packet.packet();
  const auto begin = static_cast<std::size_t>(octets.data() - stray.block->data());
  RxBuffer packet{stray.block.release()};
  packet.set_packet(begin, octets.size());
  packet.meta = stray.meta;
  return packet;
}

}  // namespace runnel::core
