#include "tun/tun_setup.h"

#include <gtest/gtest.h>

namespace runnel::tun {
namespace {

TEST(FindNameFault, NamesOfOneToFifteenCharactersAreGood) {
  for (const char* name : {"t", "tun0", "runnel-tun_0.1", "fifteen_letters"}) {
    EXPECT_FALSE(find_name_fault(name)) << name;
  }
  EXPECT_NE(find_name_fault("sixteen__letters")->find("too long"), std::string::npos);
  EXPECT_TRUE(find_name_fault(""));
}

TEST(FindNameFault, NamesThatTheKernelRefusesOrExpandsAreNot) {
  for (const char* name : {".", "..", "a/b", "a b", "a:0", "tun%d", "a\n", "a\x7f", "\xc3\xa4"}) {
    EXPECT_TRUE(find_name_fault(name)) << name;
  }
}

TEST(SetupCommands, NameExactlyWhatIsMissing) {
  const IpPrefix address{IpAddress(192, 0, 2, 1), 24};
  EXPECT_EQ(setup_commands("tun0", {.device = true, .address = address, .up = true}),
            "sudo ip tuntap add dev tun0 mode tun user $USER && "
            "sudo ip addr add 192.0.2.1/24 dev tun0 && "
            "sudo ip link set tun0 up");
  EXPECT_EQ(setup_commands("t", {.mtu_octets = std::uint16_t{9000}}),
            "sudo ip link set t mtu 9000");
  EXPECT_EQ(setup_commands("t", {.address = address}), "sudo ip addr add 192.0.2.1/24 dev t");
  EXPECT_EQ(setup_commands("t", {}), "");
}

}  // namespace
}  // namespace runnel::tun
