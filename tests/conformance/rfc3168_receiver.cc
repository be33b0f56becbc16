// RFC 3168 section 6.1.3: what a receiver tells of marks; section 5.3: fragments. Also DCTCP's
// receiver, RFC 8257 sections 3.2 and 3.6.
#include "stack/base/byte_order.h"
#include "stack/wire/checksum.h"
#include "tests/support/ecn_path.h"

namespace runnel::test {
namespace {

class Rfc3168Receiver : public EcnPath {
 protected:
  // The peer's text comes in full segments, each of which is acknowledged after 40 ms at most.
  unsigned bits_for(std::uint32_t segment, Ecn ecn, unsigned bits = 0) {
    forget_sent();
    send(text(segment * kMss, kMss, ecn).ecn_bits(bits));
    advance(40ms);
    return next_bits();
  }
};

TEST_F(Rfc3168Receiver, R_3168_6_1_3_ECHO_EceOnEveryAckUntilCwr) {
  open_classic();
  EXPECT_EQ(bits_for(0, Ecn::Ect0), 0U);
  EXPECT_EQ(bits_for(1, Ecn::Ce), 0b001U);
  EXPECT_EQ(bits_for(2, Ecn::Ect0), 0b001U);
  EXPECT_EQ(bits_for(3, Ecn::NotEct), 0b001U);
  ASSERT_TRUE(write_octets(100));
  EXPECT_EQ(next_bits(), 0b001U);  // data acknowledge too
  EXPECT_EQ(bits_for(4, Ecn::Ect0, 0b010), 0U);
  EXPECT_EQ(bits_for(5, Ecn::Ect0), 0U);
  EXPECT_EQ(info().ce_marks_received, 1U);
}

TEST_F(Rfc3168Receiver, R_3168_6_1_3_ECHO_AMarkOnTheSegmentWithCwrIsNew) {
  open_classic();
  EXPECT_EQ(bits_for(0, Ecn::Ce), 0b001U);
  EXPECT_EQ(bits_for(1, Ecn::Ce, 0b010), 0b001U);
  EXPECT_EQ(bits_for(2, Ecn::Ect0), 0b001U);
  EXPECT_EQ(bits_for(3, Ecn::Ect0, 0b010), 0U);
}

// One ACK for several segments: any of them will do.
TEST_F(Rfc3168Receiver, R_3168_6_1_3_ECHO_ADelayedAckStandsForAll) {
  open_classic();
  send(text(0, kMss, Ecn::Ce));
  EXPECT_THAT(next_sent(), IsNothing());
  send(text(kMss, kMss, Ecn::Ect0));
  const auto ack = next_sent();
  ASSERT_THAT(ack, HasAck(their(2 * kMss)));
  EXPECT_EQ(ack->ecn_bits(), 0b001U);
}

TEST_F(Rfc3168Receiver, R_3168_6_1_5_RETX_MarksOutsideOfTheWindowAreIgnored) {
  open_classic();
  EXPECT_EQ(bits_for(0, Ecn::Ect0), 0U);
  send(text(0, kMss, Ecn::Ce));  // all of it came before
  const auto duplicate = next_sent();
  ASSERT_THAT(duplicate, IsPureAck());
  EXPECT_EQ(duplicate->ecn_bits(), 0U);
  send(segment().seq(announced_edge() + 5000).ack(our(0)).payload("far").ecn(Ecn::Ce));
  const auto beyond = next_sent();
  ASSERT_THAT(beyond, IsPureAck());
  EXPECT_EQ(beyond->ecn_bits(), 0U);
  EXPECT_EQ(info().ce_marks_received, 0U);
}

TEST_F(Rfc3168Receiver, R_3168_6_1_6_PROBE_AMarkedWindowProbeIsEchoed) {
  TcpConfig tcp;
  tcp.receive_buffer_octets = 4096;
  rebuild(tcp);
  open_classic();
  std::uint32_t sent_octets = 0;
  while (announced_window() > 0 && sent_octets < 8192) {
    const std::uint32_t octets = std::min(announced_window(), 1024U);
    send(text(sent_octets, octets, Ecn::Ect0));
    advance(40ms);
    sent_octets += octets;
  }
  ASSERT_EQ(announced_window(), 0U);
  forget_sent();
  send(text(sent_octets, 1, Ecn::Ce));
  const auto answer = next_sent();
  ASSERT_THAT(answer, IsPureAck());
  EXPECT_EQ(answer->ecn_bits(), 0b001U);
}

// --- Fragments -----------------------------------------------------------------------------------

// A packet in two fragments with ECN fields of their own.
std::vector<std::vector<std::uint8_t>> in_two(const std::vector<std::uint8_t>& packet, Ecn first,
                                              Ecn second) {
  constexpr std::size_t kHeader = 20;
  constexpr std::size_t kCut = 512;
  const auto piece = [&](std::size_t begin, std::size_t end, Ecn ecn) {
    std::vector<std::uint8_t> out(packet.begin(), packet.begin() + kHeader);
    out.insert(out.end(), packet.begin() + static_cast<std::ptrdiff_t>(kHeader + begin),
               packet.begin() + static_cast<std::ptrdiff_t>(kHeader + end));
    out[1] = static_cast<std::uint8_t>(ecn);
    base::store_be<std::uint16_t>(out, 2, static_cast<std::uint16_t>(out.size()));
    base::store_be<std::uint16_t>(out, 4, 77);
    const std::size_t more = kHeader + end < packet.size() ? 0x2000 : 0;
    base::store_be<std::uint16_t>(out, 6, static_cast<std::uint16_t>(more | begin / 8));
    base::store_be<std::uint16_t>(out, 10, 0);
    base::store_be<std::uint16_t>(out, 10, wire::internet_checksum(Bytes(out).first(kHeader)));
    return out;
  };
  return {piece(0, kCut, first), piece(kCut, packet.size() - kHeader, second)};
}

class Rfc3168Fragments
    : public EcnPath,
      public ::testing::WithParamInterface<std::tuple<Ecn, Ecn, std::optional<bool>>> {};

TEST_P(Rfc3168Fragments, R_3168_5_3_REASM_AMarkOfAFragmentIsTheDatagrams) {
  const auto [first, second, is_echoed] = GetParam();
  open_classic();
  for (const auto& fragment : in_two(text(0, kMss, Ecn::NotEct).build(), first, second)) {
    send_packet(fragment);
  }
  advance(40ms);
  if (!is_echoed) {
    EXPECT_THAT(next_sent(), IsNothing());
    EXPECT_EQ(read_all(), "");
    return;
  }
  EXPECT_EQ(next_bits(), *is_echoed ? 0b001U : 0U);
  EXPECT_EQ(read_all(), pattern(0, kMss));
}

INSTANTIATE_TEST_SUITE_P(Pairs, Rfc3168Fragments,
                         ::testing::Values(std::tuple{Ecn::Ect0, Ecn::Ce, std::optional(true)},
                                           std::tuple{Ecn::Ce, Ecn::Ect0, std::optional(true)},
                                           std::tuple{Ecn::Ect1, Ecn::Ce, std::optional(true)},
                                           std::tuple{Ecn::Ce, Ecn::Ce, std::optional(true)},
                                           std::tuple{Ecn::NotEct, Ecn::Ce, std::optional<bool>()},
                                           std::tuple{Ecn::Ce, Ecn::NotEct, std::optional<bool>()},
                                           std::tuple{Ecn::Ect0, Ecn::Ect0, std::optional(false)},
                                           std::tuple{Ecn::Ect0, Ecn::Ect1, std::optional(false)},
                                           std::tuple{Ecn::NotEct, Ecn::NotEct,
                                                      std::optional(false)}));

}  // namespace
}  // namespace runnel::test
