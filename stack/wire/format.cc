#include "stack/wire/format.h"

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "stack/wire/icmpv4.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/tcp.h"

namespace runnel::wire {
namespace {

void append(std::string& line, std::uint64_t number) {
  line += std::to_string(number);
}

void append_hex(std::string& line, std::uint64_t number) {
  std::array<char, 16> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number, 16);
  line.append(digits.data(), static_cast<std::size_t>(end.ptr - digits.data()));
}

void append_hex(std::string& line, Bytes octets) {
  for (const std::uint8_t octet : octets) {
    append_hex(line, octet >> 4U);
    append_hex(line, octet & 0x0fU);
  }
}

void append_flags(std::string& line, TcpFlags flags) {
  const std::size_t before = line.size();
  if (flags.syn) line += 'S';
  if (flags.fin) line += 'F';
  if (flags.rst) line += 'R';
  if (flags.psh) line += 'P';
  if (flags.urg) line += 'U';
  if (flags.ece) line += 'E';
  if (flags.cwr) line += 'W';
  if (flags.ae) line += 'A';
  if (flags.ack) line += '.';
  if (line.size() == before) line += "none";
}

void append_sack(std::string& line, const SackBlocks& sack) {
  line += "sack ";
  append(line, sack.count);
  line += ' ';
  for (std::size_t i = 0; i < sack.count; ++i) {
    line += '{';
    append(line, sack.blocks[i].left.value());
    line += ':';
    append(line, sack.blocks[i].right.value());
    line += '}';
  }
}

void append_fast_open(std::string& line, const TcpFastOpenCookie& cookie) {
  if (cookie.length == 0) {
    line += "tfo cookiereq";
    return;
  }
  line += "tfo cookie ";
  append_hex(line, Bytes{cookie.octets}.first(cookie.length));
}

void append_acc_ecn(std::string& line, const TcpAccEcn& acc_ecn) {
  line += acc_ecn.is_order_1 ? "accecn1" : "accecn0";
  for (std::size_t i = 0; i < acc_ecn.count; ++i) {
    line += ' ';
    append(line, acc_ecn.counters[i]);
  }
}

std::string_view name_of_unread(TcpOptionKind kind) noexcept {
  switch (kind) {
    case TcpOptionKind::Md5Signature:
      return "md5";
    case TcpOptionKind::Authentication:
      return "tcp-ao";
    case TcpOptionKind::Mptcp:
      return "mptcp";
    default:
      return "opt-";
  }
}

// One option. Parsed on its own, it leaves its value in one member, or has_unknown.
void append_option(std::string& line, Bytes whole) {
  const TcpOptions option = TcpOptions::parse(whole);
  if (option.maximum_segment_size) {
    line += "mss ";
    append(line, *option.maximum_segment_size);
  } else if (option.window_scale) {
    line += "wscale ";
    append(line, *option.window_scale);
  } else if (option.sack_permitted) {
    line += "sackOK";
  } else if (!option.sack.empty()) {
    append_sack(line, option.sack);
  } else if (option.timestamps) {
    line += "TS val ";
    append(line, option.timestamps->value);
    line += " ecr ";
    append(line, option.timestamps->echo_reply);
  } else if (option.user_timeout) {
    line += "uto ";
    append(line, option.user_timeout->value);
    line += option.user_timeout->is_minutes ? "m" : "s";
  } else if (option.fast_open) {
    append_fast_open(line, *option.fast_open);
  } else if (option.acc_ecn) {
    append_acc_ecn(line, *option.acc_ecn);
  } else {
    const std::string_view name = name_of_unread(TcpOptionKind{whole[0]});
    line += name;
    if (name.back() == '-') append(line, whole[0]);
    line += " 0x";
    append_hex(line, whole.subspan(2));
  }
}

void append_options(std::string& line, Bytes octets) {
  if (octets.empty()) return;
  line += ", options [";
  const std::size_t before = line.size();
  TcpOptionReader reader{octets};
  while (const auto option = reader.next()) {
    if (line.size() != before) line += ',';
    // Kind and length stand in front of the body.
    append_option(line, {option->body.data() - 2, option->body.size() + 2});
  }
  if (reader.is_malformed()) line += line.size() == before ? "bad list" : ",bad list";
  line += ']';
}

void append_tcp(std::string& line, const TcpView& tcp) {
  line += ": Flags [";
  const TcpFlags flags = tcp.flags();
  append_flags(line, flags);
  line += "], seq ";
  append(line, tcp.seq().value());
  const std::size_t length = tcp.payload().size();
  if (length > 0) {
    line += ':';
    append(line, (tcp.seq() + static_cast<std::uint32_t>(length)).value());
  }
  if (flags.ack) {
    line += ", ack ";
    append(line, tcp.ack().value());
  }
  line += ", win ";
  append(line, tcp.window());
  if (flags.urg) {
    line += ", urg ";
    append(line, tcp.urgent_pointer());
  }
  if (tcp.reserved_bits() != 0) {
    line += ", reserved 0x";
    append_hex(line, tcp.reserved_bits());
  }
  append_options(line, tcp.option_octets());
  line += ", length ";
  append(line, length);
}

std::string_view name_of(const Icmpv4View& icmp) noexcept {
  switch (icmp.type()) {
    case IcmpType::EchoReply:
      return "echo reply";
    case IcmpType::EchoRequest:
      return "echo request";
    case IcmpType::DestinationUnreachable:
      switch (icmp.code()) {
        case kIcmpNetUnreachable:
          return "net unreachable";
        case kIcmpHostUnreachable:
          return "host unreachable";
        case kIcmpProtocolUnreachable:
          return "protocol unreachable";
        case kIcmpPortUnreachable:
          return "port unreachable";
        case kIcmpFragmentationNeeded:
          return "fragmentation needed";
        default:
          return "destination unreachable";
      }
    case IcmpType::SourceQuench:
      return "source quench";
    case IcmpType::Redirect:
      return "redirect";
    case IcmpType::TimeExceeded:
      return icmp.code() == kIcmpTtlExceeded ? "time exceeded in transit"
                                             : "reassembly time exceeded";
    case IcmpType::ParameterProblem:
      return "parameter problem";
    case IcmpType::TimestampRequest:
      return "timestamp request";
    case IcmpType::TimestampReply:
      return "timestamp reply";
  }
  return "message";
}

// "192.0.2.1 > 192.0.2.2" with ports when the protocol has them and they are there.
void append_addresses(std::string& line, const Ipv4View& ip) {
  const bool has_ports = (ip.protocol() == kProtocolTcp || ip.protocol() == kProtocolUdp) &&
                         ip.fragment_offset_octets() == 0 && ip.payload().size() >= 4;
  const auto append_port = [&](std::size_t offset) {
    if (!has_ports) return;
    line += '.';
    append(line, base::load_be<std::uint16_t>(ip.payload(), offset));
  };
  line += ip.source().to_string();
  append_port(0);
  line += " > ";
  line += ip.destination().to_string();
  append_port(2);
}

void append_protocol_name(std::string& line, std::uint8_t protocol) {
  switch (protocol) {
    case kProtocolIcmp:
      line += "ICMP";
      return;
    case kProtocolTcp:
      line += "TCP";
      return;
    case kProtocolUdp:
      line += "UDP";
      return;
    default:
      line += "protocol ";
      append(line, protocol);
  }
}

// What an ICMP error quotes: addresses, ports, and the sequence number that RFC 5927 checks.
void append_quote(std::string& line, Bytes quote) {
  line += ", quoting ";
  const auto ip = Ipv4View::parse_quote(quote);
  if (!ip) {
    line += "no packet";
    return;
  }
  append_addresses(line, *ip);
  line += ": ";
  append_protocol_name(line, ip->protocol());
  if (ip->protocol() == kProtocolTcp && !ip->is_fragment() && ip->payload().size() >= 8) {
    line += " seq ";
    append(line, base::load_be<std::uint32_t>(ip->payload(), 4));
  }
}

void append_icmp(std::string& line, const Icmpv4View& icmp) {
  line += ": ICMP ";
  line += name_of(icmp);
  switch (icmp.type()) {
    case IcmpType::EchoReply:
    case IcmpType::EchoRequest:
      line += ", id ";
      append(line, icmp.identifier());
      line += ", seq ";
      append(line, icmp.sequence());
      break;
    case IcmpType::DestinationUnreachable:
      if (icmp.code() == kIcmpFragmentationNeeded) {
        line += ", mtu ";
        append(line, icmp.next_hop_mtu());
        break;
      }
      [[fallthrough]];
    default:
      line += " (type ";
      append(line, static_cast<std::uint8_t>(icmp.type()));
      line += " code ";
      append(line, icmp.code());
      line += ')';
  }
  if (icmp.is_error()) append_quote(line, icmp.body());
  line += ", length ";
  append(line, icmp.message().size());
}

void append_fragment(std::string& line, const Ipv4View& ip) {
  line += ": ";
  append_protocol_name(line, ip.protocol());
  line += " fragment, id ";
  append(line, ip.identification());
  line += ", offset ";
  append(line, ip.fragment_offset_octets());
  line += ip.more_fragments() ? ", more follow, length " : ", the last, length ";
  append(line, ip.payload().size());
}

void append_truncated(std::string& line, std::string_view protocol, DropReason reason,
                      std::size_t octets) {
  line += ": ";
  line += protocol;
  line += " malformed: ";
  line += describe(reason);
  line += ", length ";
  append(line, octets);
}

void append_payload(std::string& line, const Ipv4View& ip) {
  const Bytes payload = ip.payload();
  if (ip.is_fragment()) {
    append_fragment(line, ip);
  } else if (ip.protocol() == kProtocolTcp) {
    if (const auto tcp = TcpView::parse(payload)) {
      append_tcp(line, *tcp);
    } else {
      const bool is_short = payload.size() < kTcpMinHeaderOctets;
      append_truncated(line, "TCP",
                       is_short ? DropReason::TcpTruncated : DropReason::TcpBadDataOffset,
                       payload.size());
    }
  } else if (ip.protocol() == kProtocolIcmp) {
    if (const auto icmp = Icmpv4View::parse(payload)) {
      append_icmp(line, *icmp);
    } else {
      append_truncated(line, "ICMP", DropReason::IcmpTruncated, payload.size());
    }
  } else {
    line += ": ";
    append_protocol_name(line, ip.protocol());
    line += ", length ";
    append(line, payload.size());
  }
}

}  // namespace

std::string format_packet(Bytes packet) {
  std::string line;
  DropReason reason{};
  const auto ip = Ipv4View::parse(packet, &reason);
  if (!ip) {
    line += "IP malformed: ";
    line += describe(reason);
    line += ", length ";
    append(line, packet.size());
    return line;
  }
  append_addresses(line, *ip);
  append_payload(line, *ip);
  // RFC 3168 section 5.
  constexpr std::array<std::string_view, 4> kEcn = {"", ", ECT(1)", ", ECT(0)", ", CE"};
  line += kEcn[ip->ecn()];
  return line;
}

std::string format_frame(const TxFrame& frame) {
  std::vector<std::uint8_t> packet(frame.size());
  frame.copy_to(packet);
  std::string line = format_packet(packet);
  if (frame.meta.gso_size_octets > 0) {
    line += ", segments of ";
    append(line, frame.meta.gso_size_octets);
  }
  return line;
}

}  // namespace runnel::wire
