#include "stack/core/port_allocator.h"

#include "stack/tcp/isn.h"

namespace runnel::core {

PortAllocator::PortAllocator(Random& random, std::uint16_t first, std::uint16_t last)
    : offset_key_(base::SipHashKey::draw(random)),
      counter_key_(base::SipHashKey::draw(random)),
      first_(first),
      last_(last) {
  for (std::uint32_t& counter : counters_) counter = static_cast<std::uint32_t>(random.next());
}

std::uint64_t PortAllocator::hash(const base::SipHashKey& key, const IpAddress& local,
                                  const Endpoint& remote) noexcept {
  return tcp::secret_hash(key, {{local, 0}, remote});
}

}  // namespace runnel::core
