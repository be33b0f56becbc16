// A path of 100 ms to a peer that says what it has by SACK.
#pragma once

#include <initializer_list>
#include <utility>
#include <vector>

#include "tests/support/tcp_tester.h"

namespace runnel::test {

// A fixture that counts in segments of 1,460 octets: the peer acknowledges the first `una` of them,
// and SACKs ranges [first, last) of what lies behind.
//
// Unless a test chooses otherwise the peer permits SACK and does without timestamps, and its
// handshake takes 100 ms: SRTT is 100 ms, RTTVAR 50 ms, the retransmission timeout 300 ms.
class SackPath : public TcpTester {
 protected:
  static constexpr std::uint32_t kMss = 1460;
  static constexpr Duration kRoundTrip = 100ms;
  using Segments = std::pair<std::uint32_t, std::uint32_t>;

  SackPath() { peer_sack = true; }

  void open(Duration round_trip = kRoundTrip) {
    listen();
    SegmentBuilder syn = segment().syn().seq(peer_iss).mss(1460);
    if (peer_sack) syn.sack_permitted();
    if (peer_timestamp) syn.timestamps(*peer_timestamp, 0);
    if (peer_wscale) syn.wscale(*peer_wscale);
    send(syn);
    forget_sent();
    advance(round_trip);
    send(acknowledgment(0));
    ASSERT_TRUE(accept());
    ASSERT_EQ(state(), TcpState::Established);
    forget_sent();
  }
  // Opens the connection and sends so many segments, none of which is looked at.
  void open_and_send(std::uint32_t segments, Duration round_trip = kRoundTrip) {
    open(round_trip);
    ASSERT_TRUE(write_octets(segments * kMss));
    forget_sent();
  }

  [[nodiscard]] std::uint32_t at(std::uint32_t segment) const { return our(segment * kMss); }
  // Which segment begins at SEQ.
  [[nodiscard]] std::uint32_t index_of(const SentSegment& sent) const {
    return (sent.seq - our(0)) / kMss;
  }

  [[nodiscard]] SegmentBuilder acknowledgment(std::uint32_t una,
                                              std::initializer_list<Segments> sacked = {}) const {
    SegmentBuilder built = segment().seq(their(0)).ack(at(una));
    for (const auto& [first, last] : sacked) built.sack(at(first), at(last));
    return built;
  }
  void acknowledge(std::uint32_t una, std::initializer_list<Segments> sacked = {}) {
    send(acknowledgment(una, sacked));
  }

  // The indices of the segments sent since this was asked last.
  [[nodiscard]] std::vector<std::uint32_t> sent_segments() {
    std::vector<std::uint32_t> indices;
    for (const SentSegment& sent : all_sent()) {
      if (!sent.payload.empty()) indices.push_back(index_of(sent));
    }
    return indices;
  }
  [[nodiscard]] std::uint64_t cwnd_segments() const {
    return info().congestion_window_octets / kMss;
  }
  [[nodiscard]] std::uint64_t ssthresh_segments() const {
    return info().slow_start_threshold_octets / kMss;
  }
  [[nodiscard]] std::uint64_t in_flight_segments() const { return info().in_flight_octets / kMss; }

  using Indices = std::vector<std::uint32_t>;
};

}  // namespace runnel::test
