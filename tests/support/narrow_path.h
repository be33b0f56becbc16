// A path that carries packets up to a size, with a router in it that says so, or does not.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <vector>

#include "tests/support/tcp_tester.h"

namespace runnel::test {

// A packet with text as it left the stack; of a super-packet, one of those that the link makes.
struct PathPacket {
  Instant at;
  std::uint32_t offset = 0;  // of the text in the stream
  std::uint32_t text_octets = 0;
  std::uint16_t octets = 0;  // of the whole packet
  bool is_new = false;       // holds text that was never sent before
  bool dont_fragment = false;
  bool is_fragment = false;
};

// A fixture in which the stack sends a stream to a peer that acknowledges what arrives.
//
//    stack ──────▶ router ──── `carries` octets and no more ────▶ peer
//       ◀── Too Big ──┘                                            │
//       ◀────────────── ACK (with SACK), a round trip later ───────┘
//
// Time goes by run(), from one event to the next: ACKs arrive, 10 microseconds apart at least, the
// stream is written on, and what the stack has sent goes its way. All of it is in `packets`.
// Timestamps are off unless a test agrees on them: sizes are counted.
class NarrowPath : public TcpTester {
 protected:
  static constexpr Duration kAckSpacing = 10us;
  static constexpr std::uint32_t kHeaders = 40;

  NarrowPath() {
    ignore_timestamps_default();
    peer_sack = true;
    peer_wscale = 7;
    peer_window = 8192;  // 1 MiB
  }

  // After rebuild().
  void reset_path();
  // Opens the connection in 100 ms, whatever round_trip is.
  void open();
  // Writes whatever the send buffer takes, up to this offset of the stream.
  void stream_until(std::uint64_t offset) { stream_end_ = offset; }
  void run(Duration duration);
  // False when that has not happened within `limit`.
  bool run_until(const std::function<bool()>& condition, Duration limit = 60s);

  [[nodiscard]] std::uint32_t delivered() const noexcept { return rcv_nxt_; }
  // Packets that are larger than the stack believes the path to carry.
  [[nodiscard]] const std::vector<PathPacket>& probes() const noexcept { return probes_; }
  void forget_packets() {
    packets.clear();
    probes_.clear();
    dropped_packets = 0;
  }

  std::uint16_t carries = 1500;
  bool tells = true;        // the router sends Too Big
  bool tells_size = true;   // ... and says which size it can forward
  std::size_t quoted = 28;  // octets of the packet in it
  Duration round_trip = 50ms;
  // Takes a packet away in addition.
  std::function<bool(const PathPacket&)> loses;
  bool acknowledges = true;

  std::vector<PathPacket> packets;
  std::size_t dropped_packets = 0;

 private:
  void step();
  [[nodiscard]] Instant next_event() const;
  void write_more();
  void forward(const SentSegment& segment);
  void forward(const SentSegment& segment, const PathPacket& packet);
  void arrive(const PathPacket& packet);
  [[nodiscard]] SegmentBuilder acknowledgment(std::uint32_t latest) const;

  struct Coming {
    Instant at;
    SegmentBuilder segment;
  };
  std::deque<Coming> acks_;
  std::deque<std::pair<Instant, SentSegment>> errors_;
  std::map<std::uint32_t, std::uint32_t> out_of_order_;  // begin to end
  std::uint32_t rcv_nxt_ = 0;
  std::uint32_t highest_ = 0;
  std::uint64_t stream_end_ = 0;
  std::uint64_t written_ = 0;
  std::vector<PathPacket> probes_;
};

}  // namespace runnel::test
