// Names for things that live inside a stack. A handle of something that is gone is an error,
// never another peer's connection: the generation tells the two apart.
#pragma once

#include <compare>
#include <cstdint>

namespace runnel {

struct ConnectionId {
  std::uint32_t index = UINT32_MAX;
  std::uint32_t generation = 0;

  [[nodiscard]] constexpr bool is_set() const noexcept { return index != UINT32_MAX; }
  friend constexpr auto operator<=>(const ConnectionId&, const ConnectionId&) noexcept = default;
};

struct ListenerId {
  std::uint32_t index = UINT32_MAX;
  std::uint32_t generation = 0;

  [[nodiscard]] constexpr bool is_set() const noexcept { return index != UINT32_MAX; }
  friend constexpr auto operator<=>(const ListenerId&, const ListenerId&) noexcept = default;
};

}  // namespace runnel
