// Opening a TUN: every way in which it can be there already, and every way to fail.
#include "runnel/tun_device.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "runnel/unique_fd.h"
#include "tests/unit/tun/network_namespace.h"

namespace runnel::tun {
namespace {

const IpPrefix kKernelAddress{IpAddress(192, 0, 2, 1), 24};

TunOptions options(bool offload = true) {
  return {.name = "tun0", .offload = offload, .kernel_address = kKernelAddress};
}

// What opening says; the empty string when it succeeds.
std::string message_of_opening(const TunOptions& wanted) {
  try {
    const TunDevice device(wanted);
    return {};
  } catch (const DeviceError& error) {
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    return error.what();
  }
}

// What the kernel says about tun0, by ioctl: the product's code asks by netlink.
class KernelView {
 public:
  bool is_up() { return (ask(SIOCGIFFLAGS).ifr_flags & IFF_UP) != 0; }
  int mtu() { return ask(SIOCGIFMTU).ifr_mtu; }
  std::string address() { return text(ask(SIOCGIFADDR).ifr_addr); }
  std::string mask() { return text(ask(SIOCGIFNETMASK).ifr_netmask); }
  bool exists() { return ::if_nametoindex("tun0") != 0; }

 private:
  ifreq ask(unsigned long what) {
    ifreq request{};
    std::strcpy(request.ifr_name, "tun0");
    EXPECT_EQ(::ioctl(socket_.get(), what, &request), 0) << std::strerror(errno);
    return request;
  }
  static std::string text(const sockaddr& address) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address, sizeof(v4));
    return ::inet_ntoa(v4.sin_addr);
  }
  UniqueFd socket_{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
};

TEST(OpeningATun, CreatesItWithAddressMtuAndLinkUpAndItGoesWithTheDescriptor) {
  in_network_namespace([] {
    KernelView kernel;
    {
      TunOptions wanted = options();
      wanted.mtu_octets = std::uint16_t{9000};
      const TunDevice device(wanted);
      EXPECT_EQ(device.name(), "tun0");
      EXPECT_EQ(device.mtu_octets(), 9000);
      EXPECT_TRUE(device.checksum_offload());
      EXPECT_TRUE(device.tcp_segmentation_offload());
      EXPECT_TRUE(kernel.is_up());
      EXPECT_EQ(kernel.mtu(), 9000);
      EXPECT_EQ(kernel.address(), "192.0.2.1");
      EXPECT_EQ(kernel.mask(), "255.255.255.0");
    }
    EXPECT_FALSE(kernel.exists());
  });
}

TEST(OpeningATun, WithoutOffloadSaysSo) {
  in_network_namespace([] {
    const TunDevice device(options(false));
    EXPECT_FALSE(device.checksum_offload());
    EXPECT_FALSE(device.tcp_segmentation_offload());
    EXPECT_EQ(device.mtu_octets(), 1500);
  });
}

TEST(OpeningATun, LeavesOneThatIsUpWithAnAddressAsItIs) {
  in_network_namespace([] {
    shell(
        "ip tuntap add dev tun0 mode tun && ip addr add 198.51.100.1/28 dev tun0 &&"
        "ip link set tun0 mtu 1400 up");
    TunOptions wanted = options();
    wanted.mtu_octets = std::uint16_t{9000};
    KernelView kernel;
    {
      const TunDevice device(wanted);
      EXPECT_EQ(device.mtu_octets(), 1400);
      EXPECT_EQ(kernel.mtu(), 1400);
      EXPECT_EQ(kernel.address(), "198.51.100.1");
      EXPECT_EQ(kernel.mask(), "255.255.255.240");
    }
    EXPECT_TRUE(kernel.exists());
  });
}

TEST(OpeningATun, GivesAnExistingOneWhatItLacks) {
  in_network_namespace([] {
    shell("ip tuntap add dev tun0 mode tun");
    TunOptions wanted = options();
    wanted.mtu_octets = std::uint16_t{1300};
    KernelView kernel;
    {
      const TunDevice device(wanted);
      EXPECT_TRUE(kernel.is_up());
      EXPECT_EQ(kernel.address(), "192.0.2.1");
      EXPECT_EQ(device.mtu_octets(), 1300);
    }
    shell("ip link set tun0 down");
    wanted.kernel_address = IpPrefix{IpAddress(203, 0, 113, 1), 24};
    const TunDevice device(wanted);
    EXPECT_TRUE(kernel.is_up());
    EXPECT_EQ(kernel.address(), "192.0.2.1") << "it had one";
  });
}

TEST(OpeningATun, NeedsNoPrivilegeWhenEverythingIsSetUp) {
  in_network_namespace([] {
    shell(
        "ip tuntap add dev tun0 mode tun user 0 && ip addr add 192.0.2.1/24 dev tun0 &&"
        "ip link set tun0 up");
    drop_capability(CAP_NET_ADMIN);
    EXPECT_EQ(message_of_opening(options()), "");
  });
}

TEST(OpeningATun, AttachesToOneForSeveralQueues) {
  in_network_namespace([] {
    shell("ip tuntap add dev tun0 mode tun multi_queue");
    const TunDevice first(options());
    const TunDevice second(options());
  });
}

TEST(OpeningATun, CreatesOneForSeveralQueues) {
  in_network_namespace([] {
    TunOptions wanted = options();
    wanted.is_multi_queue = true;
    const TunDevice first(wanted);
    const TunDevice second(wanted);
    EXPECT_EQ(second.queue_packets(), TunOptions{}.queue_packets);
  });
}

TEST(OpeningATun, SaysHowToMakeOneOfSeveralQueuesOfOneThatHasOne) {
  in_network_namespace([] {
    shell("ip tuntap add dev tun0 mode tun");
    TunOptions wanted = options();
    wanted.is_multi_queue = true;
    EXPECT_EQ(message_of_opening(wanted),
              "tun0: was made with one queue: run: sudo ip link del tun0 && "
              "sudo ip tuntap add dev tun0 mode tun user $USER multi_queue && "
              "sudo ip addr add 192.0.2.1/24 dev tun0 && sudo ip link set tun0 up");
  });
}

TEST(OpeningATun, TheQueueIsMadeLongerWhereTheDeviceIsItsOwn) {
  in_network_namespace([] {
    {
      TunOptions wanted = options();
      wanted.queue_packets = 1234;
      const TunDevice device(wanted);
      EXPECT_EQ(device.queue_packets(), 1234U);
      shell("ip link show tun0 | grep -q 'qlen 1234'");
    }
    shell("ip tuntap add dev tun0 mode tun && ip link set tun0 txqueuelen 77");
    const TunDevice device(options());
    EXPECT_EQ(device.queue_packets(), 77U);
    shell("ip link show tun0 | grep -q 'qlen 77'");
  });
}

TEST(OpeningATun, SaysThatItIsBusy) {
  in_network_namespace([] {
    const TunDevice device(options());
    EXPECT_EQ(message_of_opening(options()),
              "tun0: busy: another program has it open; stop that program, or choose another name");
  });
}

TEST(OpeningATun, SaysHowToCreateItWhenThatIsNotPermitted) {
  in_network_namespace([] {
    drop_capability(CAP_NET_ADMIN);
    EXPECT_EQ(message_of_opening(options()),
              "tun0: not permitted to create a TUN: run: "
              "sudo ip tuntap add dev tun0 mode tun user $USER && "
              "sudo ip addr add 192.0.2.1/24 dev tun0 && sudo ip link set tun0 up");
  });
}

TEST(OpeningATun, SaysWhatIsMissingWhenSettingItUpIsNotPermitted) {
  in_network_namespace([] {
    shell("ip tuntap add dev tun0 mode tun user 0");
    drop_capability(CAP_NET_ADMIN);
    EXPECT_EQ(message_of_opening(options()),
              "tun0: not permitted to give it the address 192.0.2.1/24: run: "
              "sudo ip addr add 192.0.2.1/24 dev tun0 && sudo ip link set tun0 up");
    shell("ip addr add 192.0.2.1/24 dev tun0");
    EXPECT_EQ(message_of_opening(options()),
              "tun0: not permitted to set it up: run: sudo ip link set tun0 up");
  });
}

TEST(OpeningATun, SaysThatItBelongsToSomebodyElse) {
  // Inside a user namespace there is nobody else.
  if (::geteuid() != 0) return;
  in_network_namespace([] {
    shell("ip tuntap add dev tun0 mode tun user 12345");
    drop_capability(CAP_NET_ADMIN);
    EXPECT_EQ(message_of_opening(options()),
              "tun0: belongs to another user: run: sudo ip tuntap del dev tun0 mode tun && "
              "sudo ip tuntap add dev tun0 mode tun user $USER && "
              "sudo ip addr add 192.0.2.1/24 dev tun0 && sudo ip link set tun0 up");
  });
}

TEST(OpeningATun, RefusesInterfacesOfOtherKinds) {
  in_network_namespace([] {
    shell("ip tuntap add dev tap0 mode tap");
    for (const char* name : {"lo", "tap0"}) {
      TunOptions wanted = options();
      wanted.name = name;
      EXPECT_EQ(message_of_opening(wanted),
                std::string(name) + ": is there already and not a TUN; choose another name");
    }
  });
}

TEST(OpeningATun, RefusesNamesThatCannotBe) {
  TunOptions wanted = options();
  wanted.name = "sixteen__letters";
  EXPECT_EQ(message_of_opening(wanted),
            "sixteen__letters: too long for a device's name: at most 15 characters");
}

TEST(OpeningATun, RefusesAKernelAddressThatIsNotIpv4) {
  TunOptions wanted = options();
  wanted.kernel_address = IpPrefix{IpAddress::from_v6({0x20, 0x01, 0x0d, 0xb8}), 64};
  EXPECT_EQ(message_of_opening(wanted), "tun0: the kernel's address must be IPv4");
}

TEST(OpeningATun, SaysWhatTheKernelDidNotTake) {
  in_network_namespace([] {
    TunOptions wanted = options();
    wanted.mtu_octets = std::uint16_t{67};  // the least is 68, RFC 791
    EXPECT_EQ(message_of_opening(wanted), "tun0: cannot set its MTU to 67: Invalid argument");
    EXPECT_FALSE(KernelView().exists()) << "and leaves nothing behind";
    wanted.mtu_octets = std::uint16_t{68};
    EXPECT_EQ(message_of_opening(wanted), "");
  });
}

TEST(OpeningATun, SaysThatDevNetTunIsMissing) {
  in_network_namespace([] {
    hide_dev_net();
    EXPECT_EQ(message_of_opening(options()),
              "/dev/net/tun is missing: run: sudo modprobe tun "
              "(or start the container with --device /dev/net/tun)");
  });
}

TEST(OpeningATun, SaysThatDevNetTunMayNotBeOpened) {
  in_network_namespace([] {
    hide_dev_net();
    const UniqueFd file(::open("/dev/net/tun", O_CREAT | O_WRONLY | O_CLOEXEC, 0));
    ASSERT_TRUE(file);
    drop_capability(CAP_DAC_OVERRIDE);
    EXPECT_EQ(message_of_opening(options()),
              "tun0: not permitted to open /dev/net/tun: run: sudo chmod 0666 /dev/net/tun");
  });
}

TEST(OpeningATun, SaysThatDevNetTunIsSomethingElse) {
  in_network_namespace([] {
    hide_dev_net();
    const UniqueFd file(::open("/dev/net/tun", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    ASSERT_TRUE(file);
    EXPECT_EQ(message_of_opening(options()), "/dev/net/tun is not the kernel's TUN driver");
  });
}

}  // namespace
}  // namespace runnel::tun
