#include "apps/packet_printer.h"

#include <fmt/format.h>
#include <tins/icmp.h>
#include <tins/ip.h>
#include <tins/rawpdu.h>
#include <tins/tcp.h>

#include <chrono>
#include <cstdint>
#include <exception>
#include <iterator>
#include <string_view>
#include <utility>

namespace runnel::apps {
namespace {

std::uint32_t big_endian(const std::uint8_t* octets, std::size_t count) noexcept {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < count; ++i) value = (value << 8U) | octets[i];
  return value;
}

// tcpdump's letters, from the lowest bit on.
std::string flags_of(unsigned bits) {
  constexpr std::string_view kLetters = "FSRP.UEWe";
  std::string flags;
  for (std::size_t i = 0; i < kLetters.size(); ++i) {
    if ((bits >> i & 1U) != 0) flags.push_back(kLetters[i]);
  }
  return flags.empty() ? "none" : flags;
}

std::string describe_option(const Tins::TCP::option& option) {
  const std::uint8_t* data = option.data_ptr();
  const std::size_t size = option.data_size();
  switch (option.option()) {
    case Tins::TCP::EOL:
      return "eol";
    case Tins::TCP::NOP:
      return "nop";
    case Tins::TCP::MSS:
      if (size == 2) return fmt::format("mss {}", big_endian(data, 2));
      break;
    case Tins::TCP::WSCALE:
      if (size == 1) return fmt::format("wscale {}", data[0]);
      break;
    case Tins::TCP::SACK_OK:
      return "sackOK";
    case Tins::TCP::SACK: {
      std::string blocks = "sack";
      for (std::size_t at = 0; at + 8 <= size; at += 8) {
        blocks += fmt::format(" {}:{}", big_endian(data + at, 4), big_endian(data + at + 4, 4));
      }
      return blocks;
    }
    case Tins::TCP::TSOPT:
      if (size == 8) {
        return fmt::format("TS val {} ecr {}", big_endian(data, 4), big_endian(data + 4, 4));
      }
      break;
    default:
      break;
  }
  return fmt::format("option {} of {} octets", static_cast<unsigned>(option.option()), size);
}

std::string describe_tcp(const Tins::IP& ip, const Tins::TCP& tcp, std::size_t octets) {
  const unsigned bits = tcp.flags();
  const std::size_t header = std::size_t{tcp.data_offset()} * 4;
  const std::size_t length = octets > header ? octets - header : 0;
  std::string line =
      fmt::format("{}.{} > {}.{}: Flags [{}]", ip.src_addr().to_string(), tcp.sport(),
                  ip.dst_addr().to_string(), tcp.dport(), flags_of(bits));
  const auto end = std::back_inserter(line);
  if (length > 0) {
    fmt::format_to(end, ", seq {}:{}", tcp.seq(), static_cast<std::uint32_t>(tcp.seq() + length));
  } else if ((bits & (Tins::TCP::SYN | Tins::TCP::FIN | Tins::TCP::RST)) != 0) {
    fmt::format_to(end, ", seq {}", tcp.seq());
  }
  if ((bits & Tins::TCP::ACK) != 0) fmt::format_to(end, ", ack {}", tcp.ack_seq());
  fmt::format_to(end, ", win {}", tcp.window());
  if ((bits & Tins::TCP::URG) != 0) fmt::format_to(end, ", urg {}", tcp.urg_ptr());
  std::string_view separator = ", options [";
  for (const Tins::TCP::option& option : tcp.options()) {
    fmt::format_to(end, "{}{}", separator, describe_option(option));
    separator = ",";
  }
  if (separator == ",") line += "]";
  fmt::format_to(end, ", length {}", length);
  return line;
}

std::string describe_icmp(const Tins::IP& ip, const Tins::ICMP& icmp, std::size_t octets) {
  std::string what;
  switch (icmp.type()) {
    case Tins::ICMP::ECHO_REQUEST:
      what = fmt::format("echo request, id {}, seq {}", icmp.id(), icmp.sequence());
      break;
    case Tins::ICMP::ECHO_REPLY:
      what = fmt::format("echo reply, id {}, seq {}", icmp.id(), icmp.sequence());
      break;
    case Tins::ICMP::DEST_UNREACHABLE:
      what = fmt::format("destination unreachable, code {}", icmp.code());
      if (icmp.code() == 4) what += fmt::format(", need to fragment (mtu {})", icmp.mtu());
      break;
    case Tins::ICMP::TIME_EXCEEDED:
      what = fmt::format("time exceeded, code {}", icmp.code());
      break;
    default:
      what = fmt::format("type {}, code {}", static_cast<unsigned>(icmp.type()), icmp.code());
  }
  return fmt::format("{} > {}: ICMP {}, length {}", ip.src_addr().to_string(),
                     ip.dst_addr().to_string(), what, octets);
}

std::string describe_ip(const Tins::IP& ip, std::size_t packet_octets) {
  const std::size_t header = std::size_t{ip.head_len()} * 4;
  const std::size_t total = ip.tot_len() != 0 ? ip.tot_len() : packet_octets;
  const std::size_t octets = total > header ? total - header : 0;
  const std::size_t fragment_at = std::size_t{ip.fragment_offset()} * 8;
  std::string line;
  if (fragment_at > 0) {
    line = fmt::format("{} > {}: ip-proto-{}, length {}", ip.src_addr().to_string(),
                       ip.dst_addr().to_string(), ip.protocol(), octets);
  } else if (const auto* tcp = ip.find_pdu<Tins::TCP>()) {
    line = describe_tcp(ip, *tcp, octets);
  } else if (const auto* icmp = ip.find_pdu<Tins::ICMP>()) {
    line = describe_icmp(ip, *icmp, octets);
  } else {
    line = fmt::format("{} > {}: ip-proto-{}, length {}", ip.src_addr().to_string(),
                       ip.dst_addr().to_string(), ip.protocol(), octets);
  }
  const bool more = (ip.flags() & Tins::IP::MORE_FRAGMENTS) != 0;
  if (more || fragment_at > 0) {
    line += fmt::format(" (frag {}:{}@{}{})", ip.id(), octets, fragment_at, more ? "+" : "");
  }
  return line;
}

}  // namespace

std::string describe_packet(Bytes packet) {
  if (packet.empty()) return "malformed: no octets";
  if (const unsigned version = packet.front() >> 4U; version != 4) {
    return fmt::format("IP version {}, {} octets", version, packet.size());
  }
  try {
    const Tins::IP ip(packet.data(), static_cast<std::uint32_t>(packet.size()));
    return "IP " + describe_ip(ip, packet.size());
  } catch (const std::exception&) {
    return fmt::format("malformed, {} octets", packet.size());
  }
}

void PacketPrinter::print(tun::Direction direction, Bytes packet, Instant at) {
  if (!first_) first_ = at;
  const double seconds = std::chrono::duration<double>(at - *first_).count();
  fmt::print(out_, "{:.6f} {} {}\n", seconds, direction == tun::Direction::In ? '<' : '>',
             describe_packet(packet));
}

}  // namespace runnel::apps
