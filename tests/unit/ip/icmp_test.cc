#include "stack/ip/icmp.h"

#include <gtest/gtest.h>

#include "runnel/error.h"
#include "stack/ip/ip_output.h"
#include "tests/unit/ip/packet_builder.h"

namespace runnel::ip {
namespace {

using wire::IcmpType;

class Icmp : public ::testing::Test {
 protected:
  Icmp() {
    EXPECT_TRUE(addresses_.add({{192, 0, 2, 2}, 24}));
    ours_.source = {192, 0, 2, 2};
    ours_.destination = {198, 51, 100, 1};
    ours_.protocol = wire::kProtocolTcp;
    ours_.identification = 0;
    ours_.dont_fragment = true;
    ours_.payload = pattern(20);
  }

  bool may_report(const PacketSpec& spec) const {
    const Octets packet = build(spec);
    const auto view = wire::Ipv4View::parse(packet);
    EXPECT_TRUE(view);
    return view && may_report_error(*view, addresses_);
  }
  bool may_report_icmp(std::uint8_t type) const {
    PacketSpec spec;
    spec.protocol = wire::kProtocolIcmp;
    spec.payload = {type, 0, 0, 0, 0, 0, 0, 0};
    return may_report(spec);
  }

  // Parses an ICMP error that quotes `quote`. The octets that the result points to are kept.
  std::optional<IcmpError> parse(const Octets& quote, IcmpType type, std::uint8_t code = 0,
                                 std::uint16_t mtu = 0) {
    Octets message{static_cast<std::uint8_t>(type), code, 0, 0, 0, 0, 0, 0};
    put_u16(message, 6, mtu);
    message.insert(message.end(), quote.begin(), quote.end());
    put_u16(message, 2, plain_checksum(message));
    PacketSpec spec;
    spec.source = {203, 0, 113, 9};
    spec.protocol = wire::kProtocolIcmp;
    spec.payload = message;
    packet_ = build(spec);
    const auto packet = wire::Ipv4View::parse(packet_);
    EXPECT_TRUE(packet);
    const auto view = wire::Icmpv4View::parse(packet->payload());
    EXPECT_TRUE(view);
    return parse_icmp_error(*packet, *view, addresses_);
  }
  std::optional<IcmpError> parse(const Octets& quote) {
    return parse(quote, IcmpType::DestinationUnreachable, wire::kIcmpPortUnreachable);
  }

