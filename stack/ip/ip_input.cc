#include "stack/ip/ip_input.h"

namespace runnel::ip {

InputVerdict check_input(const wire::Ipv4View& packet, const AddressSet& addresses) noexcept {
  InputVerdict verdict;
  verdict.destination = addresses.classify(packet.destination());
  if (!packet.has_valid_checksum()) {
    verdict.drop = DropReason::IpBadChecksum;
  } else if (!addresses.is_other_host(packet.source())) {
    verdict.drop = DropReason::IpBadSource;
  } else if (!packet.options().empty() && packet.has_source_route()) {
    verdict.drop = DropReason::IpSourceRoute;
  } else if (verdict.destination == DestinationClass::Foreign) {
    verdict.drop = DropReason::IpNotForUs;
  }
  return verdict;
}

}  // namespace runnel::ip
