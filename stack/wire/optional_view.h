// A view that may be missing.
#pragma once

#include <cassert>
#include <optional>

namespace runnel::wire {

// As std::optional<View>, in the two words of the view itself, so that a function returns it in
// registers: see base/optional_time.h for what a packet pays else. A view of no octets stands for
// none; no header is as short as that.
template <typename View>
class OptionalView {
 public:
  OptionalView() noexcept = default;
  OptionalView(std::nullopt_t) noexcept {}           // NOLINT(*-explicit-*)
  OptionalView(View view) noexcept : view_(view) {}  // NOLINT(*-explicit-*)

  [[nodiscard]] bool has_value() const noexcept { return !view_.octets_.empty(); }
  explicit operator bool() const noexcept { return has_value(); }
  // REQUIRES: has_value().
  [[nodiscard]] const View& operator*() const noexcept {
    assert(has_value());
    return view_;
  }
  [[nodiscard]] const View* operator->() const noexcept { return &**this; }

 private:
  View view_;
};

}  // namespace runnel::wire
