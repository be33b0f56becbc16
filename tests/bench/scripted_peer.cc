#include "tests/bench/scripted_peer.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "stack/wire/ipv4.h"
#include "stack/wire/tcp.h"

namespace runnel::bench {
namespace {

constexpr IpAddress kPeerAddress{192, 0, 2, 1};
constexpr IpAddress kStackAddress{192, 0, 2, 2};
constexpr std::uint16_t kPort = 7;
constexpr std::size_t kRequestOctets = 64;
constexpr std::size_t kHeaderOctets =
    wire::kIpv4MinHeaderOctets + wire::kTcpMinHeaderOctets + 12;  // with timestamps
constexpr std::size_t kSynOptionOctets = 8;  // MSS and window scale, 4 octets each
constexpr std::uint8_t kWindowScale = 10;
// Steps are this far apart: so short a round trip that nothing is paced.
constexpr Duration kStep = std::chrono::microseconds(10);
// Over before the peer's port comes again.
constexpr Duration kTimeWait = std::chrono::milliseconds(5);

// A benchmark that measures something else than it says would be worse than none.
void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "benchmark: %s\n", what);
  std::abort();
}

Config offload_config() noexcept {
  Config config;
  config.checksum_offload = true;
  config.tcp_segmentation_offload = true;
  config.tcp.time_wait = kTimeWait;
  return config;
}

}  // namespace

ScriptedPeer::ScriptedPeer() : stack_(offload_config(), random_) {
  require(stack_.add_address({kStackAddress, 24}).has_value(), "no address");
  listener_ = stack_.listen({kStackAddress, kPort}).value();
  stack_.receive(syn(), now_);
  TxFrame frame;
  require(stack_.poll_transmit(frame, now_), "no SYN-ACK");
  see(frame);
  stack_.receive(segment(0), now_);
  connection_ = stack_.accept(listener_).value();
  while (stack_.poll_event()) {
  }
}

RxBuffer ScriptedPeer::packet(wire::TcpFlags flags, std::size_t octets) {
  wire::Ipv4Header ip;
  ip.dont_fragment = true;
  ip.protocol = wire::kProtocolTcp;
  ip.source = kPeerAddress;
  ip.destination = kStackAddress;
  wire::TcpHeader tcp;
  tcp.source_port = port_;
  tcp.destination_port = kPort;
  tcp.seq = snd_nxt_;
  tcp.ack = rcv_nxt_;
  tcp.flags = flags;
  tcp.window = 0xffff;
  const auto clock =
      std::chrono::duration_cast<std::chrono::milliseconds>(now_.time_since_epoch()).count();
  tcp.options.timestamps = {static_cast<std::uint32_t>(clock), ts_recent_};
  if (flags.syn) {
    tcp.options.maximum_segment_size = 1460;
    tcp.options.window_scale = kWindowScale;
    tcp.options.sack_permitted = true;
  }
  RxBuffer made = stack_.acquire_rx_buffer();
  require(static_cast<bool>(made), "no memory");
  const std::size_t size = kHeaderOctets + (flags.syn ? kSynOptionOctets : 0) + octets;
  const MutableBytes space = made.space().first(size);
  ip.write(space, size - wire::kIpv4MinHeaderOctets);
  tcp.write(space.subspan(wire::kIpv4MinHeaderOctets));
  made.set_packet(0, size);
  made.meta.checksum = ChecksumStatus::Verified;
  if (octets > kSegmentOctets) made.meta.gso_size_octets = kSegmentOctets;
  snd_nxt_ += static_cast<std::uint32_t>(octets) + (flags.syn || flags.fin ? 1U : 0U);
  return made;
}

RxBuffer ScriptedPeer::syn() {
  port_ = port_ == 65535 ? kFirstPort : static_cast<std::uint16_t>(port_ + 1);
  ts_recent_ = 0;
  wire::TcpFlags flags;
  flags.syn = true;
  return packet(flags, 0);
}

RxBuffer ScriptedPeer::segment(std::size_t octets, Fin fin) {
  wire::TcpFlags flags;
  flags.ack = true;
  flags.fin = fin == Fin::Yes;
  return packet(flags, octets);
}

void ScriptedPeer::see(const TxFrame& frame) noexcept {
  // Of a packet that no connection has sent, such as a SYN-ACK, all but the IP header is payload.
  const Bytes behind_ip = frame.header().subspan(wire::kIpv4MinHeaderOctets);
  const auto tcp = wire::TcpView::parse(behind_ip.empty() ? frame.payload().front() : behind_ip);
  require(tcp.has_value(), "not a TCP segment");
  const std::size_t text_octets = frame.size() - wire::kIpv4MinHeaderOctets - tcp->header_octets();
  rcv_nxt_ = tcp->seq() + static_cast<std::uint32_t>(text_octets) +
             (tcp->flags().syn || tcp->flags().fin ? 1U : 0U);
  if (const auto options = tcp->options(); options.timestamps) {
    ts_recent_ = options.timestamps->value;
  }
}

// --- The hot paths -------------------------------------------------------------------------------