  AddressSet addresses_;
  PacketSpec ours_;  // a TCP segment that this host sent
  Octets packet_;
};

// --- When an error may be sent (RFC 1122 section 3.2.2) ------------------------------------------

TEST_F(Icmp, AnErrorMayBeSentAboutAnOrdinaryPacket) {
  EXPECT_TRUE(may_report({}));
  PacketSpec spec;
  spec.protocol = 250;
  spec.source = {198, 51, 100, 77};
  EXPECT_TRUE(may_report(spec));
}

TEST_F(Icmp, NoErrorIsSentAboutAnIcmpError) {
  for (const IcmpType type :
       {IcmpType::DestinationUnreachable, IcmpType::SourceQuench, IcmpType::Redirect,
        IcmpType::TimeExceeded, IcmpType::ParameterProblem}) {
    EXPECT_FALSE(may_report_icmp(static_cast<std::uint8_t>(type)));
  }
}

TEST_F(Icmp, NoErrorIsSentAboutAnIcmpMessageThatMayBeAnError) {
  for (const int type : {1, 2, 7, 19, 41, 200, 255}) {
    EXPECT_FALSE(may_report_icmp(static_cast<std::uint8_t>(type))) << type;
  }
  PacketSpec truncated;
  truncated.protocol = wire::kProtocolIcmp;
  truncated.payload = {8, 0, 0, 0, 0, 0, 0};
  EXPECT_FALSE(may_report(truncated));
}

TEST_F(Icmp, AnErrorMayBeSentAboutAnIcmpQuery) {
  for (const IcmpType type : {IcmpType::EchoRequest, IcmpType::EchoReply,
                              IcmpType::TimestampRequest, IcmpType::TimestampReply}) {
    EXPECT_TRUE(may_report_icmp(static_cast<std::uint8_t>(type)));
  }
}

TEST_F(Icmp, NoErrorIsSentAboutAFragmentOtherThanTheFirst) {
  PacketSpec spec;
  spec.payload = pattern(8);
  spec.more_fragments = true;
  EXPECT_TRUE(may_report(spec)) << "the first one may be reported";
  spec.offset_octets = 8;
  EXPECT_FALSE(may_report(spec));
  spec.more_fragments = false;
  EXPECT_FALSE(may_report(spec));
}

TEST_F(Icmp, NoErrorIsSentAboutABroadcastOrMulticast) {
  for (const IpAddress& destination :
       {IpAddress{255, 255, 255, 255}, IpAddress{192, 0, 2, 255}, IpAddress{192, 0, 2, 0},
        IpAddress{224, 0, 0, 1}, IpAddress{239, 255, 255, 250}}) {
    PacketSpec spec;
    spec.destination = destination;
    EXPECT_FALSE(may_report(spec)) << destination.to_string();
  }
}

TEST_F(Icmp, NoErrorIsSentAboutAPacketForSomebodyElse) {
  PacketSpec spec;
  spec.destination = {192, 0, 2, 3};
  EXPECT_FALSE(may_report(spec));
}

TEST_F(Icmp, NoErrorIsSentToASourceThatIsNoSingleHost) {
  for (const IpAddress& source :
       {IpAddress{0, 0, 0, 0}, IpAddress{127, 0, 0, 1}, IpAddress{224, 0, 0, 1},
        IpAddress{240, 0, 0, 1}, IpAddress{255, 255, 255, 255}, IpAddress{192, 0, 2, 255},
        IpAddress{192, 0, 2, 2}}) {
    PacketSpec spec;
    spec.source = source;
    EXPECT_FALSE(may_report(spec)) << source.to_string();
  }
}

// --- Making messages -----------------------------------------------------------------------------

TEST_F(Icmp, Rfc1812_4_3_2_3_AnErrorQuotesAsMuchAsFitsInto576Octets) {
  for (const std::size_t payload : {0U, 8U, 527U, 528U, 529U, 1480U, 65515U}) {
    PacketSpec spec;
    spec.payload = pattern(payload);
    const Octets offender = build(spec);
    const auto view = wire::Ipv4View::parse(offender);
    ASSERT_TRUE(view);
    const auto message = make_icmp_error(*view, IcmpType::DestinationUnreachable, 2);
    const std::size_t quoted = std::min<std::size_t>(offender.size(), 548);
    ASSERT_EQ(message.size(), 8 + quoted);
    EXPECT_LE(20 + message.size(), kIcmpErrorMaxOctets);
    EXPECT_EQ(Octets(message.begin() + 8, message.end()),
              Octets(offender.begin(), offender.begin() + static_cast<std::ptrdiff_t>(quoted)));
    EXPECT_EQ(plain_checksum(message), 0);
  }
}

TEST_F(Icmp, Rfc792_AnErrorCarriesTypeCodeAndAnUnusedWord) {
  const Octets offender = build({});
  const auto view = wire::Ipv4View::parse(offender);
  ASSERT_TRUE(view);
  const auto message = make_icmp_error(*view, IcmpType::TimeExceeded, 1);
  EXPECT_EQ(message[0], 11);
  EXPECT_EQ(message[1], 1);
  for (std::size_t i = 4; i < 8; ++i) EXPECT_EQ(message[i], 0);
}

TEST_F(Icmp, Rfc1191_4_FragmentationNeededCarriesTheMtuInTheLastTwoOctets) {
  const Octets offender = build({});
  const auto view = wire::Ipv4View::parse(offender);
  ASSERT_TRUE(view);
  const auto message = make_icmp_error(*view, IcmpType::DestinationUnreachable, 4, 1400);
  EXPECT_EQ(get_u16(message, 4), 0U);
  EXPECT_EQ(get_u16(message, 6), 1400U);
}

TEST_F(Icmp, AnErrorQuotesOptionsToo) {
  PacketSpec spec;
  spec.options = Octets(40, 1);
  spec.payload = pattern(100);
  const Octets offender = build(spec);
  const auto view = wire::Ipv4View::parse(offender);
  ASSERT_TRUE(view);
  const auto message = make_icmp_error(*view, IcmpType::DestinationUnreachable, 3);
  EXPECT_EQ(Octets(message.begin() + 8, message.end()), offender);
}

TEST_F(Icmp, Rfc1122_3_2_2_6_AnEchoReplyHasTheSameIdentifierSequenceAndData) {
  for (const std::size_t size : {0U, 1U, 56U, 1472U, 65507U}) {
    const auto request = make_echo_request(0x1234, 0xfedc, pattern(size));
    ASSERT_EQ(request.size(), 8 + size);
    EXPECT_EQ(request[0], 8);
    EXPECT_EQ(plain_checksum(request), 0);
    const auto view = wire::Icmpv4View::parse(request);
    ASSERT_TRUE(view);
    Octets expected = request;
    expected[0] = 0;
    put_u16(expected, 2, 0);
    put_u16(expected, 2, plain_checksum(expected));
    EXPECT_EQ(make_echo_reply(*view), expected);
  }
}

// --- Reading errors ------------------------------------------------------------------------------

TEST_F(Icmp, ReadsWhatAnErrorSaysAndQuotes) {
  const auto error = parse(build(ours_));
  ASSERT_TRUE(error);
  EXPECT_EQ(error->type, IcmpType::DestinationUnreachable);
  EXPECT_EQ(error->code, wire::kIcmpPortUnreachable);
  EXPECT_EQ(error->next_hop_mtu, 0);
  EXPECT_EQ(error->reporter, IpAddress(203, 0, 113, 9));
  EXPECT_EQ(error->quoted_header.source, ours_.source);
  EXPECT_EQ(error->quoted_header.destination, ours_.destination);
  EXPECT_EQ(error->quoted_header.protocol, wire::kProtocolTcp);
  EXPECT_TRUE(error->quoted_header.dont_fragment);
  EXPECT_EQ(to_octets(error->quoted_payload), pattern(20));
}

TEST_F(Icmp, ReadsTheMtuOfFragmentationNeededOnly) {
  const Octets quote = build(ours_);
  const auto needed = parse(quote, IcmpType::DestinationUnreachable, 4, 1400);
  ASSERT_TRUE(needed);
  EXPECT_EQ(needed->next_hop_mtu, 1400);
  const auto other_code = parse(quote, IcmpType::DestinationUnreachable, 1, 1400);
  ASSERT_TRUE(other_code);
  EXPECT_EQ(other_code->next_hop_mtu, 0);
  const auto other_type = parse(quote, IcmpType::TimeExceeded, 4, 1400);
  ASSERT_TRUE(other_type);
  EXPECT_EQ(other_type->next_hop_mtu, 0);
}

TEST_F(Icmp, ReadsEveryTypeOfErrorAndNoOtherMessage) {
  for (int type = 0; type < 256; ++type) {
    const bool is_error = type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
    EXPECT_EQ(parse(build(ours_), IcmpType{static_cast<std::uint8_t>(type)}).has_value(), is_error)
        << type;
  }
}

TEST_F(Icmp, RefusesAQuoteOfEveryLengthBelowHeaderAndEightOctets) {
  for (const std::size_t options : {0U, 4U, 40U}) {
    PacketSpec spec = ours_;
    spec.options = Octets(options, 1);
    const Octets whole = build(spec);
    for (std::size_t length = 0; length <= whole.size(); ++length) {
      const Octets quote(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
      const auto error = parse(quote);
      ASSERT_EQ(error.has_value(), length >= 28 + options) << length;
      if (error) {
        ASSERT_EQ(error->quoted_payload.size(), length - 20 - options);
      }
    }
  }
}

TEST_F(Icmp, TakesAQuoteWhoseTotalLengthIsThatOfTheWholePacket) {
  PacketSpec spec = ours_;
  spec.payload = pattern(1480);
  Octets quote = build(spec);
  quote.resize(28);
  const auto error = parse(quote);
  ASSERT_TRUE(error);
  EXPECT_EQ(to_octets(error->quoted_payload), pattern(8));
}

TEST_F(Icmp, SurvivesEveryTotalLengthInAQuote) {
  Octets quote = build(ours_);
  for (std::size_t total = 0; total < 65536; ++total) {
    put_u16(quote, 2, total);
    const auto error = parse(quote);
    ASSERT_EQ(error.has_value(), total >= 28) << total;
    if (error) {
      ASSERT_EQ(error->quoted_payload.size(), std::min<std::size_t>(total, 40) - 20);
    }
  }
}

TEST_F(Icmp, SurvivesEveryVersionAndHeaderLengthInAQuoteOfEveryLength) {
  const Octets whole = build(ours_);  // 40 octets
  for (std::size_t first = 0; first < 256; ++first) {
    const std::size_t header = (first & 0x0fU) * 4;
    for (std::size_t length = 1; length <= whole.size(); ++length) {
      Octets quote(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
      quote[0] = static_cast<std::uint8_t>(first);
      const bool good = first >> 4U == 4 && header >= 20 && header + 8 <= length;
      ASSERT_EQ(parse(quote).has_value(), good) << first << ' ' << length;
    }
  }
}

TEST_F(Icmp, Rfc4884_ExtensionsBehindTheQuotedPacketAreNotPartOfIt) {
  Octets quote = build(ours_);
  quote.resize(128);                                 // padded
  quote.insert(quote.end(), {0x20, 0, 0, 0, 0, 0});  // an extension
  const auto error = parse(quote);
  ASSERT_TRUE(error);
  EXPECT_EQ(to_octets(error->quoted_payload), pattern(20));
}

TEST_F(Icmp, RefusesAQuoteFromAnAddressThatIsNotOurs) {
  for (const std::uint8_t protocol :
       {wire::kProtocolTcp, wire::kProtocolIcmp, wire::kProtocolUdp, std::uint8_t{250}}) {
    PacketSpec spec = ours_;
    spec.protocol = protocol;
    EXPECT_TRUE(parse(build(spec)));
    spec.source = {192, 0, 2, 3};
    EXPECT_FALSE(parse(build(spec)));
  }
}

TEST_F(Icmp, RefusesAQuoteOfAFragmentOtherThanTheFirst) {
  PacketSpec spec = ours_;
  spec.more_fragments = true;
  EXPECT_TRUE(parse(build(spec)));
  spec.offset_octets = 8;
  EXPECT_FALSE(parse(build(spec)));
}

TEST_F(Icmp, TakesAQuoteWhoseHeaderChecksumRoutersLeftStale) {
  Octets quote = build(ours_);
  --quote[8];  // a TTL counted down
  EXPECT_TRUE(parse(quote));
}

TEST_F(Icmp, ReadsBackTheErrorsThatItMakes) {
  const Octets offender = build(ours_);
  const auto view = wire::Ipv4View::parse(offender);
  ASSERT_TRUE(view);
  const auto message = make_icmp_error(*view, IcmpType::DestinationUnreachable, 4, 1280);
  const auto error =
      parse(Octets(message.begin() + 8, message.end()), IcmpType::DestinationUnreachable, 4, 1280);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->quoted_header, wire::Ipv4Header::from(*view));
}

// --- What errors mean ----------------------------------------------------------------------------

TEST_F(Icmp, SaysWhatAnUnreachableMeansForACaller) {
  const auto of = [](int code) {
    return error_of(IcmpType::DestinationUnreachable, static_cast<std::uint8_t>(code));
  };
  for (const int code : {0, 6, 9, 11}) EXPECT_EQ(of(code), Errc::network_unreachable) << code;
  for (const int code : {1, 4, 5, 7, 8, 10, 12, 13, 14, 15, 16, 255}) {
    EXPECT_EQ(of(code), Errc::host_unreachable) << code;
  }
  EXPECT_EQ(of(2), Errc::protocol_unreachable);
  EXPECT_EQ(of(3), Errc::connection_refused);
}

TEST_F(Icmp, SaysWhatTheOtherErrorsMeanForACaller) {
  EXPECT_EQ(error_of(IcmpType::TimeExceeded, 0), Errc::host_unreachable);
  EXPECT_EQ(error_of(IcmpType::TimeExceeded, 1), Errc::host_unreachable);
  EXPECT_EQ(error_of(IcmpType::ParameterProblem, 0), Errc::not_supported);
  EXPECT_FALSE(error_of(IcmpType::SourceQuench, 0));
  EXPECT_FALSE(error_of(IcmpType::Redirect, 0));
  EXPECT_FALSE(error_of(IcmpType::EchoReply, 0));
}

}  // namespace
}  // namespace runnel::ip
