// Memory of an application's, for as long as anybody refers to it.
#pragma once

#include <cstdint>

namespace runnel::buffer {

// Whoever derives from this holds the memory, and releases it in its destructor. Begins with one
// reference, which is its maker's.
class ApplicationMemory {
 public:
  ApplicationMemory() noexcept = default;
  ApplicationMemory(const ApplicationMemory&) = delete;
  ApplicationMemory& operator=(const ApplicationMemory&) = delete;
  virtual ~ApplicationMemory() = default;

  void add_reference() noexcept { ++references_; }
  void drop_reference() noexcept {
    if (--references_ == 0) delete this;
  }

 private:
  std::uint32_t references_ = 1;
};

}  // namespace runnel::buffer