// Each measured part is a function of its own that no compiler merges with its caller, so that
// callgrind can tell it from what the peer costs.
[[gnu::noinline]] void measured_input(Stack& stack, ConnectionId connection, RxBuffer packet,
                                      TxFrame& frame, Instant now) {
  stack.receive(std::move(packet), now);
  stack.advance(now);
  while (stack.poll_event()) {
  }
  const auto text = stack.peek(connection);
  if (text) (void)stack.consume(connection, text->size());
  while (stack.poll_transmit(frame, now)) {
  }
}

[[gnu::noinline]] bool measured_write(Stack& stack, ConnectionId connection, Bytes text,
                                      TxFrame& frame, Instant now) {
  const auto written = stack.write(connection, text);
  return written && *written == text.size() && stack.poll_transmit(frame, now);
}

[[gnu::noinline]] void measured_ack(Stack& stack, RxBuffer packet, TxFrame& frame, Instant now) {
  stack.receive(std::move(packet), now);
  stack.advance(now);
  while (stack.poll_event()) {
  }
  while (stack.poll_transmit(frame, now)) {
  }
}

[[gnu::noinline]] bool measured_exchange(Stack& stack, RxBuffer packet, MutableBytes room,
                                         TxFrame& frame, Instant now) {
  stack.receive(std::move(packet), now);
  stack.advance(now);
  while (const auto event = stack.poll_event()) {
    if (event->kind != EventKind::Readable) continue;
    const auto octets = stack.read(event->connection, room);
    if (!octets || !stack.write(event->connection, Bytes{room}.first(*octets))) return false;
  }
  return stack.poll_transmit(frame, now);
}

// Returns whether a frame has left.
[[gnu::noinline]] bool measured_life(Stack& stack, ListenerId listener, RxBuffer packet,
                                     bool closes_first, TxFrame& frame, Instant now) {
  std::array<std::uint8_t, kRequestOctets> room;
  stack.receive(std::move(packet), now);
  stack.advance(now);
  while (const auto event = stack.poll_event()) {
    if (event->kind == EventKind::Incoming) (void)stack.accept(listener);
    if (event->kind == EventKind::Readable) {
      const auto octets = stack.read(event->connection, room);
      if (octets) (void)stack.write(event->connection, Bytes{room}.first(*octets));
      if (closes_first) (void)stack.close(event->connection);
    }
    if (event->kind == EventKind::Ended && !closes_first) (void)stack.close(event->connection);
  }
  return stack.poll_transmit(frame, now);
}

[[gnu::noinline]] bool measured_poll(Stack& stack, TxFrame& frame, Instant now) {
  return stack.poll_transmit(frame, now);
}

void InputPath::step() {
  peer_.advance(kStep);
  measured_input(peer_.stack(), peer_.connection(), peer_.segment(octets_), frame_, peer_.now());
}

OutputPath::OutputPath() {
  for (int i = 0; i < 64; ++i) {  // until the congestion window has room for a super-packet
    (void)peer_.stack().write(peer_.connection(), Bytes{text_}.first(ScriptedPeer::kSegmentOctets));
    while (peer_.stack().poll_transmit(frame_, peer_.now())) peer_.see(frame_);
    peer_.advance(kStep);
    peer_.stack().receive(peer_.segment(0), peer_.now());
  }
}

void OutputPath::step() {
  peer_.advance(kStep);
  require(measured_write(peer_.stack(), peer_.connection(), text_, frame_, peer_.now()),
          "nothing was sent");
  require(frame_.payload_octets() == text_.size(), "it was not one super-packet");
  peer_.see(frame_);
  peer_.advance(kStep);
  measured_ack(peer_.stack(), peer_.segment(0), frame_, peer_.now());
}

ExchangePath::ExchangePath() {
  (void)peer_.stack().set_nagle(peer_.connection(), false);
}

void ExchangePath::step() {
  std::array<std::uint8_t, kRequestOctets> room;
  peer_.advance(kStep);
  require(
      measured_exchange(peer_.stack(), peer_.segment(kRequestOctets), room, frame_, peer_.now()),
      "no answer");
  peer_.see(frame_);
}

void ConnectionPath::step() {
  closes_first_ = !closes_first_;
  arrives(peer_.syn(), Answer::Yes);
  arrives(peer_.segment(0), Answer::No);
  arrives(peer_.segment(kRequestOctets), Answer::Yes);  // with FIN, if it closes first
  arrives(peer_.segment(0, ScriptedPeer::Fin::Yes), Answer::Yes);
  if (!closes_first_) arrives(peer_.segment(0), Answer::No);
  require(peer_.stack().connection_count() == 1, "the connection is not over");
}

void ConnectionPath::arrives(RxBuffer packet, Answer expected) {
  const bool is_answered = measured_life(peer_.stack(), peer_.listener(), std::move(packet),
                                         closes_first_, frame_, peer_.now());
  require(is_answered == (expected == Answer::Yes), "another number of answers");
  if (is_answered) {
    peer_.see(frame_);
    require(!measured_poll(peer_.stack(), frame_, peer_.now()), "more than one answer");
  }
  peer_.advance(kStep);
}

}  // namespace runnel::bench
