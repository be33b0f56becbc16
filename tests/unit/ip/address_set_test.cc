#include "stack/ip/address_set.h"

#include <gtest/gtest.h>

#include <system_error>

namespace runnel::ip {
namespace {

constexpr IpAddress kOurs{192, 0, 2, 2};

AddressSet one_address() {
  AddressSet addresses;
  EXPECT_TRUE(addresses.add({kOurs, 24}));
  return addresses;
}

std::error_code error_of_adding(const IpAddress& address, std::uint8_t length) {
  AddressSet addresses;
  const auto result = addresses.add({address, length});
  EXPECT_EQ(result.has_value(), addresses.prefixes().size() == 1);
  return result.error();
}

TEST(AddressSet, TakesUnicastAddressesOfAnyPrefixLength) {
  for (int length = 1; length <= 32; ++length) {
    EXPECT_FALSE(error_of_adding(kOurs, static_cast<std::uint8_t>(length))) << length;
  }
  EXPECT_FALSE(error_of_adding({1, 0, 0, 1}, 8));
  EXPECT_FALSE(error_of_adding({126, 255, 255, 254}, 8));
  EXPECT_FALSE(error_of_adding({128, 0, 0, 1}, 16));
  EXPECT_FALSE(error_of_adding({223, 255, 255, 254}, 24));
}

TEST(AddressSet, RefusesWhatIsNoUnicastAddress) {
  EXPECT_EQ(error_of_adding({0, 0, 0, 0}, 24), Errc::invalid_argument);
  EXPECT_EQ(error_of_adding({0, 255, 255, 254}, 8), Errc::invalid_argument);
  EXPECT_EQ(error_of_adding({127, 0, 0, 1}, 8), Errc::invalid_argument);
  EXPECT_EQ(error_of_adding({127, 255, 255, 254}, 8), Errc::invalid_argument);
  EXPECT_EQ(error_of_adding({224, 0, 0, 1}, 24), Errc::invalid_argument);
  EXPECT_EQ(error_of_adding({239, 255, 255, 254}, 24), Errc::invalid_argument);
  EXPECT_EQ(error_of_adding({240, 0, 0, 1}, 24), Errc::invalid_argument);
  EXPECT_EQ(error_of_adding({255, 255, 255, 255}, 32), Errc::invalid_argument);
  EXPECT_EQ(error_of_adding(IpAddress::from_v6({0x20, 0x01, 0x0d, 0xb8}), 32),
            Errc::invalid_argument);
}

TEST(AddressSet, RefusesTheNetworksOwnAddressAndItsBroadcastAddress) {
  EXPECT_EQ(error_of_adding({192, 0, 2, 0}, 24), Errc::invalid_argument);
  EXPECT_EQ(error_of_adding({192, 0, 2, 255}, 24), Errc::invalid_argument);
  EXPECT_EQ(error_of_adding({192, 0, 2, 4}, 30), Errc::invalid_argument);
  EXPECT_EQ(error_of_adding({192, 0, 2, 7}, 30), Errc::invalid_argument);
  EXPECT_FALSE(error_of_adding({192, 0, 2, 5}, 30));
  EXPECT_FALSE(error_of_adding({192, 0, 2, 6}, 30));
}

TEST(AddressSet, TakesBothAddressesOfAPointToPointPrefix) {
  AddressSet addresses;
  EXPECT_TRUE(addresses.add({{192, 0, 2, 4}, 31}));
  EXPECT_TRUE(addresses.add({{192, 0, 2, 5}, 31}));
  EXPECT_EQ(addresses.classify({192, 0, 2, 4}), DestinationClass::Local);
  EXPECT_EQ(addresses.classify({192, 0, 2, 5}), DestinationClass::Local);
}

TEST(AddressSet, RefusesAPrefixLongerThanAnAddress) {
  EXPECT_EQ(error_of_adding(kOurs, 33), Errc::invalid_argument);
  EXPECT_EQ(error_of_adding(kOurs, 255), Errc::invalid_argument);
}

TEST(AddressSet, RefusesAnAddressThatItHasWhateverThePrefix) {
  AddressSet addresses = one_address();
  EXPECT_EQ(addresses.add({kOurs, 24}).error(), Errc::address_in_use);
  EXPECT_EQ(addresses.add({kOurs, 16}).error(), Errc::address_in_use);
  EXPECT_TRUE(addresses.add({{192, 0, 2, 3}, 24}));
  EXPECT_EQ(addresses.prefixes().size(), 2U);
}

TEST(AddressSet, ContainsItsAddressesAndNotTheirNeighbours) {
  const AddressSet addresses = one_address();
  EXPECT_TRUE(addresses.contains(kOurs));
  EXPECT_FALSE(addresses.contains({192, 0, 2, 1}));
  EXPECT_FALSE(addresses.contains({192, 0, 2, 3}));
  EXPECT_FALSE(AddressSet{}.contains(kOurs));
}

TEST(AddressSet, ClassifiesEveryKindOfDestination) {
  const AddressSet addresses = one_address();
  EXPECT_EQ(addresses.classify(kOurs), DestinationClass::Local);
  EXPECT_EQ(addresses.classify({192, 0, 2, 3}), DestinationClass::Foreign);
  EXPECT_EQ(addresses.classify({198, 51, 100, 1}), DestinationClass::Foreign);
  EXPECT_EQ(addresses.classify({127, 0, 0, 1}), DestinationClass::Foreign);
  EXPECT_EQ(addresses.classify({0, 0, 0, 0}), DestinationClass::Foreign);
  EXPECT_EQ(addresses.classify({255, 255, 255, 255}), DestinationClass::Broadcast);
  EXPECT_EQ(addresses.classify({255, 255, 255, 254}), DestinationClass::Foreign);
  EXPECT_EQ(addresses.classify({192, 0, 2, 255}), DestinationClass::Broadcast);
  EXPECT_EQ(addresses.classify({192, 0, 2, 0}), DestinationClass::Broadcast);
  EXPECT_EQ(addresses.classify({192, 0, 3, 255}), DestinationClass::Foreign);
  EXPECT_EQ(addresses.classify({223, 255, 255, 255}), DestinationClass::Foreign);
  EXPECT_EQ(addresses.classify({224, 0, 0, 0}), DestinationClass::Multicast);
  EXPECT_EQ(addresses.classify({239, 255, 255, 255}), DestinationClass::Multicast);
  EXPECT_EQ(addresses.classify({240, 0, 0, 0}), DestinationClass::Foreign);
}

TEST(AddressSet, AnAddressThatIsLocalIsLocalThoughABroadcastAddressOfAnotherNetwork) {
  AddressSet addresses;
  ASSERT_TRUE(addresses.add({{10, 0, 0, 255}, 16}));
  ASSERT_TRUE(addresses.add({{10, 0, 0, 1}, 24}));
  EXPECT_EQ(addresses.classify({10, 0, 0, 255}), DestinationClass::Local);
  EXPECT_FALSE(addresses.is_other_host({10, 0, 0, 255}));
}

TEST(AddressSet, KnowsWhichSourcesAreASingleOtherHost) {
  const AddressSet addresses = one_address();
  const IpAddress good[] = {{1, 0, 0, 1},   {126, 255, 255, 255}, {128, 0, 0, 0},
                            {192, 0, 2, 3}, {192, 0, 2, 254},     {192, 0, 3, 255},
                            {10, 0, 0, 0},  {223, 255, 255, 255}};
  for (const IpAddress& source : good) {
    EXPECT_TRUE(addresses.is_other_host(source)) << source.to_string();
  }
  const IpAddress bad[] = {{0, 0, 0, 0},         {0, 0, 0, 1},         {0, 255, 255, 255},
                           {127, 0, 0, 0},       {127, 0, 0, 1},       {127, 255, 255, 255},
                           {224, 0, 0, 0},       {239, 255, 255, 255}, {240, 0, 0, 0},
                           {255, 255, 255, 254}, {255, 255, 255, 255}, {192, 0, 2, 255},
                           {192, 0, 2, 0}};
  for (const IpAddress& source : bad) {
    EXPECT_FALSE(addresses.is_other_host(source)) << source.to_string();
  }
}

TEST(AddressSet, SendsFromTheAddressInTheDestinationsNetwork) {
  AddressSet addresses;
  EXPECT_EQ(addresses.source_for({192, 0, 2, 1}), std::nullopt);
  ASSERT_TRUE(addresses.add({{10, 0, 0, 1}, 8}));
  ASSERT_TRUE(addresses.add({{192, 0, 2, 2}, 24}));
  ASSERT_TRUE(addresses.add({{10, 1, 0, 1}, 16}));
  EXPECT_EQ(addresses.source_for({192, 0, 2, 1}), IpAddress(192, 0, 2, 2));
  EXPECT_EQ(addresses.source_for({10, 2, 0, 9}), IpAddress(10, 0, 0, 1));
  EXPECT_EQ(addresses.source_for({10, 1, 0, 9}), IpAddress(10, 1, 0, 1)) << "the smaller network";
  EXPECT_EQ(addresses.source_for({198, 51, 100, 1}), IpAddress(10, 0, 0, 1)) << "else the first";
}

TEST(AddressSet, SendsToItselfFromTheSameAddress) {
  AddressSet addresses = one_address();
  ASSERT_TRUE(addresses.add({{192, 0, 2, 3}, 24}));
  EXPECT_EQ(addresses.source_for({192, 0, 2, 3}), IpAddress(192, 0, 2, 3));
}

}  // namespace
}  // namespace runnel::ip
