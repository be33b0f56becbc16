#include "stack/ip/ip_input.h"

#include <gtest/gtest.h>

#include "tests/unit/ip/packet_builder.h"

namespace runnel::ip {
namespace {

class IpInput : public ::testing::Test {
 protected:
  IpInput() { EXPECT_TRUE(addresses_.add({{192, 0, 2, 2}, 24})); }

  InputVerdict check_octets(const Octets& packet) const {
    const auto view = wire::Ipv4View::parse(packet);
    EXPECT_TRUE(view);
    return view ? check_input(*view, addresses_) : InputVerdict{};
  }
  InputVerdict check(const PacketSpec& spec) const { return check_octets(build(spec)); }

  std::optional<DropReason> drop_from(const IpAddress& source) const {
    PacketSpec spec;
    spec.source = source;
    return check(spec).drop;
  }
  InputVerdict check_to(const IpAddress& destination) const {
    PacketSpec spec;
    spec.destination = destination;
    return check(spec);
  }
  std::optional<DropReason> drop_with_options(Octets options) const {
    PacketSpec spec;
    options.resize((options.size() + 3) / 4 * 4);
    spec.options = std::move(options);
    spec.payload = pattern(8);
    return check(spec).drop;
  }

  AddressSet addresses_;
};

TEST_F(IpInput, AcceptsAPacketForThisHost) {
  const InputVerdict verdict = check({});
  EXPECT_EQ(verdict.drop, std::nullopt);
  EXPECT_EQ(verdict.destination, DestinationClass::Local);
}

TEST_F(IpInput, Rfc1122_3_2_1_2_DropsEverySingleBitErrorInTheHeader) {
  PacketSpec spec;
  spec.options = {7, 4, 4, 0};  // an empty record route
  const Octets good = build(spec);
  ASSERT_EQ(check_octets(good).drop, std::nullopt);
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    Octets bad = good;
    bad[bit / 8] ^= static_cast<std::uint8_t>(0x80U >> bit % 8);
    // A changed version or length is refused earlier or moves the checksum's end.
    if (const auto view = wire::Ipv4View::parse(bad)) {
      EXPECT_EQ(check_input(*view, addresses_).drop, DropReason::IpBadChecksum) << "bit " << bit;
    }
  }
}

TEST_F(IpInput, Rfc1122_3_2_1_3_DropsSourcesThatAreNoSingleHost) {
  EXPECT_EQ(drop_from({0, 0, 0, 0}), DropReason::IpBadSource);
  EXPECT_EQ(drop_from({0, 0, 0, 9}), DropReason::IpBadSource);
  EXPECT_EQ(drop_from({127, 0, 0, 1}), DropReason::IpBadSource);
  EXPECT_EQ(drop_from({224, 0, 0, 1}), DropReason::IpBadSource);
  EXPECT_EQ(drop_from({240, 0, 0, 1}), DropReason::IpBadSource);
  EXPECT_EQ(drop_from({255, 255, 255, 255}), DropReason::IpBadSource);
  EXPECT_EQ(drop_from({192, 0, 2, 255}), DropReason::IpBadSource);
  EXPECT_EQ(drop_from({192, 0, 2, 0}), DropReason::IpBadSource);
  EXPECT_EQ(drop_from({198, 51, 100, 255}), std::nullopt) << "an unknown network's";
}

TEST_F(IpInput, DropsLandPackets) {
  EXPECT_EQ(drop_from({192, 0, 2, 2}), DropReason::IpBadSource);
  ASSERT_TRUE(addresses_.add({{192, 0, 2, 3}, 24}));
  EXPECT_EQ(drop_from({192, 0, 2, 3}), DropReason::IpBadSource) << "from another of our addresses";
  EXPECT_EQ(drop_from({192, 0, 2, 4}), std::nullopt);
}

TEST_F(IpInput, Rfc1122_3_2_1_3_DropsWhatIsForSomebodyElse) {
  EXPECT_EQ(check_to({192, 0, 2, 3}).drop, DropReason::IpNotForUs);
  EXPECT_EQ(check_to({198, 51, 100, 1}).drop, DropReason::IpNotForUs);
  EXPECT_EQ(check_to({127, 0, 0, 1}).drop, DropReason::IpNotForUs);
  EXPECT_EQ(check_to({0, 0, 0, 0}).drop, DropReason::IpNotForUs);
  EXPECT_EQ(check_to({240, 0, 0, 1}).drop, DropReason::IpNotForUs);
}

TEST_F(IpInput, LeavesBroadcastsAndMulticastsToTheProtocol) {
  for (const IpAddress& destination :
       {IpAddress{255, 255, 255, 255}, IpAddress{192, 0, 2, 255}, IpAddress{192, 0, 2, 0}}) {
    EXPECT_EQ(check_to(destination).drop, std::nullopt);
    EXPECT_EQ(check_to(destination).destination, DestinationClass::Broadcast);
  }
  EXPECT_EQ(check_to({224, 0, 0, 1}).drop, std::nullopt);
  EXPECT_EQ(check_to({224, 0, 0, 1}).destination, DestinationClass::Multicast);
}

TEST_F(IpInput, Rfc7126_DropsSourceRoutesWhereverTheyAreInTheList) {
  for (const std::uint8_t type : {std::uint8_t{131}, std::uint8_t{137}}) {
    EXPECT_EQ(drop_with_options({type, 7, 4, 10, 0, 0, 1}), DropReason::IpSourceRoute);
    EXPECT_EQ(drop_with_options({type, 3, 4}), DropReason::IpSourceRoute);
    EXPECT_EQ(drop_with_options({1, 1, 1, type, 3, 4}), DropReason::IpSourceRoute);
    EXPECT_EQ(drop_with_options({148, 4, 0, 0, type, 3, 4}), DropReason::IpSourceRoute);
    EXPECT_EQ(drop_with_options({148, 4, type, type}), std::nullopt) << "inside another option";
  }
}

TEST_F(IpInput, SkipsOptionsThatItDoesNotKnow) {
  EXPECT_EQ(drop_with_options({148, 4, 0, 0}), std::nullopt) << "router alert";
  EXPECT_EQ(drop_with_options({7, 7, 4, 0, 0, 0, 0}), std::nullopt) << "record route";
  EXPECT_EQ(drop_with_options({68, 8, 5, 0, 0, 0, 0, 0}), std::nullopt) << "timestamp";
  EXPECT_EQ(drop_with_options({1, 1, 1, 1}), std::nullopt) << "no operation";
  EXPECT_EQ(drop_with_options({0, 131, 3, 4}), std::nullopt) << "behind the end of the list";
  EXPECT_EQ(drop_with_options(Octets(40, 1)), std::nullopt);
  EXPECT_EQ(drop_with_options({222, 40}), std::nullopt);
}

TEST_F(IpInput, SurvivesEveryTypeAndLengthOfOption) {
  for (std::size_t type = 0; type < 256; ++type) {
    for (std::size_t length = 0; length < 256; ++length) {
      for (const std::size_t room : {4U, 8U, 40U}) {
        Octets options(room);
        options[0] = static_cast<std::uint8_t>(type);
        options[1] = static_cast<std::uint8_t>(length);
        const auto drop = drop_with_options(options);
        if (type != 131 && type != 137) {
          // What follows the option is zero, the end of the list, unless the option is itself one
          // octet long: then the length is read as a type.
          const bool is_type = type == 1 && (length == 131 || length == 137);
          if (!is_type) {
            EXPECT_EQ(drop, std::nullopt) << type << ' ' << length;
          }
        }
      }
    }
  }
}

TEST_F(IpInput, Rfc1122_3_2_1_7_AcceptsEveryTimeToLive) {
  for (const std::uint8_t ttl : {std::uint8_t{0}, std::uint8_t{1}, std::uint8_t{255}}) {
    PacketSpec spec;
    spec.ttl = ttl;
    EXPECT_EQ(check(spec).drop, std::nullopt) << int{ttl};
  }
}

TEST_F(IpInput, ChecksInTheOrderChecksumSourceSourceRouteDestination) {
  PacketSpec spec;
  spec.source = {127, 0, 0, 1};
  spec.destination = {198, 51, 100, 1};
  spec.options = {131, 3, 4, 0};
  Octets packet = build(spec);
  EXPECT_EQ(check_octets(packet).drop, DropReason::IpBadSource);
  packet[10] ^= 1U;
  EXPECT_EQ(check_octets(packet).drop, DropReason::IpBadChecksum);
  spec.source = {192, 0, 2, 1};
  EXPECT_EQ(check(spec).drop, DropReason::IpSourceRoute);
  spec.options.clear();
  EXPECT_EQ(check(spec).drop, DropReason::IpNotForUs);
}

TEST_F(IpInput, Rfc6864_4_1_TreatsAtomicPacketsWithEqualIdentificationAlike) {
  PacketSpec spec;
  spec.dont_fragment = true;
  spec.identification = 0;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(check(spec).drop, std::nullopt);
}

}  // namespace
}  // namespace runnel::ip
