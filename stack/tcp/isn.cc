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

std::uint64_t secret_hash(const base::SipHashKey& key, const FourTuple& tuple) noexcept {
  const IpAddress& local = tuple.local.address;
  const IpAddress& remote = tuple.remote.address;
  if (!local.is_v4() || !remote.is_v4()) return base::siphash_2_4(key, octets_of(tuple).bytes());
  // In words that have those octets, the first one least significant: none of them is stored.
  const std::uint64_t addresses = std::uint64_t{local.v4_value()} << 32U | remote.v4_value();
  const std::uint32_t ports = std::uint32_t{tuple.local.port} << 16U | tuple.remote.port;
  return base::siphash_2_4(key, __builtin_bswap64(addresses), __builtin_bswap32(ports));
}

SeqNum TupleSecrets::isn(Instant now) const noexcept {
  constexpr std::int64_t kTickNanoseconds = 4000;
  const auto ticks = static_cast<std::uint32_t>(now.time_since_epoch().count() / kTickNanoseconds);
  return SeqNum{isn_offset + ticks};
}

TupleSecrets SecretGenerator::of(const FourTuple& tuple) const noexcept {
  const std::uint64_t hash = secret_hash(key_, tuple);
  return {static_cast<std::uint32_t>(hash), static_cast<std::uint32_t>(hash >> 32U)};
}

}  // namespace runnel::tcp
