// A file descriptor that closes itself.
#pragma once

#include <utility>

namespace runnel::tun {

// Owns a descriptor, or none.
class UniqueFd {
 public:
  UniqueFd() noexcept = default;
  explicit UniqueFd(int descriptor) noexcept : descriptor_(descriptor) {}
  UniqueFd(UniqueFd&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    UniqueFd moved(std::move(other));
    std::swap(descriptor_, moved.descriptor_);
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() {
    if (descriptor_ >= 0) close(descriptor_);
  }

  [[nodiscard]] int get() const noexcept { return descriptor_; }
  explicit operator bool() const noexcept { return descriptor_ >= 0; }
  // Closes it now.
  void reset() noexcept { const UniqueFd closing(std::exchange(descriptor_, -1)); }

 private:
  static void close(int descriptor) noexcept;

  int descriptor_ = -1;
};

}  // namespace runnel::tun
