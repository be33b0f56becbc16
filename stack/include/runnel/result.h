// A value or an error: what every fallible call returns (C++20 has no std::expected).
#pragma once

#include <cassert>
#include <system_error>
#include <type_traits>
#include <utility>
#include <variant>

#include "runnel/error.h"

namespace runnel {

namespace result_storage {

// Either a value or an error.
template <typename T>
class Either {
 public:
  explicit Either(T value) : outcome_(std::in_place_index<0>, std::move(value)) {}
  explicit Either(std::error_code error) noexcept : outcome_(std::in_place_index<1>, error) {}
  [[nodiscard]] bool has_value() const noexcept { return outcome_.index() == 0; }
  [[nodiscard]] T& value() noexcept { return *std::get_if<0>(&outcome_); }
  [[nodiscard]] const T& value() const noexcept { return *std::get_if<0>(&outcome_); }
  [[nodiscard]] std::error_code error() const noexcept { return *std::get_if<1>(&outcome_); }

 private:
  std::variant<T, std::error_code> outcome_;
};

// The same for a number of octets, a handle and the like: in two words, which are returned in
// registers.
template <typename T>
requires(std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(void*)) class Either<T> {
 public:
  explicit Either(T value) noexcept : value_(value) {}
  explicit Either(std::error_code error) noexcept
      : category_(&error.category()), error_value_(error.value()) {}
  [[nodiscard]] bool has_value() const noexcept { return category_ == nullptr; }
  [[nodiscard]] T& value() noexcept { return value_; }
  [[nodiscard]] const T& value() const noexcept { return value_; }
  [[nodiscard]] std::error_code error() const noexcept { return {error_value_, *category_}; }

 private:
  const std::error_category* category_ = nullptr;  // none: there is a value
  union {
    T value_;
    int error_value_;
  };
};

}  // namespace result_storage

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : outcome_(std::move(value)) {}         // NOLINT(*-explicit-*)
  Result(std::error_code error) : outcome_(error) {}      // NOLINT(*-explicit-*)
  Result(Errc error) : Result(make_error_code(error)) {}  // NOLINT(*-explicit-*)

  [[nodiscard]] bool has_value() const noexcept { return outcome_.has_value(); }
  explicit operator bool() const noexcept { return has_value(); }

  // The value. REQUIRES: has_value().
  [[nodiscard]] T& value() & noexcept {
    assert(has_value());
    return outcome_.value();
  }
  [[nodiscard]] const T& value() const& noexcept {
    assert(has_value());
    return outcome_.value();
  }
  [[nodiscard]] T&& value() && noexcept {
    assert(has_value());
    return std::move(outcome_.value());
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
    return has_value() ? std::error_code{} : outcome_.error();
  }

 private:
  result_storage::Either<T> outcome_;
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
