// A path with a peer that takes part in explicit congestion notification, or not, as a test says.
#pragma once

#include <vector>

#include "tests/support/sack_path.h"

namespace runnel::test {

// SackPath's path, and handshakes with AE, CWR and ECE as numbers, AE highest:
//
//    open_ecn(0b011);                  the peer asks for classic ECN, and gets it
//    connect_ecn(EcnMode::Accurate, 0b010);
class EcnPath : public SackPath {
 protected:
  static constexpr unsigned kClassicSyn = 0b011;
  static constexpr unsigned kClassicSynAck = 0b001;
  static constexpr unsigned kAccurateSyn = 0b111;

  void configure(EcnMode mode) {
    TcpConfig tcp;
    tcp.ecn = mode;
    rebuild(tcp);
  }

  [[nodiscard]] SegmentBuilder ecn_syn(unsigned bits, Ecn ecn = Ecn::NotEct) const {
    SegmentBuilder syn = segment().syn().seq(peer_iss).mss(1460).ecn_bits(bits).ecn(ecn);
    if (peer_sack) syn.sack_permitted();
    return syn;
  }

  // A passive open. `ack_bits`: those of the handshake's last ACK.
  void open_ecn(unsigned syn_bits, unsigned ack_bits = 0) {
    listen();
    send(ecn_syn(syn_bits));
    forget_sent();
    advance(kRoundTrip);
    send(acknowledgment(0).ecn_bits(ack_bits));
    ASSERT_TRUE(accept());
    ASSERT_EQ(state(), TcpState::Established);
    forget_sent();
  }
  void open_classic() { open_ecn(kClassicSyn); }
  void open_accurate() { open_ecn(kAccurateSyn, 0b010); }
  // The same, and so many segments have been sent.
  void open_classic_and_send(std::uint32_t segments) {
    open_classic();
    ASSERT_TRUE(write_octets(segments * kMss));
    forget_sent();
  }
  void open_accurate_and_send(std::uint32_t segments) {
    open_accurate();
    ASSERT_TRUE(write_octets(segments * kMss));
    forget_sent();
  }

  // An active open up to the SYN,ACK, which has these bits.
  void connect_ecn(EcnMode mode, unsigned syn_ack_bits, Ecn syn_ack_ecn = Ecn::NotEct) {
    configure(mode);
    connect();
    forget_sent();
    advance(kRoundTrip);
    send(ecn_syn(syn_ack_bits, syn_ack_ecn).ack(our(0)));
    ASSERT_EQ(state(), TcpState::Established);
  }

  // A segment of the peer's text: `octets` at their(offset), acknowledging segment `una` of ours.
  [[nodiscard]] SegmentBuilder text(std::uint32_t offset, std::uint32_t octets, Ecn ecn,
                                    std::uint32_t una = 0) const {
    return segment().seq(their(offset)).ack(at(una)).payload(pattern(offset, octets)).ecn(ecn);
  }

  // AE, CWR and ECE of the next segment sent; 8 when there is none.
  [[nodiscard]] unsigned next_bits() {
    const auto sent = next_sent();
    return sent ? sent->ecn_bits() : 8U;
  }
  // The ECN fields of the data segments that were sent since this was asked last.
  [[nodiscard]] std::vector<Ecn> sent_codepoints() {
    std::vector<Ecn> codepoints;
    for (const SentSegment& sent : all_sent()) {
      if (!sent.payload.empty()) codepoints.push_back(sent.ecn);
    }
    return codepoints;
  }
  // Whether new data leave as ECT(0).
  [[nodiscard]] bool sends_ect() {
    forget_sent();
    EXPECT_TRUE(write_octets(100));
    const auto sent = next_sent();
    EXPECT_TRUE(sent && !sent->payload.empty());
    if (!sent) return false;
    EXPECT_TRUE(sent->ecn == Ecn::Ect0 || sent->ecn == Ecn::NotEct);
    EXPECT_EQ(info().sends_ecn_capable, sent->ecn == Ecn::Ect0);
    return sent->ecn == Ecn::Ect0;
  }
};

}  // namespace runnel::test
