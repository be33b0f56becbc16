#include "stack/tcp/ecn/negotiation.h"

#include <gtest/gtest.h>

#include <optional>

namespace runnel::tcp {
namespace {

using enum EcnFeedback;

constexpr Ecn kAllEcn[] = {Ecn::NotEct, Ecn::Ect1, Ecn::Ect0, Ecn::Ce};

TEST(EcnBits, AreAeCwrEce) {
  EXPECT_EQ(ecn_bits({.ece = true}), 1);
  EXPECT_EQ(ecn_bits({.cwr = true}), 2);
  EXPECT_EQ(ecn_bits({.ae = true}), 4);
  for (EcnBits bits = 0; bits < 8; ++bits) {
    wire::TcpFlags flags{.ack = true};
    set_ecn_bits(flags, bits);
    EXPECT_EQ(ecn_bits(flags), bits);
    EXPECT_TRUE(flags.ack);
    set_ecn_bits(flags, 0);
    EXPECT_EQ(flags, wire::TcpFlags{.ack = true});
  }
}

// RFC 9768 table 2, all of it.
TEST(EcnNegotiation, ReadsEverySynAckOfAnAccEcnClient) {
  const EcnAnswer expected[8] = {{None, {}},
                                 {Classic, {}},
                                 {Accurate, Ecn::NotEct},
                                 {Accurate, Ecn::Ect1},
                                 {Accurate, Ecn::Ect0},
                                 {Accurate, {}},
                                 {Accurate, Ecn::Ce},
                                 {None, {}}};
  for (EcnBits bits = 0; bits < 8; ++bits) {
    EXPECT_EQ(read_syn_ack(kAccurateSyn, bits), expected[bits]) << int{bits};
  }
}

// RFC 3168 section 6.1.1: ECE without CWR, whatever AE is.
TEST(EcnNegotiation, ReadsEverySynAckOfAClassicClient) {
  for (EcnBits bits = 0; bits < 8; ++bits) {
    const EcnFeedback expected = bits == 0b001 || bits == 0b101 ? Classic : None;
    EXPECT_EQ(read_syn_ack(kClassicSyn, bits), (EcnAnswer{expected, {}})) << int{bits};
    EXPECT_EQ(read_syn_ack(kNoEcnBits, bits), EcnAnswer{}) << int{bits};
  }
}

TEST(EcnNegotiation, ReadsEverySyn) {
  for (EcnBits bits = 0; bits < 8; ++bits) {
    const EcnFeedback expected = bits == 0 ? None : bits == 0b011 ? Classic : Accurate;
    EXPECT_EQ(read_syn(EcnMode::Off, bits), None);
    EXPECT_EQ(read_syn(EcnMode::WhenAsked, bits), expected);
    EXPECT_EQ(read_syn(EcnMode::Classic, bits), expected);
    EXPECT_EQ(read_syn(EcnMode::Accurate, bits), expected);
  }
}

TEST(EcnNegotiation, ASynAckIsReadAsItWasWritten) {
  for (const Ecn ecn : kAllEcn) {
    EXPECT_EQ(read_syn_ack(kAccurateSyn, handshake_bits(ecn)), (EcnAnswer{Accurate, ecn}));
    EXPECT_EQ(read_handshake_ack(handshake_bits(ecn)).syn_ack_arrived_as, ecn);
  }
}

// Table 4.
TEST(EcnNegotiation, ReadsEveryHandshakeAck) {
  for (EcnBits bits = 0; bits < 8; ++bits) {
    const EcnHandshakeAck ack = read_handshake_ack(bits);
    EXPECT_EQ(ack.is_usable, bits != 0);
    EXPECT_EQ(ack.ce_packets, bits == 0b110 ? 6 : 5);
  }
  for (const EcnBits bits : {EcnBits{0b000}, EcnBits{0b001}, EcnBits{0b101}, EcnBits{0b111}}) {
    EXPECT_EQ(read_handshake_ack(bits).syn_ack_arrived_as, std::nullopt);
  }
}

TEST(EcnNegotiation, RoutersMayMarkWhatTakesPart) {
  const bool expected[4][4] = {{true, false, false, false},
                               {false, true, false, true},
                               {false, false, true, true},
                               {false, false, false, true}};
  for (unsigned from = 0; from < 4; ++from) {
    for (unsigned to = 0; to < 4; ++to) {
      EXPECT_EQ(is_valid_transition(Ecn{static_cast<std::uint8_t>(from)},
                                    Ecn{static_cast<std::uint8_t>(to)}),
                expected[from][to]);
    }
  }
}

TEST(EcnNegotiation, AsksTwiceUnlessToldOtherwise) {
  TcpConfig config;
  EXPECT_EQ(bits_of_syn(config, 0), kNoEcnBits);
  config.ecn = EcnMode::Accurate;
  EXPECT_EQ(bits_of_syn(config, 0), kAccurateSyn);
  EXPECT_EQ(bits_of_syn(config, 1), kAccurateSyn);
  EXPECT_EQ(bits_of_syn(config, 2), kNoEcnBits);
  config.ecn = EcnMode::Classic;
  EXPECT_EQ(bits_of_syn(config, 1), kClassicSyn);
  config.ecn_syn_attempts = 0;
  EXPECT_EQ(bits_of_syn(config, 0), kNoEcnBits);
  config.ecn = EcnMode::Off;
  EXPECT_EQ(bits_of_syn(config, 0), kNoEcnBits);
}

// --- A server's handshake ------------------------------------------------------------------------

EcnHandshake handshake(EcnBits bits, Ecn ecn = Ecn::NotEct) {
  return EcnHandshake::from_syn(EcnMode::WhenAsked, bits, ecn);
}

TEST(EcnHandshake, IsOneOctet) {
  EXPECT_EQ(sizeof(EcnHandshake), 1U);
}

TEST(EcnHandshake, FallsBackWithEachRetransmission) {
  const EcnHandshake accurate = handshake(kAccurateSyn, Ecn::Ce);
  EXPECT_TRUE(accurate.has_option(0));
  EXPECT_FALSE(accurate.has_option(1));
  EXPECT_EQ(accurate.syn_ack_bits(0, 2), 0b110);
  EXPECT_EQ(accurate.syn_ack_bits(1, 2), 0b110);
  EXPECT_EQ(accurate.syn_ack_bits(2, 2), 0b000);
  const EcnHandshake classic = handshake(kClassicSyn);
  EXPECT_FALSE(classic.has_option(0));
  EXPECT_EQ(classic.syn_ack_bits(5, 2), kClassicSynAck);
  EXPECT_EQ(handshake(0).syn_ack_bits(0, 2), kNoEcnBits);
}

TEST(EcnHandshake, ASecondSynMayDropTheWishButNotChangeIt) {
  for (EcnBits first = 0; first < 8; ++first) {
    for (EcnBits second = 0; second < 8; ++second) {
      EcnHandshake one = handshake(first);
      const EcnFeedback before = one.feedback;
      const bool is_mix =
          before != None && second != 0 && (first == kClassicSyn) != (second == kClassicSyn);
      EXPECT_EQ(one.syn_again(second, Ecn::Ect1), !is_mix) << int{first} << ' ' << int{second};
      EXPECT_EQ(one.feedback, before);
      EXPECT_EQ(one.may_send_ect, before == None || second != 0);
      if (before == Accurate) {
        EXPECT_EQ(one.syn_ack_bits(0, 2), handshake_bits(Ecn::Ect1));
      }
      EXPECT_FALSE(one.has_option(0));
    }
  }
}

TEST(EcnHandshake, ACookieBringsAccEcnBackAndNothingElse) {
  for (EcnBits bits = 0; bits < 8; ++bits) {
    EXPECT_EQ(EcnHandshake::from_cookie(EcnMode::WhenAsked, bits).feedback,
              bits > 1 ? Accurate : None);
    EXPECT_EQ(EcnHandshake::from_cookie(EcnMode::Off, bits).feedback, None);
  }
  EcnHandshake classic = handshake(kClassicSyn);
  classic.forget_all_but_accurate();
  EXPECT_EQ(classic.feedback, None);
  EcnHandshake accurate = handshake(kAccurateSyn);
  accurate.forget_all_but_accurate();
  EXPECT_EQ(accurate.feedback, Accurate);
}

}  // namespace
}  // namespace runnel::tcp
