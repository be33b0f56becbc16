// Down to the link: what waits in the control queue, then the connections that have something.
#include <algorithm>

#include "stack/core/engine.h"
#include "stack/tcp/header_writer.h"

namespace runnel::core {

namespace {

// How many packets for this host itself one call hands back to it.
constexpr std::size_t kLoopBackBatch = 64;

// How many connections to look at, one of which may hibernate, when one has nothing to send.
constexpr std::size_t kLooksAtRest = 2;

}  // namespace

bool Engine::poll_transmit(TxFrame& frame, Instant now) {
  set_now(now);
  borrowed_ = {};
  if (!looped_back_.empty()) deliver_looped_back();
  for (std::size_t looped = 0; looped < kLoopBackBatch;) {
    if (!transmit_queued(frame) && !transmit_ready(frame)) {
      if (looped_back_.empty()) return false;
      deliver_looped_back();
      ++looped;
      continue;
    }
    ++counters_.ip_out_transmits;
    counters_.ip_out_octets += frame.size();
    const auto destination = IpAddress::from_v4(base::load_be<std::uint32_t>(frame.header(), 16));
    if (!is_local(destination)) return true;
    loop_back(frame);
    ++looped;
  }
  return false;  // next_deadline() is now: the rest of what loops back comes with the next call
}

bool Engine::transmit_queued(TxFrame& frame) {
  if (queued_.empty()) return false;
  borrowed_ = std::move(queued_.front());
  queued_.pop_front();
  frame.clear();
  const Bytes packet = borrowed_.bytes();
  const std::size_t header_octets = wire::kIpv4MinHeaderOctets;  // ours carry no options
  const MutableBytes header = frame.prepend(header_octets);
  std::copy_n(packet.begin(), header_octets, header.begin());
  if (packet.size() > header_octets) frame.append(packet.subspan(header_octets));
  return true;
}

bool Engine::transmit_ready(TxFrame& frame) {
  while (base::ListNode* const node = ready_.pop_front()) {
    HostedConnection& connection =
        *connections_.at(static_cast<ReadyNode*>(node)->owner_index).awake;
    if (connection.tcp.poll_transmit(frame, now_)) {
      finish_frame(frame, connection.tcp);
      return_to_ready(connection, frame.size());
      if (connection.tcp.next_deadline() < connection.timer.deadline) {
        wheel_.arm(connection.timer, connection.tcp.next_deadline());
      }
      return true;
    }
    if (connection.tcp.next_deadline() < connection.timer.deadline) {
      wheel_.arm(connection.timer, connection.tcp.next_deadline());
    }
    turn_octets_ = 0;
    limit_awake(config_.awake_connections, kLooksAtRest);
  }
  return false;
}

// A connection that has sent so much goes on in its turn, or stands behind the others. A turn is
// worth no more than the window that another one's acknowledgment opens in its own: so those that
// send and those that receive get the same.
void Engine::return_to_ready(HostedConnection& connection, std::size_t octets) noexcept {
  turn_octets_ += octets;
  if (turn_octets_ < std::min(config_.turn_octets, environment_.window_share.octets())) {
    ready_.push_front(connection.ready);
    return;
  }
  ready_.push_back(connection.ready);
  turn_octets_ = 0;
}

// Puts the IP header before a connection's segment. DF is set, so the identification means nothing
// and is zero (RFC 6864 section 4.1).
void Engine::finish_frame(TxFrame& frame, const tcp::Connection& connection) {
  wire::Ipv4Header header;
  header.dscp = connection.ip_fields().dscp;
  header.ecn = static_cast<std::uint8_t>(frame.meta.ecn);
  header.ttl = connection.ip_fields().ttl;
  header.dont_fragment = true;
  header.protocol = wire::kProtocolTcp;
  header.source = connection.tuple().local.address;
  header.destination = connection.tuple().remote.address;
  ip::prepend_header(frame, header);
}

// --- The control queue ---------------------------------------------------------------------------

// A segment without payload, from no connection's output.
void Engine::send(const tcp::FourTuple& tuple, const wire::TcpHeader& header,
                  const tcp::IpFields& fields) {
  TxFrame& frame = control_frame_;
  frame.clear();
  tcp::write_tcp_header(frame, tuple, header, false);
  ++counters_.tcp_out_segs;
  if (header.flags.rst) ++counters_.tcp_out_rsts;
  wire::Ipv4Header ip_header;
  ip_header.dscp = fields.dscp;
  ip_header.ecn = static_cast<std::uint8_t>(fields.ecn_of(header.flags));
  ip_header.ttl = fields.ttl;
  ip_header.dont_fragment = true;
  ip_header.protocol = wire::kProtocolTcp;
  ip_header.source = tuple.local.address;
  ip_header.destination = tuple.remote.address;
  ip::prepend_header(frame, ip_header);
  enqueue(pool_.copy(frame.header()));
}

Result<void> Engine::send_ip(const wire::Ipv4Header& header, Bytes payload) {
  wire::Ipv4Header numbered = header;
  if (wire::kIpv4MinHeaderOctets + payload.size() <= config_.mtu_octets) {
    // It is sent whole or not at all, and needs no identification (RFC 6864 section 4.1).
    numbered.dont_fragment = true;
  } else if (header.dont_fragment) {
    return Errc::invalid_argument;
  } else {
    const auto identification =
        identification_.next(header.source, header.destination, header.protocol, now_);
    if (!identification) {
      counters_.drop(DropReason::IcmpRateLimited);
      return Errc::would_block;
    }
    numbered.identification = *identification;
  }
  auto packets = ip::make_packets(numbered, payload, config_.mtu_octets, pool_);
  if (packets.empty()) counters_.drop(DropReason::NoMemory);
  if (packets.size() > 1) counters_.ip_out_frag_creates += packets.size();
  for (buffer::Slice& packet : packets) enqueue(std::move(packet));
  return {};
}

void Engine::enqueue(buffer::Slice packet) {
  if (packet.length == 0) {
    counters_.drop(DropReason::NoMemory);
  } else if (queued_.size() >= config_.control_queue_packets) {
    counters_.drop(DropReason::OutputQueueFull);
  } else {
    queued_.push_back(std::move(packet));
  }
}

// --- Packets for this host itself ----------------------------------------------------------------

void Engine::loop_back(const TxFrame& frame) {
  buffer::SlabRef block = pool_.acquire(frame.size());
  if (!block || looped_back_.size() >= config_.control_queue_packets) {
    counters_.drop(block ? DropReason::OutputQueueFull : DropReason::NoMemory);
    return;
  }
  const auto octets = static_cast<std::uint32_t>(frame.copy_to({block->data(), block->capacity()}));
  looped_back_.push_back({std::move(block), 0, octets});
}

// Its checksums need no proof: the octets never left this memory.
void Engine::deliver_looped_back() {
  const buffer::Slice packet = std::move(looped_back_.front());
  looped_back_.pop_front();
  ++counters_.ip_in_receives;
  counters_.ip_in_octets += packet.length;
  const auto view = wire::Ipv4View::parse(packet.bytes());
  if (!view) return;
  deliver(Arrival(*view, {.checksum = ChecksumStatus::Verified},
                  addresses_.classify(view->destination()), packet.slab));
}

}  // namespace runnel::core
