#include "stack/tcp/isn.h"

#include <algorithm>

#include "stack/base/byte_order.h"

namespace runnel::tcp {

TupleOctets octets_of(const FourTuple& tuple) noexcept {
  TupleOctets out;
  if (tuple.local.address.is_v4() && tuple.remote.address.is_v4()) {
    base::store_be(out.octets, 0, tuple.local.address.v4_value());
    base::store_be(out.octets, 4, tuple.remote.address.v4_value());
    base::store_be(out.octets, 8, tuple.local.port);
    base::store_be(out.octets, 10, tuple.remote.port);
    out.size = 12;
    return out;
  }
  out.size = 0;
  const auto put = [&out](const auto& from) {
    std::copy(from.begin(), from.end(), out.octets.begin() + out.size);
    out.size += from.size();
  };
  put(tuple.local.address.octets());
  put(tuple.remote.address.octets());
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
