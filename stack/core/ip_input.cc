// From the link up to a protocol: IPv4, fragments, ICMP.
#include <algorithm>
#include <cstring>

#include "stack/core/engine.h"
#include "stack/ip/ip_input.h"

namespace runnel::core {

namespace {

constexpr std::size_t kMaxEchoReplies = 64;

// Copies a packet, and sums what a TCP segment's checksum covers on the way: the octets pass
// through the processor once for both. True when it is a whole segment and its checksum is right;
// whatever else it is will be found out where every packet is looked at.
bool copy_verifying(MutableBytes to, Bytes packet) noexcept {
  const auto view = wire::Ipv4View::parse(packet);
  if (!view || view->is_fragment() || view->protocol() != wire::kProtocolTcp) {
    std::copy(packet.begin(), packet.end(), to.begin());
    return false;
  }
  const Bytes header = view->header();
  const Bytes segment = view->payload();
  std::copy(header.begin(), header.end(), to.begin());
  wire::ChecksumBuilder sum = wire::pseudo_header_sum(view->source(), view->destination(),
                                                      wire::kProtocolTcp, segment.size());
  sum.add_copying(to.subspan(header.size()), segment);
  const Bytes padding = packet.subspan(view->total_octets());
  std::copy(padding.begin(), padding.end(), to.subspan(view->total_octets()).begin());
  return sum.checksum() == 0;
}

}  // namespace

RxBuffer Engine::acquire_rx_buffer() {
  buffer::SlabRef block = pool_.acquire(buffer::SlabPool::kLargest);
  if (!block) {
    counters_.drop(DropReason::NoMemory);
    return {};
  }
  return RxBuffer{block.release()};
}

void Engine::receive(Bytes packet, Instant now, const PacketMeta& meta) {
  set_now(now);
  packet = packet.first(std::min(packet.size(), wire::kIpv4MaxPacketOctets));
  buffer::SlabRef block = pool_.acquire(packet.size());
  if (!block) {
    if (!packet.empty()) counters_.drop(DropReason::NoMemory);
    return;
  }
  RxBuffer buffer{block.release()};
  buffer.set_packet(0, packet.size());
  buffer.meta = meta;
  if (meta.checksum == ChecksumStatus::Unchecked) {
    if (copy_verifying(buffer.space(), packet)) buffer.meta.checksum = ChecksumStatus::Verified;
  } else {
    std::copy(packet.begin(), packet.end(), buffer.space().begin());
  }
  receive(std::move(buffer), now);
}

void Engine::receive(RxBuffer&& packet, Instant now) {
  set_now(now);
  std::optional<Arrival> checked = check_packet(packet);
  deliver(checked, std::move(packet));
}

void Engine::deliver(std::optional<Arrival>& checked, RxBuffer&& packet) {
  buffer::SlabRef block = buffer::SlabRef::adopt(packet.release());
  if (!checked) return;
  checked->block = std::move(block);
  deliver(*checked);
  checked.reset();  // the memory is given back before the next packet's turn
}

std::optional<Engine::Arrival> Engine::check_packet(const RxBuffer& packet) {
  const Bytes octets = packet.packet();
  ++counters_.ip_in_receives;
  counters_.ip_in_octets += octets.size();
  DropReason reason{};
  const auto view = wire::Ipv4View::parse(octets, &reason);
  if (!view) {
    counters_.drop(reason);
    return std::nullopt;
  }
  const ip::InputVerdict verdict = ip::check_input(*view, addresses_);
  if (verdict.drop) {
    counters_.drop(*verdict.drop);
    return std::nullopt;
  }
  return std::optional<Arrival>(std::in_place, *view, packet.meta, verdict.destination);
}

void Engine::deliver(const Arrival& arrival) {
  if (arrival.packet.is_fragment()) {
    deliver_fragment(arrival);
    return;
  }
  ++counters_.ip_in_delivers;
  switch (arrival.packet.protocol()) {
    case wire::kProtocolIcmp:
      icmp_arrives(arrival);
      return;
    case wire::kProtocolTcp:
      tcp_arrives(arrival);
      return;
    default:
      counters_.drop(DropReason::IpUnknownProtocol);
      report_error(arrival.packet, wire::IcmpType::DestinationUnreachable,
                   wire::kIcmpProtocolUnreachable);
  }
}

void Engine::deliver_fragment(const Arrival& arrival) {
  const auto whole = reassembler_.add(arrival.packet, now_);
  if (!whole) return;
  const auto view = wire::Ipv4View::parse(whole->bytes());
  if (!view || view->is_fragment()) return;
  deliver(Arrival(*view, {}, arrival.destination, whole->slab));
}

// --- ICMP ----------------------------------------------------------------------------------------

void Engine::icmp_arrives(const Arrival& arrival) {
  ++counters_.icmp_in_msgs;
  const auto message = wire::Icmpv4View::parse(arrival.packet.payload());
  if (!message) {
    counters_.drop(DropReason::IcmpTruncated);
    return;
  }
  if (arrival.meta.checksum != ChecksumStatus::Verified && !message->has_valid_checksum()) {
    counters_.drop(DropReason::IcmpBadChecksum);
    return;
  }
  if (message->is_error()) {
    icmp_error_arrives(arrival, *message);
  } else if (message->type() == wire::IcmpType::EchoRequest && message->code() == 0) {
    echo_request_arrives(arrival, *message);
  } else if (message->type() == wire::IcmpType::EchoReply && message->code() == 0) {
    echo_reply_arrives(arrival, *message);
  } else {
    counters_.drop(DropReason::IcmpUnhandled);
  }
}

void Engine::echo_request_arrives(const Arrival& arrival, const wire::Icmpv4View& request) {
  ++counters_.icmp_in_echos;
  if (arrival.destination != ip::DestinationClass::Local) {  // RFC 1122 section 3.2.2.6 permits it
    counters_.drop(DropReason::IcmpBroadcastEcho);
    return;
  }
  wire::Ipv4Header header;
  header.dscp = arrival.packet.dscp();
  header.protocol = wire::kProtocolIcmp;
  header.ttl = config_.tcp.ttl;
  header.source = arrival.packet.destination();
  header.destination = arrival.packet.source();
  if (!send_ip(header, ip::make_echo_reply(request))) return;
  ++counters_.icmp_out_echo_reps;
  ++counters_.icmp_out_msgs;
}

void Engine::echo_reply_arrives(const Arrival& arrival, const wire::Icmpv4View& reply) {
  if (echo_replies_.size() >= kMaxEchoReplies) echo_replies_.pop_front();
  echo_replies_.push_back({now_,
                           arrival.packet.source(),
                           reply.identifier(),
                           reply.sequence(),
                           arrival.packet.ttl(),
                           reply.body().size(),
                           {}});
}

void Engine::icmp_error_arrives(const Arrival& arrival, const wire::Icmpv4View& message) {
  // Routes are the kernel's on the other side; source quenches are history (RFC 6633 section 3).
  if (message.type() == wire::IcmpType::Redirect ||
      message.type() == wire::IcmpType::SourceQuench) {
    counters_.drop(DropReason::IcmpUnhandled);
    return;
  }
  const auto error = ip::parse_icmp_error(arrival.packet, message, addresses_);
  if (!error) {
    counters_.drop(DropReason::IcmpBadQuote);
    return;
  }
  if (error->quoted_header.protocol == wire::kProtocolTcp) {
    tcp_error_arrives(arrival, *error);
    return;
  }
  const auto quote = wire::Icmpv4View::parse(error->quoted_payload);
  if (error->quoted_header.protocol != wire::kProtocolIcmp || !quote ||
      quote->type() != wire::IcmpType::EchoRequest) {
    counters_.drop(DropReason::IcmpBadQuote);
    return;
  }
  if (echo_replies_.size() >= kMaxEchoReplies) echo_replies_.pop_front();
  echo_replies_.push_back({now_, error->reporter, quote->identifier(), quote->sequence(),
                           arrival.packet.ttl(), 0, ip::error_of(error->type, error->code)});
}

// The quote is one of our own segments: its source is our end of the connection.
void Engine::tcp_error_arrives(const Arrival& arrival, const ip::IcmpError& error) {
  const Bytes quote =
      error.quoted_payload;  // ports and sequence number are there: parse_icmp_error
  const tcp::FourTuple tuple{
      {error.quoted_header.source, base::load_be<std::uint16_t>(quote, 0)},
      {error.quoted_header.destination, base::load_be<std::uint16_t>(quote, 2)}};
  const wire::SeqNum seq{base::load_be<std::uint32_t>(quote, 4)};
  const DemuxHandle handle = look_up(tuple);
  if (handle.kind == Kind::Connection) {
    HostedConnection* const connection = try_awake(handle.index);
    if (connection == nullptr) return;
    connection->tcp.icmp_error_arrives({error.type, error.code, error.next_hop_mtu, seq,
                                        error.quoted_octets, ip::error_of(error.type, error.code)},
                                       now_);
    settle(*connection);
    return;
  }
  if (handle.kind == Kind::SynReceived) {
    const bool is_hard =
        error.type == wire::IcmpType::DestinationUnreachable &&
        (error.code == wire::kIcmpProtocolUnreachable || error.code == wire::kIcmpPortUnreachable);
    if (seq != half_open_.at(handle.index).iss) {
      counters_.drop(DropReason::IcmpBadSequence);
    } else if (is_hard) {  // nobody there will ever complete this handshake
      ++counters_.tcp_attempt_fails;
      forget_half_open(handle.index, TcpState::Closed);
    }
    return;
  }
  if (keep_stray(arrival)) return;
  counters_.drop(DropReason::IcmpUnknownConnection);
}

void Engine::report_error(const wire::Ipv4View& offender, wire::IcmpType type, std::uint8_t code) {
  if (!ip::may_report_error(offender, addresses_)) return;
  if (!icmp_errors_.allow(now_)) {
    counters_.drop(DropReason::IcmpRateLimited);
    return;
  }
  wire::Ipv4Header header;
  header.protocol = wire::kProtocolIcmp;
  header.ttl = config_.tcp.ttl;
  header.source = offender.destination();
  header.destination = offender.source();
  if (send_ip(header, ip::make_icmp_error(offender, type, code))) ++counters_.icmp_out_msgs;
}

// --- Ping ----------------------------------------------------------------------------------------

Result<void> Engine::send_echo_request(const IpAddress& destination, std::uint16_t identifier,
                                       std::uint16_t sequence, Bytes payload,
                                       const EchoRequestOptions& options) {
  if (options.ttl == 0 || options.dscp > 63) return Errc::invalid_argument;
  const ip::DestinationClass kind = addresses_.classify(destination);
  const bool is_host = kind == ip::DestinationClass::Foreign || kind == ip::DestinationClass::Local;
  if (!is_host || destination.is_unspecified() || destination.is_v6())
    return Errc::invalid_argument;
  const std::size_t most =
      wire::kIpv4MaxPacketOctets - wire::kIpv4MinHeaderOctets - wire::kIcmpHeaderOctets;
  if (payload.size() > most) return Errc::invalid_argument;
  const auto source = addresses_.source_for(destination);
  if (!source) return Errc::address_not_available;
  if (queued_.size() >= config_.control_queue_packets) return Errc::no_buffer_space;
  wire::Ipv4Header header;
  header.dscp = options.dscp;
  header.dont_fragment = options.dont_fragment;
  header.protocol = wire::kProtocolIcmp;
  header.ttl = options.ttl.value_or(config_.tcp.ttl);
  header.source = *source;
  header.destination = destination;
  const auto sent = send_ip(header, ip::make_echo_request(identifier, sequence, payload));
  if (sent) ++counters_.icmp_out_msgs;
  return sent;
}

std::optional<EchoReply> Engine::poll_echo_reply() {
  if (echo_replies_.empty()) return std::nullopt;
  const EchoReply reply = echo_replies_.front();
  echo_replies_.pop_front();
  return reply;
}

}  // namespace runnel::core
