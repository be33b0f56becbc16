// What Buffers refer to: the one part of <runnel/buffer.h> that has to know slabs.
#include "runnel/buffer.h"

#include "stack/buffer/application_memory.h"
#include "stack/buffer/slab.h"

namespace runnel {
namespace {

// A container that keeps its octets where they are until it is destroyed.
template <typename Container>
class ContainerMemory final : public buffer::ApplicationMemory {
 public:
  explicit ContainerMemory(Container container) : container_(std::move(container)) {}
  [[nodiscard]] Bytes bytes() const noexcept {
    return {reinterpret_cast<const std::uint8_t*>(container_.data()), container_.size()};
  }

 private:
  Container container_;
};

class AdoptedMemory final : public buffer::ApplicationMemory {
 public:
  explicit AdoptedMemory(std::function<void()> release) : release_(std::move(release)) {}
  AdoptedMemory(const AdoptedMemory&) = delete;
  AdoptedMemory& operator=(const AdoptedMemory&) = delete;
  ~AdoptedMemory() override {
    if (release_) release_();
  }

 private:
  std::function<void()> release_;
};

}  // namespace

Buffer::Buffer(std::string octets) {
  if (octets.empty()) return;
  auto* const memory = new ContainerMemory<std::string>(std::move(octets));
  memory_ = memory;
  octets_ = memory->bytes();
}

Buffer::Buffer(std::vector<std::uint8_t> octets) {
  if (octets.empty()) return;
  auto* const memory = new ContainerMemory<std::vector<std::uint8_t>>(std::move(octets));
  memory_ = memory;
  octets_ = memory->bytes();
}

Buffer Buffer::adopt(Bytes octets, std::function<void()> release) {
  Buffer adopted(octets, new AdoptedMemory(std::move(release)));
  if (octets.empty()) adopted.release();
  return adopted;
}

Buffer Buffer::copy_of(Bytes octets) {
  return Buffer(std::vector<std::uint8_t>(octets.begin(), octets.end()));
}

Buffer::Buffer(const Buffer& other) noexcept
    : octets_(other.octets_), slab_(other.slab_), memory_(other.memory_) {
  if (slab_ != nullptr) slab_->add_reference();
  if (memory_ != nullptr) memory_->add_reference();
}

void Buffer::drop_reference() noexcept {
  octets_ = {};
  if (slab_ != nullptr) std::exchange(slab_, nullptr)->drop_reference();
  if (memory_ != nullptr) std::exchange(memory_, nullptr)->drop_reference();
}

}  // namespace runnel
