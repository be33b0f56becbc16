// A value or an error: what every fallible call returns (C++20 has no std::expected).
#pragma once

#include <cassert>
#include <optional>
#include <system_error>
#include <utility>
#include <variant>

#include "runnel/error.h"

namespace runnel {

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : outcome_(std::in_place_index<0>, std::move(value)) {}  // NOLINT(*-explicit-*)
  Result(std::error_code error)
      : outcome_(std::in_place_index<1>, error) {}        // NOLINT(*-explicit-*)
  Result(Errc error) : Result(make_error_code(error)) {}  // NOLINT(*-explicit-*)

  [[nodiscard]] bool has_value() const noexcept { return outcome_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }

  // The value. REQUIRES: has_value().
  [[nodiscard]] T& value() & noexcept {
    assert(has_value());
    return *std::get_if<0>(&outcome_);
  }
  [[nodiscard]] const T& value() const& noexcept {
    assert(has_value());
    return *std::get_if<0>(&outcome_);
  }
  [[nodiscard]] T&& value() && noexcept {
    assert(has_value());
    return std::move(*std::get_if<0>(&outcome_));
  }
  [[nodiscard]] T& operator*() & noexcept { return value(); }
  [[nodiscard]] const T& operator*() const& noexcept { return value(); }
  [[nodiscard]] T&& operator*() && noexcept { return std::move(*this).value(); }
  [[nodiscard]] T* operator->() noexcept { return &value(); }
  [[nodiscard]] const T* operator->() const noexcept { return &value(); }

  [[nodiscard]] T value_or(T otherwise) const {
    return has_value() ? value() : std::move(otherwise);
  }

  // The error; the empty code when there is a value.
  [[nodiscard]] std::error_code error() const noexcept {
    const auto* error = std::get_if<1>(&outcome_);
    return error != nullptr ? *error : std::error_code{};
  }

 private:
  std::variant<T, std::error_code> outcome_;
};

// Calls like close() may be ignored: what they refuse is usually what has happened already.
template <>
class Result<void> {
 public:
  Result() noexcept = default;
  Result(std::error_code error) noexcept : error_(error) {}        // NOLINT(*-explicit-*)
  Result(Errc error) noexcept : error_(make_error_code(error)) {}  // NOLINT(*-explicit-*)

  [[nodiscard]] bool has_value() const noexcept { return !error_; }
  explicit operator bool() const noexcept { return has_value(); }
  [[nodiscard]] std::error_code error() const noexcept { return error_; }

 private:
  std::error_code error_;
};

}  // namespace runnel
