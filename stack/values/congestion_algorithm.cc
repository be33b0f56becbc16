#include "runnel/congestion_algorithm.h"

#include <array>

namespace runnel {

namespace {

struct Named {
  CongestionAlgorithm algorithm;
  std::string_view name;
};

// In the order of the enumeration, which name_of() relies on; other names come behind.
constexpr std::array kNames{
    Named{CongestionAlgorithm::NewReno, "newreno"},
    Named{CongestionAlgorithm::Cubic, "cubic"},
    Named{CongestionAlgorithm::Bbr, "bbr"},
    Named{CongestionAlgorithm::Dctcp, "dctcp"},
};
constexpr Named kOtherNames[] = {{CongestionAlgorithm::NewReno, "reno"}};

constexpr auto kAll = [] {
  std::array<CongestionAlgorithm, kNames.size()> all{};
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = kNames[i].algorithm;
  return all;
}();

}  // namespace

std::span<const CongestionAlgorithm> all_congestion_algorithms() noexcept {
  return kAll;
}

std::string_view name_of(CongestionAlgorithm algorithm) noexcept {
  return kNames[static_cast<std::size_t>(algorithm)].name;
}

std::optional<CongestionAlgorithm> find_congestion_algorithm(std::string_view name) noexcept {
  for (const Named& known : kNames) {
    if (known.name == name) return known.algorithm;
  }
  for (const Named& known : kOtherNames) {
    if (known.name == name) return known.algorithm;
  }
  return std::nullopt;
}

}  // namespace runnel
