#include "stack/wire/icmpv4.h"

#include <cassert>

#include "stack/wire/checksum.h"

namespace runnel::wire {

bool Icmpv4View::has_valid_checksum() const noexcept {
  return internet_checksum(octets_) == 0;
}

bool Icmpv4View::is_error() const noexcept {
  switch (type()) {
    case IcmpType::DestinationUnreachable:
    case IcmpType::SourceQuench:
    case IcmpType::Redirect:
    case IcmpType::TimeExceeded:
    case IcmpType::ParameterProblem:
      return true;
    case IcmpType::EchoReply:
    case IcmpType::EchoRequest:
    case IcmpType::TimestampRequest:
    case IcmpType::TimestampReply:
      return false;
  }
  return false;
}

void Icmpv4Header::write(MutableBytes out, Bytes body) const noexcept {
  assert(out.size() >= kIcmpHeaderOctets);
  out[0] = static_cast<std::uint8_t>(type);
  out[1] = code;
  base::store_be(out, 2, std::uint16_t{0});
  base::store_be(out, 4, identifier);
  base::store_be(out, 6, sequence);
  ChecksumBuilder sum;
  sum.add(out.first(kIcmpHeaderOctets));
  sum.add(body);
  base::store_be(out, 2, sum.checksum());
}

}  // namespace runnel::wire
