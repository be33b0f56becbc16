// One stack under test, a peer made of single segments, and virtual time.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runnel/stack.h"
#include "stack/wire/icmpv4.h"
#include "tests/support/matchers.h"
#include "tests/support/segment.h"
#include "tests/support/state_recorder.h"

namespace runnel::test {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::Not;

// Which side began: for SYN-RECEIVED and for what follows from it.
enum class Opening : std::uint8_t { Passive, Active };

// An ICMP message that the stack has sent.
struct SentIcmp {
  IpAddress from;
  IpAddress to;
  std::uint8_t type = 0;
  std::uint8_t code = 0;
  std::vector<std::uint8_t> message;  // ICMP header and body
  std::vector<std::uint8_t> octets;   // the whole packet (or fragment)
};

// The fixture of the conformance tests.
//
// Theory of operation. The stack is 192.0.2.2 with port 7; the peer, which is the test itself, is
// 192.0.2.1 with port 50000. After every call the stack's output is collected, so a test reads as
// the RFC does: a segment arrives, and this is what is sent for it.
//
//    establish_passive();
//    send(segment().seq(their(0)).ack(our(0)).payload("abc"));
//    advance(40ms);
//    EXPECT_THAT(next_sent(), AllOf(IsPureAck(), HasAck(their(3))));
//
// Sequence numbers are written as offsets: our(n) and their(n) are the n-th octet of each side's
// stream, so our(0) is ISS + 1 and their(0) is IRS + 1.
//
// The peer offers an MSS of 1460, no window scale, no SACK and no timestamps, unless a test changes
// `peer_mss`, `peer_wscale`, `peer_window`, `peer_sack`, `peer_timestamps` before it opens a
// connection. A failing test prints the whole story: every segment in and out, every call and every
// event, with its time.
//
// The whole program can be run with other defaults, for tests that do not ask for their own:
//    RUNNEL_TEST_ISN_NEAR_WRAP=1     both initial sequence numbers are 0xFFFFFFF0
//    RUNNEL_TEST_TIMESTAMPS=on|off   the peer has timestamps too; or the stack has none either.
//                                    MTU and the peer's MSS are larger then by what the option
//                                    takes, so that segments hold as much text as without it
//    RUNNEL_TEST_HIBERNATION=1       connections hibernate as soon as they are at rest
class TcpTester : public ::testing::Test {
 protected:
  static constexpr std::uint16_t kPort = 7;
  static constexpr std::uint16_t kPeerPort = 50000;
  static const Endpoint kLocal;
  static const Endpoint kPeer;

  TcpTester();
  void TearDown() override;

  // Begins again with a new stack, at time `start` (1 s). REQUIRES: before anything else happens.
  // Where `config` has the product's defaults, buffers are fixed at 1 MiB, ACKs are not quick and
  // nothing is paced instead, so that windows are plain numbers; see make_plain() and
  // `keep_defaults`.
  void rebuild(const Config& config, std::optional<Instant> start = std::nullopt);
  void rebuild(const TcpConfig& tcp) {
    Config c;
    c.tcp = tcp;
    rebuild(c);
  }
  // Begins again at the time at which the clock-driven ISN of (kLocal, kPeer) is `iss` (RFC 9293
  // section 3.4.1: one step each 4 microseconds).
  void rebuild_for_iss(std::uint32_t iss, const Config& config = {});

  // Has stack and peer agree on timestamps, or leaves them to the test's own segments, whatever the
  // program's defaults are. REQUIRES: before anything else happens; rebuild() may follow.
  void agree_on_timestamps() { choose_timestamps(true); }
  void ignore_timestamps_default() { choose_timestamps(false); }

  // --- The peer ---
  [[nodiscard]] SegmentBuilder segment() const;  // peer to stack, window peer_window
  // A segment in the middle of the connection: SEQ their(n), ACK our(m).
  [[nodiscard]] SegmentBuilder ack_segment(std::uint32_t their_offset,
                                           std::uint32_t our_offset) const {
    return segment().seq(their(their_offset)).ack(our(our_offset));
  }
  void send(const SegmentBuilder& segment) { send_batch({segment}); }
  // The peer's clock for timestamps, one tick a millisecond.
  [[nodiscard]] std::uint32_t peer_tsval() const noexcept;
  // ... and the stack's, as the last segment of the connection showed it.
  [[nodiscard]] std::uint32_t last_tsval() const noexcept {
    return last_sent_ && last_sent_->options.timestamps ? last_sent_->options.timestamps->value : 0;
  }
  // All of them before the stack may answer.
  void send_batch(const std::vector<SegmentBuilder>& segments);
  void send_packet(const std::vector<std::uint8_t>& octets, const PacketMeta& meta = {});
  void send_icmp(wire::IcmpType type, std::uint8_t code, std::uint16_t identifier,
                 std::uint16_t sequence, Bytes body, IpAddress from = kPeer.address,
                 IpAddress to = kLocal.address);
  // An ICMP error that quotes the first `quoted` octets of a packet of ours.
  void send_icmp_error(wire::IcmpType type, std::uint8_t code, Bytes packet, std::uint16_t mtu = 0,
                       std::size_t quoted = 28);

  // --- What the stack sent, oldest first ---
  [[nodiscard]] std::optional<SentSegment> next_sent();
  [[nodiscard]] std::vector<SentSegment> all_sent();
  [[nodiscard]] std::optional<SentIcmp> next_icmp();
  void forget_sent();

