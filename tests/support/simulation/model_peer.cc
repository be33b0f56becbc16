#include "tests/support/simulation/model_peer.h"

#include <algorithm>

#include "runnel/random.h"
#include "tests/support/simulation/failure.h"

namespace runnel::test {
namespace {

constexpr std::size_t kIpOctets = 20;
constexpr std::size_t kTcpOctets = 20;
constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kIcmp = 1;

constexpr std::uint8_t kFin = 1;
constexpr std::uint8_t kSyn = 2;
constexpr std::uint8_t kRst = 4;
constexpr std::uint8_t kAck = 16;

std::uint32_t get(Bytes octets, std::size_t at, std::size_t count) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < count; ++i) value = value << 8U | octets[at + i];
  return value;
}

void put(MutableBytes octets, std::size_t at, std::size_t count, std::uint32_t value) {
  for (std::size_t i = count; i > 0; --i) {
    octets[at + i - 1] = static_cast<std::uint8_t>(value);
    value >>= 8U;
  }
}

// The sum of RFC 1071, folded; all ones when a checksum within it is right.
std::uint32_t sum_of(Bytes octets, std::uint32_t sum = 0) {
  for (std::size_t i = 0; i < octets.size(); ++i) {
    sum += i % 2 == 0 ? std::uint32_t{octets[i]} << 8U : octets[i];
  }
  while (sum > 0xffff) sum = (sum & 0xffffU) + (sum >> 16U);
  return sum;
}

std::uint32_t pseudo_sum(std::uint32_t source, std::uint32_t destination, std::size_t octets) {
  return (source >> 16U) + (source & 0xffffU) + (destination >> 16U) + (destination & 0xffffU) +
         kTcp + static_cast<std::uint32_t>(octets);
}

std::optional<std::uint16_t> mss_option(Bytes options) {
  for (std::size_t i = 0; i < options.size();) {
    if (options[i] == 0) break;
    if (options[i] == 1) {
      ++i;
      continue;
    }
    if (i + 1 >= options.size() || options[i + 1] < 2 || i + options[i + 1] > options.size()) break;
    if (options[i] == 2 && options[i + 1] == 4) {
      return static_cast<std::uint16_t>(get(options, i + 2, 2));
    }
    i += options[i + 1];
  }
  return std::nullopt;
}

// The AccECN option, in either order.
void read_acc_ecn(Bytes options, ModelEcnField& field) {
  for (std::size_t i = 0; i + 1 < options.size() && options[i] != 0;) {
    if (options[i] == 1) {
      ++i;
      continue;
    }
    const std::size_t length = options[i + 1];
    if (length < 2 || i + length > options.size()) return;
    const bool is_first_order = options[i] == 172;
    if (is_first_order || options[i] == 174) {
      field.has_option = true;
      const auto counter = [&](std::size_t number) -> std::optional<std::uint32_t> {
        const std::size_t at = 2 + 3 * number;
        if (at + 3 > length) return std::nullopt;
        return get(options, i + at, 3);
      };
      (is_first_order ? field.e0b : field.e1b) = counter(0);
      field.ceb = counter(1);
      (is_first_order ? field.e1b : field.e0b) = counter(2);
    }
    i += length;
  }
}

}  // namespace

