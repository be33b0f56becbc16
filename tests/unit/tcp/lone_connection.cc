#include "tests/unit/tcp/lone_connection.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "stack/tcp/handshake.h"
#include "tests/support/plain_config.h"

namespace runnel::tcp {

std::size_t RecordedEvents::count(EventKind kind) const {
  return static_cast<std::size_t>(std::count_if(
      list.begin(), list.end(), [kind](const Event& event) { return event.kind == kind; }));
}

std::error_code RecordedEvents::error_of(EventKind kind) const {
  for (const Event& event : list) {
    if (event.kind == kind) return event.error;
  }
  return {};
}

namespace {

LoneConnectionOptions with_fixed_buffers(LoneConnectionOptions options) {
  if (!options.keep_defaults) test::make_plain(options.config);
  return options;
}

}  // namespace

LoneConnection::LoneConnection(const LoneConnectionOptions& chosen)
    : options(with_fixed_buffers(chosen)),
      budget(chosen.budget_octets),
      environment{pool, counters, events, resets, &moves, chosen.link, 10},
      tcp(environment, ConnectionId{0, 1}, kTuple, SharedConfig(options.config)) {}

// --- Opening -------------------------------------------------------------------------------------

void LoneConnection::establish() {
  tcp.open_active(SeqNum{options.iss}, now);
  pump();
  advance(kRoundTrip);
  arrive(syn_ack());
  ASSERT_EQ(tcp.state(), State::Established);
  forget_sent();
}

void LoneConnection::establish_passive() {
  PassiveOpen open;
  open.iss = SeqNum{options.iss};
  open.irs = SeqNum{options.irs};
  open.rcv_edge = SeqNum{their(0)} + syn_window(options.config.receive_buffer_octets);
  open.peer_window = options.peer_window;
  open.peer_mss_octets = options.peer_mss.value_or(kDefaultMssOctets);
  open.is_sack_permitted = options.peer_sack;
  if (options.peer_timestamps) {
    open.timestamps.agree(*options.peer_timestamps, SeqNum{their(0)}, now);
  }
  open.peer_scale = options.peer_scale;
  open.syn_ack_sent_at = now;
  now += kRoundTrip;
  tcp.open_passive(open, now);
  arrive(segment(0, 0));
  ASSERT_EQ(tcp.state(), State::Established);
  forget_sent();
}

void LoneConnection::bring_to(State state) {
  establish();
  const bool closes_first = state == State::FinWait1 || state == State::FinWait2 ||
                            state == State::Closing || state == State::TimeWait;
  if (closes_first) {
    EXPECT_TRUE(tcp.shutdown_write(now));
    pump();
    if (state == State::FinWait2 || state == State::TimeWait) ack(1);
  }
  if (state != State::Established && state != State::FinWait1 && state != State::FinWait2) {
    Segment fin = segment(0, state == State::TimeWait ? 1 : 0);
    fin.flags.fin = true;
    arrive(fin);
    read_offset = 1;
  }
  if (state == State::LastAck) {
    EXPECT_TRUE(tcp.shutdown_write(now));
    pump();
  }
  ASSERT_EQ(tcp.state(), state);
  forget_sent();
}

// --- The peer ------------------------------------------------------------------------------------

Segment LoneConnection::syn_ack() const {
  Segment seg;
  seg.seq = SeqNum{options.irs};
  seg.ack = SeqNum{our(0)};
  seg.flags = {.syn = true, .ack = true};
  seg.window = options.peer_window;
  seg.options.maximum_segment_size = options.peer_mss;
  seg.options.window_scale = options.peer_scale;
  seg.options.sack_permitted = options.peer_sack;
  if (options.peer_timestamps) seg.options.timestamps = {*options.peer_timestamps, 0};
  return seg;
}

Segment LoneConnection::segment(std::uint32_t their_offset, std::uint32_t our_offset) const {
  Segment seg;
  seg.seq = SeqNum{their(their_offset)};
  seg.ack = SeqNum{our(our_offset)};
  seg.flags.ack = true;
  seg.window = options.peer_window;
  return seg;
}

Segment LoneConnection::text(std::uint32_t their_offset, std::string_view octets) const {
  Segment seg = segment(their_offset, distance(SeqNum{our(0)}, tcp.snd().una));
  seg.text = as_bytes(octets);
  return seg;
}

// As core does: the text lies in a block, which the connection may keep.
void LoneConnection::arrive_without_answer(Segment seg) {
  seg.header_seq = seg.seq;
  seg.had_syn = seg.flags.syn;
  if (!seg.text.empty() && !seg.block) {
    seg.block = pool.acquire(std::max(seg.text.size(), options.receive_block_octets));
    ASSERT_TRUE(seg.block) << "no memory for a packet";
    std::copy(seg.text.begin(), seg.text.end(), seg.block->data());
    seg.text = Bytes(seg.block->data(), seg.text.size());
  }
  tcp.segment_arrives(seg, now);
}

void LoneConnection::arrive(const Segment& seg) {
  arrive_without_answer(seg);
  pump();
}

void LoneConnection::ack_everything() {
  for (int rounds = 0; tcp.snd().una < tcp.snd().nxt; ++rounds) {
    ASSERT_LT(rounds, 100'000);
    ack(distance(SeqNum{our(0)}, tcp.snd().nxt));
  }
}

// --- Time ----------------------------------------------------------------------------------------

void LoneConnection::advance(Duration duration) {
  const Instant end = now + duration;
  for (int steps = 0; tcp.next_deadline() <= end; ++steps) {
    ASSERT_LT(steps, 100'000) << "deadlines that do not end";
    now = std::max(now, tcp.next_deadline());
    tcp.timeouts(now);
    pump();
  }
  now = end;
}

void LoneConnection::pump() {
  TxFrame frame;
  for (int frames = 0; tcp.poll_transmit(frame, now); ++frames) {
    ASSERT_LT(frames, 100'000) << "output that does not end";
    std::vector<std::uint8_t> octets(frame.size());
    frame.copy_to(octets);
    const auto view = wire::TcpView::parse(octets);
    ASSERT_TRUE(view);
    sent.push_back({now, view->seq(), view->ack(), view->flags(), view->window(), view->options(),
                    std::string(as_text(view->payload())), frame.meta, frame.payload().size()});
  }
}

// --- The application -----------------------------------------------------------------------------

std::size_t LoneConnection::write(std::size_t count) {
  const auto taken = tcp.write(as_bytes(pattern(written, count)), now);
  const std::size_t octets = taken ? *taken : 0;
  written += octets;
  pump();
  return octets;
}

std::string LoneConnection::read_all() {
  std::string out;
  std::vector<std::uint8_t> buffer(65536);
  for (;;) {
    const auto octets = tcp.read(buffer, now);
    if (!octets || *octets == 0) break;
    out.append(as_text(Bytes(buffer).first(*octets)));
  }
  pump();
  return out;
}

std::vector<Event> LoneConnection::fetch_events() {
  std::vector<Event> fetched = std::exchange(events.list, {});
  for (const Event& event : fetched) tcp.event_fetched(event.kind);
  return fetched;
}

// --- What was sent -------------------------------------------------------------------------------

std::vector<Sent> LoneConnection::take_sent() {
  std::vector<Sent> all(sent.begin(), sent.end());
  sent.clear();
  return all;
}

std::string LoneConnection::text_sent() const {
  std::string out;
  for (const Sent& one : sent) out += one.text;
  return out;
}

std::string LoneConnection::pattern(std::uint64_t from, std::size_t count) {
  std::string out(count, '\0');
  for (std::size_t i = 0; i < count; ++i) out[i] = octet_at(from + i);
  return out;
}

}  // namespace runnel::tcp