  // --- Time ---
  void advance(Duration duration);  // stops at every deadline on the way
  [[nodiscard]] Instant now() const noexcept { return now_; }

  // --- The application's calls; each is followed by the stack's output ---
  ListenerId listen(std::uint16_t port = kPort, const ListenOptions& options = {});
  ConnectionId connect();  // from kLocal to kPeer
  Result<ConnectionId> try_connect(const Endpoint& remote, const ConnectOptions& options = {});
  std::optional<ConnectionId> accept();
  Result<std::size_t> write(std::string_view text);
  Result<std::size_t> write_octets(std::size_t count);  // of the pattern octet_at()
  Result<void> shutdown_write();
  Result<void> close();
  Result<void> abort();
  // Everything that can be read now, and reads until would_block.
  [[nodiscard]] std::string read_all();
  [[nodiscard]] std::error_code read_error();  // what a read answers; empty when it has octets
  [[nodiscard]] bool reads_end_of_stream();
  void pump();  // collects what the stack has to send, and its events

  [[nodiscard]] std::vector<Event> take_events();
  // Takes the first event of this kind for the connection at hand.
  [[nodiscard]] std::optional<Event> take_event(EventKind kind);

  // --- Situations ---
  ConnectionId establish_passive();
  ConnectionId establish_active();
  ConnectionId establish(Opening opening) {
    return opening == Opening::Passive ? establish_passive() : establish_active();
  }
  // Brings the one connection of the test to `state` and forgets what was sent on the way.
  void bring_to(TcpState state, Opening opening = Opening::Passive);

  [[nodiscard]] TcpState state_of(ConnectionId id) const;
  // The state of the connection between kLocal and kPeer, as far as anybody can see it.
  [[nodiscard]] TcpState state() const;
  [[nodiscard]] std::uint32_t iss() const noexcept { return iss_; }
  [[nodiscard]] std::uint32_t our(std::uint32_t offset) const noexcept { return iss_ + 1 + offset; }
  [[nodiscard]] std::uint32_t their(std::uint32_t offset) const noexcept {
    return peer_iss + 1 + offset;
  }
  // RCV.WND as last announced, in octets, and the sequence number right of it.
  [[nodiscard]] std::uint32_t announced_window() const noexcept;
  [[nodiscard]] std::uint32_t announced_edge() const noexcept;
  [[nodiscard]] const Counters& counters() const { return stack().counters(); }
  [[nodiscard]] std::uint64_t dropped(DropReason reason) const {
    return counters().dropped(reason);
  }
  [[nodiscard]] TcpInfo info() const;

  [[nodiscard]] Stack& stack() const { return *stack_; }
  [[nodiscard]] ConnectionId id() const noexcept { return id_; }
  [[nodiscard]] ListenerId listener() const noexcept { return listener_; }
  void use(ConnectionId id) noexcept { id_ = id; }
  [[nodiscard]] const std::vector<StateChange>& state_changes() const { return states_->changes(); }
  void note(std::string_view text);

  // Octet i of every generated stream.
  [[nodiscard]] static char octet_at(std::size_t i) noexcept {
    return static_cast<char>('a' + (i % 26));
  }
  [[nodiscard]] static std::string pattern(std::size_t from, std::size_t count);

  // What the peer says in its SYN and in segment().
  std::uint32_t peer_iss = 1'000'000;
  std::uint16_t peer_window = 65535;
  std::optional<std::uint16_t> peer_mss = 1460;
  std::optional<std::uint8_t> peer_wscale;
  bool peer_sack = false;  // SACK permitted
  // TSval of the SYN; later segments carry timestamps only if a test says so.
  std::optional<std::uint32_t> peer_timestamp;
  // With timestamps that both agree upon, every segment of the peer carries them unless it says
  // otherwise: its clock, and the echo that RFC 7323 section 4.3 asks for.
  bool peer_timestamps = false;

  // rebuild() takes the configuration as it is.
  bool keep_defaults = false;

 private:
  // The peer's part of the Timestamps option: what it would echo.
  struct PeerEcho {
    struct Received {
      std::uint32_t begin;
      std::uint32_t end;
      std::uint32_t value;
    };
    std::vector<Received> text;
    std::uint32_t recent = 0;
    std::uint32_t last_ack_sent = 0;
    bool is_agreed = false;
  };
  void choose_timestamps(bool peer);
  void apply_timestamps_default();
  // Whether every segment of text is shorter by the option than the tests' numbers expect.
  [[nodiscard]] bool makes_up_for_timestamps() const;
  [[nodiscard]] SegmentBuilder with_timestamps(SegmentBuilder segment);
  void note_timestamps(const SentSegment& segment);
  void collect(const TxFrame& frame);
  void tell(std::string_view direction, std::string_view what);
  [[nodiscard]] SegmentBuilder peer_syn() const;

  Config config_;
  std::unique_ptr<SeededRandom> random_;
  std::unique_ptr<StateRecorder> states_;
  std::unique_ptr<Stack> stack_;
  Instant now_{1s};
  ListenerId listener_;
  ConnectionId id_;
  std::uint32_t iss_ = 0;
  std::optional<SentSegment> last_sent_;
  PeerEcho echo_;
  bool ignores_timestamps_default_ = false;
  std::optional<std::uint8_t> our_wscale_;
  std::deque<SentSegment> sent_;
  std::deque<SentIcmp> icmp_;
  std::vector<Event> events_;
  std::vector<std::string> story_;
};

[[nodiscard]] std::string_view name_of_event(EventKind kind) noexcept;

}  // namespace runnel::test
