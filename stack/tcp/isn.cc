#include "stack/tcp/isn.h"

#include <algorithm>

#include "stack/base/byte_order.h"

namespace runnel::tcp {

TupleOctets octets_of(const FourTuple& tuple) noexcept {
  TupleOctets out{};
  const auto put = [&out](const auto& from, std::size_t skip) {
    std::copy(from.begin() + static_cast<std::ptrdiff_t>(skip), from.end(),
              out.octets.begin() + static_cast<std::ptrdiff_t>(out.size));
    out.size += from.size() - skip;
  };
  const std::size_t skip = tuple.local.address.is_v4() && tuple.remote.address.is_v4() ? 12 : 0;
  put(tuple.local.address.octets(), skip);
  put(tuple.remote.address.octets(), skip);
  base::store_be<std::uint16_t>(out.octets, out.size, tuple.local.port);
  base::store_be<std::uint16_t>(out.octets, out.size + 2, tuple.remote.port);
  out.size += 4;
  return out;
}

SeqNum IsnGenerator::generate(const FourTuple& tuple, Instant now) const noexcept {
  constexpr std::int64_t kTickNanoseconds = 4000;
  const auto ticks = static_cast<std::uint32_t>(now.time_since_epoch().count() / kTickNanoseconds);
  return SeqNum{static_cast<std::uint32_t>(base::siphash_2_4(key_, octets_of(tuple).bytes())) +
                ticks};
}

std::uint32_t TimestampOffsets::offset_for(const FourTuple& tuple) const noexcept {
  return static_cast<std::uint32_t>(base::siphash_2_4(key_, octets_of(tuple).bytes()));
}

}  // namespace runnel::tcp
