// A time that may be missing.
#pragma once

#include <cassert>
#include <optional>
#include <type_traits>

#include "runnel/time.h"

namespace runnel::base {

// As std::optional<Time>, in the one word of the time itself: the least value stands for none.
//
// For what is handed from function to function with every packet. There an optional's flag, written
// as an octet and then copied as a part of a word, has the processor wait until it has reached the
// cache: some fifteen cycles each time, a tenth of what a small segment takes.
template <typename Time>
class OptionalTime {
 public:
  constexpr OptionalTime() noexcept = default;
  constexpr OptionalTime(std::nullopt_t) noexcept {}          // NOLINT(*-explicit-*)
  template <typename T>
    requires std::is_convertible_v<T, Time>
  constexpr OptionalTime(T time) noexcept : time_(time) {  // NOLINT(*-explicit-*)
    assert(has_value());
  }
  constexpr OptionalTime(const std::optional<Time>& time) noexcept  // NOLINT(*-explicit-*)
      : time_(time.value_or(kNone)) {}
  constexpr operator std::optional<Time>() const noexcept {  // NOLINT(*-explicit-*)
    return has_value() ? std::optional<Time>(time_) : std::nullopt;
  }

  [[nodiscard]] constexpr bool has_value() const noexcept { return time_ != kNone; }
  constexpr explicit operator bool() const noexcept { return has_value(); }
  // REQUIRES: has_value().
  [[nodiscard]] constexpr const Time& operator*() const noexcept {
    assert(has_value());
    return time_;
  }
  [[nodiscard]] constexpr const Time* operator->() const noexcept { return &**this; }
  [[nodiscard]] constexpr Time value_or(Time otherwise) const noexcept {
    return has_value() ? time_ : otherwise;
  }
  constexpr void reset() noexcept { time_ = kNone; }

  template <typename Archive>
  void archive(Archive& archive) {
    archive(time_);
  }

  friend constexpr bool operator==(OptionalTime a, OptionalTime b) noexcept {
    return a.time_ == b.time_;
  }

 private:
  static constexpr Time kNone = Time::min();
  Time time_ = kNone;
};

using OptionalDuration = OptionalTime<Duration>;
using OptionalInstant = OptionalTime<Instant>;

}  // namespace runnel::base
