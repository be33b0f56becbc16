#include "stack/ip/icmp.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "stack/base/byte_order.h"

namespace runnel::ip {
namespace {

// How much of the packet's payload an error must quote (RFC 792).
constexpr std::size_t kMinQuotedPayloadOctets = 8;

std::vector<std::uint8_t> make_message(const wire::Icmpv4Header& header, Bytes body) {
  std::vector<std::uint8_t> message(wire::kIcmpHeaderOctets + body.size());
  if (!body.empty()) {
    std::memcpy(message.data() + wire::kIcmpHeaderOctets, body.data(), body.size());
  }
  header.write(message, body);
  return message;
}

// The ICMP messages that certainly report no error, so that an error may be reported about them.
bool is_query(const wire::Icmpv4View& message) noexcept {
  switch (message.type()) {
    case wire::IcmpType::EchoReply:
    case wire::IcmpType::EchoRequest:
    case wire::IcmpType::TimestampRequest:
    case wire::IcmpType::TimestampReply:
      return true;
    default:
      return false;
  }
}

// The header at the start of a quote. The packet behind it is cut short, so its total length is of
// no use to Ipv4View::parse(): a copy that ends with the header is parsed instead.
std::optional<wire::Ipv4Header> read_quoted_header(Bytes quote) noexcept {
  if (quote.size() < wire::kIpv4MinHeaderOctets) return std::nullopt;
  const std::size_t octets = std::size_t{quote[0] & 0x0fU} * 4;
  if (octets < wire::kIpv4MinHeaderOctets || octets > quote.size()) return std::nullopt;
  std::array<std::uint8_t, wire::kIpv4MaxHeaderOctets> copy;
  std::memcpy(copy.data(), quote.data(), octets);
  base::store_be(MutableBytes{copy}, 2, static_cast<std::uint16_t>(octets));
  const auto view = wire::Ipv4View::parse(Bytes{copy.data(), octets});
  if (!view) return std::nullopt;
  return wire::Ipv4Header::from(*view);
}

std::error_code error_of_unreachable(std::uint8_t code) noexcept {
  switch (code) {
    case wire::kIcmpProtocolUnreachable:
      return Errc::protocol_unreachable;
    case wire::kIcmpPortUnreachable:
      return Errc::connection_refused;
    case wire::kIcmpNetUnreachable:
    case 6:   // destination network unknown
    case 9:   // network administratively prohibited
    case 11:  // network unreachable for type of service
      return Errc::network_unreachable;
    default:  // RFC 1122 section 3.2.2.1 and RFC 1812 section 5.2.7.1 have the rest
      return Errc::host_unreachable;
  }
}

}  // namespace

std::optional<IcmpError> parse_icmp_error(const wire::Ipv4View& packet,
                                          const wire::Icmpv4View& message,
                                          const AddressSet& addresses) noexcept {
  if (!message.is_error()) return std::nullopt;
  const Bytes quote = message.body();
  const auto quoted = read_quoted_header(quote);
  if (!quoted || quoted->fragment_offset_octets != 0) return std::nullopt;
  if (!addresses.contains(quoted->source)) return std::nullopt;

  // What follows the quoted packet is not part of it: padding, or extensions (RFC 4884).
  const std::size_t header_octets = std::size_t{quote[0] & 0x0fU} * 4;
  const std::size_t quoted_total = base::load_be<std::uint16_t>(quote, 2);
  const std::size_t end = std::min(quote.size(), quoted_total);
  if (end < header_octets + kMinQuotedPayloadOctets) return std::nullopt;

  IcmpError error;
  error.type = message.type();
  error.code = message.code();
  if (error.type == wire::IcmpType::DestinationUnreachable &&
      error.code == wire::kIcmpFragmentationNeeded) {
    error.next_hop_mtu = message.next_hop_mtu();
  }
  error.reporter = packet.source();
  error.quoted_octets = static_cast<std::uint16_t>(quoted_total);
  error.quoted_header = *quoted;
  error.quoted_payload = quote.subspan(header_octets, end - header_octets);
  return error;
}

bool may_report_error(const wire::Ipv4View& offender, const AddressSet& addresses) noexcept {
  if (offender.fragment_offset_octets() != 0) return false;
  if (addresses.classify(offender.destination()) != DestinationClass::Local) return false;
  if (!addresses.is_other_host(offender.source())) {
    return false;
  }
  if (offender.protocol() != wire::kProtocolIcmp) return true;
  const auto message = wire::Icmpv4View::parse(offender.payload());
  return message && is_query(*message);
}

std::vector<std::uint8_t> make_icmp_error(const wire::Ipv4View& offender, wire::IcmpType type,
                                          std::uint8_t code, std::uint16_t next_hop_mtu) {
  constexpr std::size_t kMaxQuoteOctets =
      kIcmpErrorMaxOctets - wire::kIpv4MinHeaderOctets - wire::kIcmpHeaderOctets;
  wire::Icmpv4Header header;
  header.type = type;
  header.code = code;
  header.sequence = next_hop_mtu;  // RFC 1191 section 4: the second half of the unused word
  const Bytes packet = offender.packet();
  return make_message(header, packet.first(std::min(packet.size(), kMaxQuoteOctets)));
}

std::vector<std::uint8_t> make_echo_reply(const wire::Icmpv4View& request) {
  wire::Icmpv4Header header;
  header.type = wire::IcmpType::EchoReply;
  header.identifier = request.identifier();
  header.sequence = request.sequence();
  return make_message(header, request.body());
}

std::vector<std::uint8_t> make_echo_request(std::uint16_t identifier, std::uint16_t sequence,
                                            Bytes data) {
  wire::Icmpv4Header header;
  header.type = wire::IcmpType::EchoRequest;
  header.identifier = identifier;
  header.sequence = sequence;
  return make_message(header, data);
}

std::error_code error_of(wire::IcmpType type, std::uint8_t code) noexcept {
  switch (type) {
    case wire::IcmpType::DestinationUnreachable:
      return error_of_unreachable(code);
    case wire::IcmpType::TimeExceeded:
      return Errc::host_unreachable;
    case wire::IcmpType::ParameterProblem:
      return Errc::not_supported;
    default:  // redirects and source quenches (RFC 6633) stop nothing; the others are no errors
      return {};
  }
}

}  // namespace runnel::ip
