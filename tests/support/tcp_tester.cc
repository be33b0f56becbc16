#include "tests/support/tcp_tester.h"

#include <algorithm>
#include <cstdio>

#include "stack/wire/format.h"
#include "stack/wire/ipv4.h"
#include "tests/support/oracle.h"
#include "tests/support/packet_check.h"
#include "tests/support/plain_config.h"
#include "tests/support/test_defaults.h"

namespace runnel::test {
namespace {

constexpr std::uint64_t kSeed = kTesterSeed;
constexpr int kMostStepsAtOneInstant = 100'000;
const IpPrefix kLocalPrefix{IpAddress(192, 0, 2, 2), 24};

// Whether a stack says that an address is its own: it can be listened to.
bool is_address_of(Stack& stack, const IpAddress& address) {
  const auto listener = stack.listen({address, 1});
  if (listener) static_cast<void>(stack.close_listener(*listener));
  return listener || listener.error() == Errc::address_in_use;
}

}  // namespace

const Endpoint TcpTester::kLocal{IpAddress(192, 0, 2, 2), TcpTester::kPort};
const Endpoint TcpTester::kPeer{IpAddress(192, 0, 2, 1), TcpTester::kPeerPort};

std::string_view name_of_event(EventKind kind) noexcept {
  switch (kind) {
    case EventKind::Incoming:
      return "Incoming";
    case EventKind::Connected:
      return "Connected";
    case EventKind::Readable:
      return "Readable";
    case EventKind::Writable:
      return "Writable";
    case EventKind::Ended:
      return "Ended";
    case EventKind::SoftError:
      return "SoftError";
    case EventKind::Urgent:
      return "Urgent";
    case EventKind::Timeout:
      return "Timeout";
    case EventKind::Error:
      return "Error";
    case EventKind::Closed:
      return "Closed";
  }
  return "?";
}

TcpTester::TcpTester() {
  if (has_isn_near_wrap()) peer_iss = kIsnNearWrap;
  peer_timestamps = timestamps_by_default() == TimestampsByDefault::On;
  rebuild(Config{});
}

void TcpTester::TearDown() {
  if (!HasFailure()) return;
  std::string text = "The whole story:\n";
  for (const std::string& line : story_) text += line + '\n';
  std::fputs(text.c_str(), stderr);
}

void TcpTester::rebuild(const Config& config, std::optional<Instant> start) {
  stack_.reset();
  config_ = config;
  if (!keep_defaults) make_plain(config_.tcp);
  apply_timestamps_default();
  if (hibernates_at_once()) config_.awake_connections = 0;
  random_ = std::make_unique<SeededRandom>(kSeed);
  states_ = std::make_unique<StateRecorder>();
  stack_ = std::make_unique<Stack>(config_, *random_, states_.get());
  now_ = start ? *start : has_isn_near_wrap() ? start_for_isn_near_wrap() : Instant{1s};
  listener_ = {};
  id_ = {};
  last_sent_.reset();
  our_wscale_.reset();
  echo_ = {};
  sent_.clear();
  icmp_.clear();
  events_.clear();
  story_.clear();
  const Result<void> added = stack_->add_address(kLocalPrefix);
  if (!added) ADD_FAILURE() << "add_address: " << added.error().message();
  stack_->advance(now_);
}

void TcpTester::rebuild_for_iss(std::uint32_t iss, const Config& config) {
  rebuild(config, Instant{1s});
  listen();
  send(peer_syn());
  const std::uint32_t steps = iss - iss_;
  rebuild(config, Instant{1s} + steps * 4us);
}

SegmentBuilder TcpTester::segment() const {
  return SegmentBuilder(kPeer, kLocal).window(peer_window);
}

SegmentBuilder TcpTester::peer_syn() const {
  SegmentBuilder syn = segment().syn().seq(peer_iss);
  if (peer_mss) syn.mss(*peer_mss);
  if (peer_wscale) syn.wscale(*peer_wscale);
  if (peer_sack) syn.sack_permitted();
  if (peer_timestamp) syn.timestamps(*peer_timestamp, 0);
  return syn;
}

void TcpTester::send_batch(const std::vector<SegmentBuilder>& segments) {
  stack_->advance(now_);
  for (const SegmentBuilder& segment : segments) {
    const std::vector<std::uint8_t> octets = with_timestamps(segment).build();
    tell("<-", wire::format_packet(octets));
    stack_->receive(octets, now_);
  }
  pump();
}

void TcpTester::send_packet(const std::vector<std::uint8_t>& octets, const PacketMeta& meta) {
  stack_->advance(now_);
  tell("<-", wire::format_packet(octets));
  stack_->receive(octets, now_, meta);
  pump();
}

void TcpTester::send_icmp(wire::IcmpType type, std::uint8_t code, std::uint16_t identifier,
                          std::uint16_t sequence, Bytes body, IpAddress from, IpAddress to) {
  std::vector<std::uint8_t> packet(wire::kIpv4MinHeaderOctets + wire::kIcmpHeaderOctets +
                                   body.size());
  const MutableBytes message = MutableBytes(packet).subspan(wire::kIpv4MinHeaderOctets);
  std::copy(body.begin(), body.end(),
            message.begin() + static_cast<std::ptrdiff_t>(wire::kIcmpHeaderOctets));
  wire::Icmpv4Header{type, code, identifier, sequence}.write(message, body);
  wire::Ipv4Header ip;
  ip.protocol = wire::kProtocolIcmp;
  ip.source = from;
  ip.destination = to;
  ip.write(packet, message.size());
  send_packet(packet);
}

void TcpTester::send_icmp_error(wire::IcmpType type, std::uint8_t code, Bytes packet,
                                std::uint16_t mtu, std::size_t quoted) {
  send_icmp(type, code, 0, mtu, packet.first(std::min(quoted, packet.size())));
}

std::optional<SentSegment> TcpTester::next_sent() {
  if (sent_.empty()) return std::nullopt;
  SentSegment segment = std::move(sent_.front());
  sent_.pop_front();
  return segment;
}

std::vector<SentSegment> TcpTester::all_sent() {
  std::vector<SentSegment> all(sent_.begin(), sent_.end());
  sent_.clear();
  return all;
}

std::optional<SentIcmp> TcpTester::next_icmp() {
  if (icmp_.empty()) return std::nullopt;
  SentIcmp message = std::move(icmp_.front());
  icmp_.pop_front();
  return message;
}

void TcpTester::forget_sent() {
  sent_.clear();
  icmp_.clear();
}

void TcpTester::advance(Duration duration) {
  const Instant target = now_ + duration;
  int steps_here = 0;
  for (;;) {
    const Instant next = stack_->next_deadline();
    if (next > target) break;
    if (next > now_) {
      now_ = next;
      steps_here = 0;
    } else if (++steps_here > kMostStepsAtOneInstant) {
      ADD_FAILURE() << "next_deadline() does not let time go on";
      break;
    }
    stack_->advance(now_);
    pump();
  }
  now_ = target;
  stack_->advance(now_);
  pump();
}

void TcpTester::pump() {
  while (const auto event = stack_->poll_event()) {
    std::string text(name_of_event(event->kind));
    if (event->error) text += ": " + event->error.message();
    tell("!!", text);
    events_.push_back(*event);
  }
  TxFrame frame;
  while (stack_->poll_transmit(frame, now_)) collect(frame);
}

void TcpTester::collect(const TxFrame& frame) {
  std::vector<std::uint8_t> octets(frame.size());
  frame.copy_to(octets);
  tell("->", wire::format_packet(octets));
  if (const auto fault = find_fault(octets, frame.meta, config_.mtu_octets)) {
    ADD_FAILURE() << *fault << ": " << wire::format_packet(octets);
  }
  expect_same_meaning_in_libtins(octets, frame.meta.checksum);
  const auto ip = wire::Ipv4View::parse(octets);
  // RFC 1122 section 3.2.1.3: of every packet that any test ever sees.
  if (ip && ip->source() != kLocal.address && !is_address_of(*stack_, ip->source())) {
    ADD_FAILURE() << "from an address that is not ours: " << wire::format_packet(octets);
  }
  if (ip && ip->protocol() == wire::kProtocolIcmp) {
    SentIcmp message{ip->source(), ip->destination(), 0, 0, {}, octets};
    message.message.assign(ip->payload().begin(), ip->payload().end());
    if (message.message.size() >= 2 && ip->fragment_offset_octets() == 0) {
      message.type = message.message[0];
      message.code = message.message[1];
    }
    icmp_.push_back(std::move(message));
    return;
  }
  auto segment = SentSegment::parse(octets, frame.meta, now_);
  if (!segment) {
    ADD_FAILURE() << "neither TCP nor ICMP: " << wire::format_packet(octets);
    return;
  }
  if (segment->to == kPeer && segment->from == kLocal && !segment->flags.rst) {
    note_timestamps(*segment);
    if (segment->flags.syn) {
      iss_ = segment->seq;
      our_wscale_ = segment->options.window_scale;
    }
    last_sent_ = *segment;
  }
  sent_.push_back(std::move(*segment));
}

void TcpTester::tell(std::string_view direction, std::string_view what) {
  char time[32];
  std::snprintf(time, sizeof time, "%.9f ",
                std::chrono::duration<double>(now_.time_since_epoch()).count());
  story_.push_back(std::string(time) + std::string(direction) + ' ' + std::string(what));
}

void TcpTester::note(std::string_view text) {
  tell("##", text);
}

ListenerId TcpTester::listen(std::uint16_t port, const ListenOptions& options) {
  tell("()", "listen");
  const auto listener = stack_->listen({kLocal.address, port}, options);
  if (!listener) {
    ADD_FAILURE() << "listen: " << listener.error().message();
    return {};
  }
  if (port == kPort) listener_ = *listener;
  pump();
  return *listener;
}

Result<ConnectionId> TcpTester::try_connect(const Endpoint& remote, const ConnectOptions& options) {
  tell("()", "connect to " + remote.to_string());
  auto connection = stack_->connect(remote, options);
  pump();
  return connection;
}

ConnectionId TcpTester::connect() {
  ConnectOptions options;
  options.local = kLocal;
  const auto connection = try_connect(kPeer, options);
  if (!connection) {
    ADD_FAILURE() << "connect: " << connection.error().message();
    return {};
  }
  return id_ = *connection;
}

std::optional<ConnectionId> TcpTester::accept() {
  const auto connection = stack_->accept(listener_);
  tell("()", connection ? "accept" : "accept: " + connection.error().message());
  pump();
  if (!connection) return std::nullopt;
  id_ = *connection;
  return id_;
}

Result<std::size_t> TcpTester::write(std::string_view text) {
  auto written = stack_->write(id_, as_bytes(text));
  tell("()", written
                 ? "write of " + std::to_string(text.size()) + " took " + std::to_string(*written)
                 : "write: " + written.error().message());
  pump();
  return written;
}

Result<std::size_t> TcpTester::write_octets(std::size_t count) {
  return write(pattern(0, count));
}

std::string TcpTester::pattern(std::size_t from, std::size_t count) {
  std::string text(count, '\0');
  for (std::size_t i = 0; i < count; ++i) text[i] = octet_at(from + i);
  return text;
}

Result<void> TcpTester::shutdown_write() {
  auto result = stack_->shutdown_write(id_);
  tell("()", result ? "shutdown_write" : "shutdown_write: " + result.error().message());
  pump();
  return result;
}

Result<void> TcpTester::close() {
  auto result = stack_->close(id_);
  tell("()", result ? "close" : "close: " + result.error().message());
  pump();
  return result;
}

Result<void> TcpTester::abort() {
  auto result = stack_->abort(id_);
  tell("()", result ? "abort" : "abort: " + result.error().message());
  pump();
  return result;
}

std::string TcpTester::read_all() {
  std::string text;
  std::vector<std::uint8_t> buffer(65536);
  for (;;) {
    const auto count = stack_->read(id_, buffer);
    if (!count || *count == 0) break;
    text += as_text(Bytes(buffer).first(*count));
  }
  tell("()", "read " + std::to_string(text.size()) + " octets");
  pump();
  return text;
}

std::error_code TcpTester::read_error() {
  std::uint8_t octet = 0;
  const auto count = stack_->read(id_, {&octet, 1});
  tell("()", count ? "read gave " + std::to_string(*count) : "read: " + count.error().message());
  pump();
  return count.error();
}

bool TcpTester::reads_end_of_stream() {
  std::uint8_t octet = 0;
  const auto count = stack_->read(id_, {&octet, 1});
  tell("()", count ? "read gave " + std::to_string(*count) : "read: " + count.error().message());
  pump();
  return count && *count == 0;
}

std::vector<Event> TcpTester::take_events() {
  pump();
  return std::exchange(events_, {});
}

std::optional<Event> TcpTester::take_event(EventKind kind) {
  pump();
  for (auto event = events_.begin(); event != events_.end(); ++event) {
    const bool is_ours = kind == EventKind::Incoming || event->connection == id_;
    if (event->kind != kind || !is_ours) continue;
    const Event found = *event;
    events_.erase(event);
    return found;
  }
  return std::nullopt;
}

}  // namespace runnel::test
