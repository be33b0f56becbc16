// One connection without a stack: the test plays the stack around it, its peer and the clock.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runnel/trace.h"
#include "stack/tcp/connection.h"
#include "stack/tcp/environment.h"

namespace runnel::tcp {

using namespace std::chrono_literals;

// A segment that the connection has sent.
struct Sent {
  Instant at;
  SeqNum seq;
  SeqNum ack;
  wire::TcpFlags flags;
  std::uint16_t window = 0;
  wire::TcpOptions options;
  std::string text;
  PacketMeta meta;
  std::size_t slices = 0;

  [[nodiscard]] std::uint32_t len() const noexcept {
    return static_cast<std::uint32_t>(text.size()) + (flags.syn ? 1U : 0U) + (flags.fin ? 1U : 0U);
  }
};

class RecordedEvents final : public EventSink {
 public:
  void push(const Event& event) override { list.push_back(event); }
  [[nodiscard]] std::size_t count(EventKind kind) const;
  // The error of the first event of this kind.
  [[nodiscard]] std::error_code error_of(EventKind kind) const;

  std::vector<Event> list;
};

class RecordedSegments final : public SegmentSink {
 public:
  void send(const FourTuple&, const wire::TcpHeader& header, const IpFields& fields) override {
    list.push_back(header);
    last_fields = fields;
  }
  IpFields last_fields;
  std::vector<wire::TcpHeader> list;
};

class RecordedMoves final : public TraceSink {
 public:
  void on_state_change(const StateChange& change) override { list.push_back(change); }
  std::vector<StateChange> list;
};

struct LoneConnectionOptions {
  TcpConfig config;
  LinkLimits link;
  std::size_t budget_octets = std::size_t{64} << 20U;
  std::uint32_t iss = 1000;
  std::uint32_t irs = 500'000;
  // What the peer says in its SYN, and the window field of its later segments.
  std::uint16_t peer_window = 65535;
  std::optional<std::uint8_t> peer_scale;
  std::optional<std::uint16_t> peer_mss = 1460;
  bool peer_sack = false;
  std::optional<std::uint32_t> peer_timestamps;  // TSval of the SYN
  // The least size of the block in which a segment arrives; the smallest that fits it unless set.
  std::size_t receive_block_octets = 0;
  // False: see make_plain().
  bool keep_defaults = false;
};

// Theory of operation. A call to the connection is followed by pump(), which polls everything that
// it has to send, as core does. Time goes by advance(), which stops at each deadline. Sequence
// numbers are written as offsets: our(n) and their(n) are the n-th octet of each stream.
//
// The round trip of the handshake is 100 ms, so that the retransmission timeout is 300 ms.
class LoneConnection {
 public:
  static constexpr FourTuple kTuple{{IpAddress{192, 0, 2, 2}, 80},
                                    {IpAddress{192, 0, 2, 1}, 50000}};
  static constexpr Duration kRoundTrip = 100ms;

  explicit LoneConnection(const LoneConnectionOptions& chosen = {});

  // --- Opening; what is sent on the way is forgotten ---
  void establish();
  void establish_passive();
  // Established, then the peer's FIN, or our close(), acknowledged or not.
  void bring_to(State state);

  // --- The peer ---
  [[nodiscard]] Segment syn_ack() const;
  // A segment in the middle of the connection: SEQ their(n), ACK our(m), with options.peer_window.
  [[nodiscard]] Segment segment(std::uint32_t their_offset, std::uint32_t our_offset) const;
  [[nodiscard]] Segment text(std::uint32_t their_offset, std::string_view octets) const;
  void arrive(const Segment& seg);
  void arrive_without_answer(Segment seg);
  void ack(std::uint32_t our_offset) { arrive(segment(read_offset, our_offset)); }
  void ack_everything();  // and what is sent for that, and so on

  // --- Time ---
  void advance(Duration duration);
  void pump();

  // --- The application ---
  // Writes `count` octets of the pattern and sends what may be sent; returns what write() did.
  std::size_t write(std::size_t count);
  std::string read_all();
  // Fetches what events there are, as poll_event() does.
  std::vector<Event> fetch_events();

  // --- What was sent ---
  [[nodiscard]] std::vector<Sent> take_sent();
  void forget_sent() { sent.clear(); }
  [[nodiscard]] std::string text_sent() const;

  [[nodiscard]] std::uint32_t our(std::uint32_t offset) const { return options.iss + 1 + offset; }
  [[nodiscard]] std::uint32_t their(std::uint32_t offset) const { return options.irs + 1 + offset; }
  [[nodiscard]] static char octet_at(std::uint64_t i) { return static_cast<char>('a' + i % 26); }
  [[nodiscard]] static std::string pattern(std::uint64_t from, std::size_t count);

  LoneConnectionOptions options;
  Instant now{1s};
  base::MemoryBudget budget;
  buffer::SlabPool pool{budget};
  Counters counters;
  RecordedEvents events;
  RecordedSegments resets;
  RecordedMoves moves;
  Environment environment;
  Connection tcp;
  std::deque<Sent> sent;
  std::uint32_t read_offset = 0;  // SEQ of ack(): how much the peer has sent
  std::uint64_t written = 0;
};

}  // namespace runnel::tcp
