#include "tests/support/oracle.h"

#include <tins/tins.h>

#include <algorithm>
#include <array>
#include <exception>
#include <vector>

#include <gtest/gtest.h>

#include "stack/wire/format.h"
#include "stack/wire/icmpv4.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/tcp.h"

namespace runnel::test {
namespace {

// The Internet checksum written for clarity and not for speed, so that the stack's own has another
// judge. Folded to 16 bits, not complemented.
std::uint16_t plain_sum(Bytes octets, std::uint32_t sum = 0) {
  for (std::size_t i = 0; i < octets.size(); ++i) {
    sum += i % 2 == 0 ? std::uint32_t{octets[i]} << 8U : std::uint32_t{octets[i]};
    sum = (sum & 0xffffU) + (sum >> 16U);
  }
  return static_cast<std::uint16_t>(sum);
}

std::uint16_t plain_pseudo_header_sum(Bytes packet) {
  const std::size_t header_octets = std::size_t{packet[0] & 0x0fU} * 4;
  const std::size_t total_octets = std::size_t{packet[2]} * 256 + packet[3];
  const std::size_t length = total_octets - header_octets;
  const std::array<std::uint8_t, 4> rest = {0, packet[9], static_cast<std::uint8_t>(length / 256),
                                            static_cast<std::uint8_t>(length % 256)};
  return plain_sum(rest, plain_sum(packet.subspan(12, 8)));
}

// Gathers what differs.
class Differences {
 public:
  template <typename Ours, typename Theirs>
  void compare(const char* what, const Ours& ours, const Theirs& theirs) {
    if (static_cast<std::uint64_t>(ours) == static_cast<std::uint64_t>(theirs)) return;
    say(std::string(what) + ": ours " + std::to_string(static_cast<std::uint64_t>(ours)) +
        ", libtins " + std::to_string(static_cast<std::uint64_t>(theirs)));
  }
  void expect(bool is_right, const char* otherwise) {
    if (!is_right) say(otherwise);
  }
  void say(const std::string& line) {
    if (!text_.empty()) text_ += '\n';
    text_ += line;
  }
  [[nodiscard]] std::string text() const { return text_; }

