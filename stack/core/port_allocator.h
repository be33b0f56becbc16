// Local ports that an outsider cannot guess: RFC 6056.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "runnel/endpoint.h"
#include "runnel/random.h"
#include "stack/base/siphash.h"

namespace runnel::core {

// The double-hash selection of RFC 6056 section 3.3.4: consecutive ports for one destination, at an
// offset that only the secret tells, and counters that destinations share by a second hash.
class PortAllocator {
 public:
  PortAllocator(Random& random, std::uint16_t first, std::uint16_t last);

  // The next port for which `is_free(port)` holds; none when the whole range is taken.
  template <typename IsFree>
  [[nodiscard]] std::optional<std::uint16_t> pick(const IpAddress& local, const Endpoint& remote,
                                                  IsFree&& is_free) {
    const std::uint32_t range = std::uint32_t{last_} - first_ + 1U;
    const std::uint64_t offset = hash(offset_key_, local, remote);
    std::uint32_t& counter = counters_[hash(counter_key_, local, remote) % counters_.size()];
    const std::uint64_t start = (offset >> 1U) + counter;  // cannot wrap
    for (std::uint32_t tries = 0; tries < range; ++tries) {
      const auto port = static_cast<std::uint16_t>(first_ + (start + tries) % range);
      if (!is_free(port)) continue;
      counter += tries + 1;
      return port;
    }
    return std::nullopt;
  }

 private:
  [[nodiscard]] static std::uint64_t hash(const base::SipHashKey& key, const IpAddress& local,
                                          const Endpoint& remote) noexcept;

  base::SipHashKey offset_key_;
  base::SipHashKey counter_key_;
  std::uint16_t first_;
  std::uint16_t last_;
  std::array<std::uint32_t, 64> counters_{};
};

}  // namespace runnel::core