ModelPeer::ModelPeer(std::uint16_t mtu_octets, EcnMode ecn, std::uint64_t seed,
                     const IpAddress& address, const IpAddress& peer)
    : is_client_(address == kClientAddress), address_(address.v4_value()), peer_(peer.v4_value()) {
  SeededRandom random(seed);
  options_.mss = static_cast<std::uint16_t>(mtu_octets - kIpOctets - kTcpOctets);
  options_.segments_in_flight = 1U << random.below(6);
  options_.receive_octets = static_cast<std::uint32_t>(500 + random.below(65'000));
  options_.isn_base = static_cast<std::uint32_t>(random.next());
  options_.ecn = ecn;
}

void ModelPeer::listen() {
  for (Socket& socket : sockets_) socket.tcp.listen();
}

void ModelPeer::stop_listening() {
  for (Socket& socket : sockets_) socket.tcp.stop_listening();
}

void ModelPeer::host(std::uint16_t index, Application& application,
                     std::optional<Instant> open_at) {
  ModelTcp::Options options = options_;
  options.isn_base += index * 0x10001U;
  sockets_.emplace_back(application, options, open_at);
  if (!open_at) sockets_.back().tcp.listen();
}

ModelPeer::Socket* ModelPeer::socket_at(std::size_t index) {
  return index < sockets_.size() ? &sockets_[index] : nullptr;
}

void ModelPeer::advance(Instant now) {
  for (Socket& socket : sockets_) socket.tcp.advance(now);
}

Instant ModelPeer::next_deadline() const {
  Instant next = kNever;
  for (const Socket& socket : sockets_) {
    next = std::min({next, socket.tcp.next_deadline(), socket.application.next_deadline()});
    if (socket.open_at) next = std::min(next, *socket.open_at);
  }
  return next;
}

void ModelPeer::run_applications(Instant now) {
  for (Socket& socket : sockets_) {
    if (!socket.open_at || *socket.open_at > now) continue;
    socket.open_at.reset();
    socket.tcp.open(now);
  }
  for (bool any = true; any;) {
    for (Socket& socket : sockets_) (void)socket.tcp.tell_application(now);
    for (Socket& socket : sockets_) socket.application.work(now);
    any = false;
    for (Socket& socket : sockets_) any = socket.tcp.tell_application(now) || any;
  }
}

std::string ModelPeer::find_leftovers() const {
  const auto is_alive = [](const Socket& socket) {
    return socket.tcp.state() != ModelTcp::State::Closed;
  };
  const auto alive = std::count_if(sockets_.begin(), sockets_.end(), is_alive);
  return alive > 0 ? " " + std::to_string(alive) + " connections of the model" : std::string();
}

// --- Packets in ----------------------------------------------------------------------------------

void ModelPeer::receive(Bytes packet, const PacketMeta& meta, Instant now) {
  if (packet.size() < kIpOctets || packet[0] >> 4U != 4) return;
  const std::size_t header = std::size_t{packet[0] & 0x0fU} * 4;
  const std::size_t total = get(packet, 2, 2);
  if (header < kIpOctets || total < header || total > packet.size()) return;
  if (sum_of(packet.first(header)) != 0xffff) return;
  if (get(packet, 16, 4) != address_ || (get(packet, 6, 2) & 0x3fffU) != 0) return;
  const Bytes payload = packet.first(total).subspan(header);
  if (packet[9] == kIcmp) {
    icmp_arrives(payload);
    return;
  }
  if (packet[9] != kTcp || get(packet, 12, 4) != peer_ || payload.size() < kTcpOctets) return;
  if (meta.checksum != ChecksumStatus::Verified &&
      sum_of(payload, pseudo_sum(peer_, address_, payload.size())) != 0xffff) {
    return;
  }
  tcp_arrives(payload, packet[1] & 3U, now);
}

// What a connection has found wrong with its peer's ECN.
void ModelPeer::check_invariants() {
  for (const Socket& socket : sockets_) {
    if (const std::string& failure = socket.tcp.ecn().failure(); !failure.empty()) {
      throw SimulationFailure("ECN, says the model: " + failure);
    }
  }
}

void ModelPeer::tcp_arrives(Bytes octets, unsigned ip_ecn, Instant now) {
  const std::size_t header = std::size_t{octets[12]} / 16 * 4;
  if (header < kTcpOctets || header > octets.size()) return;
  const std::size_t index = get(octets, is_client_ ? 2 : 0, 2) - kFirstClientPort;
  if (get(octets, is_client_ ? 0 : 2, 2) != kServerPort) return;
  ModelSegment segment;
  segment.seq = get(octets, 4, 4);
  segment.ack = get(octets, 8, 4);
  segment.window = static_cast<std::uint16_t>(get(octets, 14, 2));
  segment.has_ack = (octets[13] & kAck) != 0;
  segment.syn = (octets[13] & kSyn) != 0;
  segment.fin = (octets[13] & kFin) != 0;
  segment.rst = (octets[13] & kRst) != 0;
  segment.mss = mss_option(octets.first(header).subspan(kTcpOctets));
  segment.ecn.ip = ip_ecn;
  segment.ecn.flags = (octets[12] & 1U) * 4 + (octets[13] >> 6U & 1U) + (octets[13] >> 7U) * 2U;
  read_acc_ecn(octets.first(header).subspan(kTcpOctets), segment.ecn);
  segment.text.assign(octets.begin() + static_cast<std::ptrdiff_t>(header), octets.end());
  Socket* const socket = socket_at(index);
  if (socket != nullptr && socket->tcp.state() != ModelTcp::State::Closed) {
    socket->tcp.segment_arrives(std::move(segment), now);
  } else if (const auto reset = ModelTcp::answer_from_closed(segment)) {
    replies_.push_back({index, *reset});
  }
}

// Fragmentation needed (RFC 1191), the only message that it understands.
void ModelPeer::icmp_arrives(Bytes message) {
  if (message.size() < 8 + kIpOctets + 4 || message[0] != 3 || message[1] != 4) return;
  if (sum_of(message) != 0xffff) return;
  const Bytes quoted = message.subspan(8);
  const std::size_t header = std::size_t{quoted[0] & 0x0fU} * 4;
  if (quoted.size() < header + 4) return;
  const std::size_t index = get(quoted, header + (is_client_ ? 0U : 2U), 2) - kFirstClientPort;
  if (Socket* const socket = socket_at(index)) {
    socket->tcp.path_mtu_is(static_cast<std::uint16_t>(get(message, 6, 2)));
  }
}

// --- Packets out ---------------------------------------------------------------------------------

bool ModelPeer::poll_transmit(TxFrame& frame, Instant now) {
  if (!replies_.empty()) {
    write(frame, replies_.front().index, replies_.front().segment);
    replies_.pop_front();
    return true;
  }
  ModelSegment segment;
  for (std::size_t i = 0; i < sockets_.size(); ++i) {
    if (!sockets_[i].tcp.poll(segment, now)) continue;
    write(frame, i, segment);
    return true;
  }
  return false;
}

void ModelPeer::write(TxFrame& frame, std::size_t index, const ModelSegment& segment) {
  const std::size_t options = segment.mss ? 4 : 0;
  const std::size_t tcp_octets = kTcpOctets + options;
  text_ = segment.text;
  frame.clear();
  if (!text_.empty()) frame.append(text_);
  const MutableBytes octets = frame.prepend(kIpOctets + tcp_octets);
  std::fill(octets.begin(), octets.end(), std::uint8_t{0});
  octets[0] = 0x45;
  octets[1] = static_cast<std::uint8_t>(segment.ecn.ip);
  put(octets, 2, 2, static_cast<std::uint32_t>(octets.size() + text_.size()));
  put(octets, 4, 2, identification_++);
  octets[6] = 0x40;  // DF
  octets[8] = 64;
  octets[9] = kTcp;
  put(octets, 12, 4, address_);
  put(octets, 16, 4, peer_);
  put(octets, 10, 2, ~sum_of(Bytes(octets).first(kIpOctets)));

  const MutableBytes tcp = octets.subspan(kIpOctets);
  const auto client_port = static_cast<std::uint32_t>(kFirstClientPort + index);
  put(tcp, 0, 2, is_client_ ? client_port : kServerPort);
  put(tcp, 2, 2, is_client_ ? kServerPort : client_port);
  put(tcp, 4, 4, segment.seq);
  if (segment.has_ack) put(tcp, 8, 4, segment.ack);
  tcp[12] = static_cast<std::uint8_t>(tcp_octets / 4 << 4U | segment.ecn.flags >> 2U);
  tcp[13] =
      static_cast<std::uint8_t>((segment.fin ? kFin : 0) | (segment.syn ? kSyn : 0) |
                                (segment.rst ? kRst : 0) | (segment.has_ack ? kAck : 0) |
                                (segment.ecn.flags & 1U) << 6U | (segment.ecn.flags & 2U) << 6U);
  put(tcp, 14, 2, segment.window);
  if (segment.mss) {
    tcp[20] = 2;
    tcp[21] = 4;
    put(tcp, 22, 2, *segment.mss);
  }
  const std::uint32_t header_sum =
      sum_of(tcp, pseudo_sum(address_, peer_, tcp_octets + text_.size()));
  put(tcp, 16, 2, ~sum_of(text_, header_sum));
}

}  // namespace runnel::test