 private:
  std::string text_;
};

// What libtins left unparsed behind the last header that it knows.
Bytes raw_payload(const Tins::PDU& pdu) {
  const auto* raw = dynamic_cast<const Tins::RawPDU*>(pdu.inner_pdu());
  if (raw == nullptr) return {};
  return {raw->payload().data(), raw->payload().size()};
}

bool is_same(Bytes a, Bytes b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

std::uint32_t be24(const std::uint8_t* octets) {
  return std::uint32_t{octets[0]} << 16U | std::uint32_t{octets[1]} << 8U | octets[2];
}

// The meaning of one option as libtins delivered it. False when its length is wrong for its kind.
bool read_option(const Tins::TCP::option& option, wire::TcpOptions& meaning) {
  const std::size_t size = option.data_size();
  const std::uint8_t* data = option.data_ptr();
  switch (int{option.option()}) {
    case Tins::TCP::MSS:
      if (size != 2) return false;
      if (!meaning.maximum_segment_size) meaning.maximum_segment_size = option.to<std::uint16_t>();
      return true;
    case Tins::TCP::WSCALE:
      if (size != 1) return false;
      if (!meaning.window_scale) meaning.window_scale = option.to<std::uint8_t>();
      return true;
    case Tins::TCP::SACK_OK:
      if (size == 0) meaning.sack_permitted = true;
      return size == 0;
    case Tins::TCP::SACK: {
      if (size == 0 || size % 8 != 0) return false;
      if (meaning.sack.count > 0) return true;
      const auto edges = option.to<std::vector<std::uint32_t>>();
      for (std::size_t i = 0; i + 1 < edges.size(); i += 2) {
        meaning.sack.blocks.at(meaning.sack.count++) = {wire::SeqNum{edges[i]},
                                                        wire::SeqNum{edges[i + 1]}};
      }
      return true;
    }
    case Tins::TCP::TSOPT: {
      if (size != 8) return false;
      const auto values = option.to<std::pair<std::uint32_t, std::uint32_t>>();
      if (!meaning.timestamps) meaning.timestamps = {values.first, values.second};
      return true;
    }
    case 28: {  // user timeout
      if (size != 2) return false;
      const auto word = option.to<std::uint16_t>();
      if (!meaning.user_timeout) {
        meaning.user_timeout = {word >= 0x8000, static_cast<std::uint16_t>(word % 0x8000)};
      }
      return true;
    }
    case 34: {  // Fast Open
      const bool is_right = size == 0 || (size >= 4 && size <= 16 && size % 2 == 0);
      if (is_right && !meaning.fast_open) {
        meaning.fast_open.emplace().length = static_cast<std::uint8_t>(size);
        std::copy_n(data, size, meaning.fast_open->octets.begin());
      }
      return is_right;
    }
    case 172:
    case 174: {  // AccECN
      if (meaning.acc_ecn) return true;
      auto& counters = meaning.acc_ecn.emplace();
      counters.is_order_1 = int{option.option()} == 174;
      for (; counters.count < 3 && 3U * counters.count + 3U <= size; ++counters.count) {
        counters.counters.at(counters.count) = be24(data + 3U * counters.count);
      }
      return true;
    }
    default:
      return false;
  }
}

wire::TcpOptions meaning_in_libtins(const Tins::TCP& tcp) {
  wire::TcpOptions meaning;
  for (const auto& option : tcp.options()) {
    const int kind = option.option();
    if (kind == Tins::TCP::EOL) break;  // libtins itself reads on
    if (kind != Tins::TCP::NOP && !read_option(option, meaning)) meaning.has_unknown = true;
  }
  return meaning;
}

void compare_options(const wire::TcpView& ours, const Tins::TCP& theirs, Differences& out) {
  const wire::TcpOptions a = ours.options();
  const wire::TcpOptions b = meaning_in_libtins(theirs);
  out.expect(a.maximum_segment_size == b.maximum_segment_size, "option MSS differs");
  out.expect(a.window_scale == b.window_scale, "option window scale differs");
  out.expect(a.sack_permitted == b.sack_permitted, "option SACK permitted differs");
  out.expect(a.sack == b.sack, "option SACK differs");
  out.expect(a.timestamps == b.timestamps, "option timestamps differs");
  out.expect(a.user_timeout == b.user_timeout, "option user timeout differs");
  out.expect(a.fast_open == b.fast_open, "option Fast Open differs");
  out.expect(a.acc_ecn == b.acc_ecn, "option AccECN differs");
  out.compare("has unknown options", a.has_unknown, b.has_unknown);
  out.expect(!a.is_malformed, "the option list is malformed to us, not to libtins");
}

void check_transport_checksum(Bytes packet, Bytes transport, std::uint16_t field,
                              ChecksumStatus status, Differences& out) {
  const std::uint16_t pseudo = plain_pseudo_header_sum(packet);
  switch (status) {
    case ChecksumStatus::Unchecked:
      out.expect(plain_sum(transport, pseudo) == 0xffff, "TCP checksum is wrong");
      return;
    case ChecksumStatus::Partial:
      out.expect(field == pseudo, "partial checksum is not the pseudo-header's sum");
      return;
    case ChecksumStatus::Verified:
      return;
  }
}

void compare_tcp(const wire::Ipv4View& ip, const Tins::TCP& theirs, ChecksumStatus checksum,
                 Differences& out) {
  const auto ours = wire::TcpView::parse(ip.payload());
  if (!ours) return out.say("TCP does not parse here, but in libtins");
  out.compare("source port", ours->source_port(), theirs.sport());
  out.compare("destination port", ours->destination_port(), theirs.dport());
  out.compare("seq", ours->seq().value(), theirs.seq());
  out.compare("ack", ours->ack().value(), theirs.ack_seq());
  out.compare("data offset", ours->header_octets() / 4, theirs.data_offset());
  out.compare("flag FIN", ours->flags().fin, theirs.get_flag(Tins::TCP::FIN));
  out.compare("flag SYN", ours->flags().syn, theirs.get_flag(Tins::TCP::SYN));
  out.compare("flag RST", ours->flags().rst, theirs.get_flag(Tins::TCP::RST));
  out.compare("flag PSH", ours->flags().psh, theirs.get_flag(Tins::TCP::PSH));
  out.compare("flag ACK", ours->flags().ack, theirs.get_flag(Tins::TCP::ACK));
  out.compare("flag URG", ours->flags().urg, theirs.get_flag(Tins::TCP::URG));
  out.compare("flag ECE", ours->flags().ece, theirs.get_flag(Tins::TCP::ECE));
  out.compare("flag CWR", ours->flags().cwr, theirs.get_flag(Tins::TCP::CWR));
  const auto flags = static_cast<std::uint16_t>(theirs.flags());
  out.compare("flag AE", ours->flags().ae, flags >> 8U & 1U);
  out.compare("reserved bits", ours->reserved_bits(), flags >> 9U);
  out.compare("window", ours->window(), theirs.window());
  out.compare("checksum", ours->checksum(), theirs.checksum());
  out.compare("urgent pointer", ours->urgent_pointer(), theirs.urg_ptr());
  out.expect(is_same(ours->payload(), raw_payload(theirs)), "TCP payload differs");
  compare_options(*ours, theirs, out);
  check_transport_checksum(ip.packet(), ip.payload(), ours->checksum(), checksum, out);
}

void compare_icmp(const wire::Ipv4View& ip, const Tins::ICMP& theirs, Differences& out) {
  const auto ours = wire::Icmpv4View::parse(ip.payload());
  if (!ours) return out.say("ICMP does not parse here, but in libtins");
  out.compare("ICMP type", static_cast<int>(ours->type()), static_cast<int>(theirs.type()));
  out.compare("ICMP code", ours->code(), theirs.code());
  out.compare("ICMP checksum", ours->checksum(), theirs.checksum());
  out.compare("ICMP identifier", ours->identifier(), theirs.id());
  out.compare("ICMP sequence", ours->sequence(), theirs.sequence());
  out.compare("ICMP next-hop MTU", ours->next_hop_mtu(), theirs.mtu());
  out.expect(plain_sum(ip.payload()) == 0xffff, "ICMP checksum is wrong");
  // libtins takes timestamps (and RFC 4884 extensions) out of the body.
  const bool has_plain_body = ours->type() == wire::IcmpType::EchoRequest ||
                              ours->type() == wire::IcmpType::EchoReply ||
                              (ours->is_error() && !theirs.has_extensions());
  if (has_plain_body) {
    out.expect(is_same(ours->body(), raw_payload(theirs)), "ICMP body differs");
  }
}

std::string dotted(const Tins::IPv4Address& address) {
  return address.to_string();
}

void compare_ip(const wire::Ipv4View& ours, const Tins::IP& theirs, Differences& out) {
  out.compare("header words", ours.header_octets() / 4, theirs.head_len());
  out.compare("DSCP", ours.dscp(), theirs.tos() / 4);
  out.compare("ECN", ours.ecn(), theirs.tos() % 4);
  out.compare("total length", ours.total_octets(), theirs.tot_len());
  out.compare("identification", ours.identification(), theirs.id());
  const auto flags = static_cast<unsigned>(theirs.flags());
  out.compare("DF", ours.dont_fragment(), (flags & Tins::IP::DONT_FRAGMENT) != 0);
  out.compare("MF", ours.more_fragments(), (flags & Tins::IP::MORE_FRAGMENTS) != 0);
  out.compare("fragment offset", ours.fragment_offset_octets(),
              std::size_t{theirs.fragment_offset()} * 8);
  out.compare("is a fragment", ours.is_fragment(), theirs.is_fragmented());
  out.compare("TTL", ours.ttl(), theirs.ttl());
  out.compare("protocol", ours.protocol(), theirs.protocol());
  out.compare("header checksum", ours.header_checksum(), theirs.checksum());
  out.expect(ours.source().to_string() == dotted(theirs.src_addr()), "source differs");
  out.expect(ours.destination().to_string() == dotted(theirs.dst_addr()), "destination differs");
  out.compare("has source route", ours.has_source_route(),
              theirs.search_option(131) != nullptr || theirs.search_option(137) != nullptr);
  out.expect(plain_sum(ours.header()) == 0xffff, "IPv4 header checksum is wrong");
  out.compare("header checksum is valid", ours.has_valid_checksum(), true);
}

void compare(Bytes packet, ChecksumStatus checksum, Differences& out) {
  const auto ours = wire::Ipv4View::parse(packet);
  if (!ours) return out.say("IPv4 does not parse here");
  const Tins::IP theirs(packet.data(), static_cast<std::uint32_t>(packet.size()));
  compare_ip(*ours, theirs, out);
  // Without payload there is no inner PDU.
  const Tins::PDU* inner = theirs.inner_pdu();
  if (ours->is_fragment() || inner == nullptr) {
    out.expect(is_same(ours->payload(), raw_payload(theirs)), "payload differs");
  } else if (const auto* tcp = dynamic_cast<const Tins::TCP*>(inner)) {
    compare_tcp(*ours, *tcp, checksum, out);
  } else if (const auto* icmp = dynamic_cast<const Tins::ICMP*>(inner)) {
    compare_icmp(*ours, *icmp, out);
  } else {
    out.expect(ours->protocol() != wire::kProtocolTcp, "TCP is no TCP to libtins");
    out.expect(ours->protocol() != wire::kProtocolIcmp, "ICMP is no ICMP to libtins");
  }
}

// Octets behind an End of List are zero: RFC 9293 section 3.1, MUST-69.
bool has_zero_padding(Bytes options) {
  wire::TcpOptionReader reader{options};
  std::size_t end = 0;
  while (const auto option = reader.next()) {
    end = static_cast<std::size_t>(option->body.data() + option->body.size() - options.data());
  }
  Bytes rest = options.subspan(end);
  while (!rest.empty() && rest[0] == 1) rest = rest.subspan(1);
  return std::all_of(rest.begin(), rest.end(), [](std::uint8_t octet) { return octet == 0; });
}

void check_emitted(Bytes packet, Differences& out) {
  const auto ip = wire::Ipv4View::parse(packet);
  if (!ip) return;
  out.compare("octets behind the total length", packet.size() - ip->total_octets(), 0U);
  if (ip->protocol() != wire::kProtocolTcp || ip->is_fragment()) return;
  const auto tcp = wire::TcpView::parse(ip->payload());
  if (!tcp) return;
  out.expect(tcp->reserved_bits() == 0, "reserved bits are set");
  out.expect(!tcp->options().has_unknown, "carries an option that we do not know");
  out.expect(has_zero_padding(tcp->option_octets()), "option padding is not zero");
}

std::string hex(Bytes octets) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t octet : octets.first(std::min<std::size_t>(octets.size(), 120))) {
    text += kDigits[octet >> 4U];
    text += kDigits[octet & 0x0fU];
  }
  return text;
}

}  // namespace

std::string explain_difference(Bytes packet, ChecksumStatus checksum) {
  Differences differences;
  try {
    compare(packet, checksum, differences);
  } catch (const std::exception& error) {
    differences.say(std::string("libtins throws: ") + error.what());
  }
  return differences.text();
}

std::string explain_fault_in_emitted(Bytes packet, ChecksumStatus checksum) {
  Differences differences;
  check_emitted(packet, differences);
  std::string text = explain_difference(packet, checksum);
  if (!text.empty() && !differences.text().empty()) text += '\n';
  return text + differences.text();
}

void expect_same_meaning_in_libtins(Bytes packet, ChecksumStatus checksum) {
  const std::string fault = explain_fault_in_emitted(packet, checksum);
  if (fault.empty()) return;
  ADD_FAILURE() << fault << "\nin " << wire::format_packet(packet) << "\n" << hex(packet);
}

}  // namespace runnel::test
