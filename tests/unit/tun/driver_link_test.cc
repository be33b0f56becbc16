// The loop over a real TUN: the link's states as a program meets them.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <string>
#include <thread>

#include "runnel/driver.h"
#include "runnel/random.h"
#include "runnel/system.h"
#include "tests/unit/tun/network_namespace.h"

namespace runnel::tun {
namespace {

using namespace std::chrono_literals;

class Host {
 public:
  explicit Host(bool offload)
      : device({.name = "tun0",
                .offload = offload,
                .kernel_address = IpPrefix{IpAddress(192, 0, 2, 1), 24}}),
        stack(config(device), random) {
    EXPECT_TRUE(stack.add_address({IpAddress(192, 0, 2, 2), 24}));
  }

  // Runs the loop while `script` runs in a thread of its own.
  void run_during(const std::function<void()>& script) {
    std::thread thread([&] {
      script();
      driver.post([&] { driver.stop(); });
    });
    driver.run();
    thread.join();
  }

  static Config config(const TunDevice& device) {
    Config result;
    result.mtu_octets = device.mtu_octets();
    result.checksum_offload = device.checksum_offload();
    result.tcp_segmentation_offload = device.tcp_segmentation_offload();
    return result;
  }

  SystemRandom random;
  TunDevice device;
  Stack stack;
  Sockets sockets{stack};
  Driver driver{stack, sockets, device};
};

Duration processor_time() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto duration = [](const timeval& time) {
    return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
  };
  return duration(usage.ru_utime) + duration(usage.ru_stime);
}

TEST(DriverLink, TheKernelsPingIsAnswered) {
  for (const bool offload : {true, false}) {
    in_network_namespace([offload] {
      Host host(offload);
      host.run_during([] { shell("ping -q -c 3 -i 0.01 -W 2 192.0.2.2 >/dev/null"); });
    });
  }
}

TEST(DriverLink, ALinkThatGoesDownAndUpAgainIsUsedAgain) {
  in_network_namespace([] {
    Host host(true);
    host.run_during([] {
      shell("ping -q -c 1 -W 2 192.0.2.2 >/dev/null");
      shell("ip link set tun0 down");
      shell("ip link set tun0 up");
      shell("ping -q -c 1 -W 2 192.0.2.2 >/dev/null");
    });
  });
}

TEST(DriverLink, ALinkThatIsDownCostsNoProcessorTime) {
  in_network_namespace([] {
    Host host(true);
    shell("ip link set tun0 down");
    host.driver.post([&] {
      // Something to write, which the device refuses.
      EXPECT_TRUE(host.stack.send_echo_request(IpAddress(192, 0, 2, 1), 1, 1, {}));
    });
    host.driver.after(500ms, [&] { host.driver.stop(); });
    const Duration before = processor_time();
    host.driver.run();
    EXPECT_LT(processor_time() - before, 100ms);
    EXPECT_EQ(host.device.counters().write_link_down, 1U);
  });
}

TEST(DriverLink, ADeletedDeviceEndsTheLoopWithOneLine) {
  in_network_namespace([] {
    Host host(true);
    std::thread thread([] { shell("ip link del tun0"); });
    try {
      host.driver.run();
      ADD_FAILURE() << "returned";
    } catch (const DeviceError& error) {
      EXPECT_STREQ(error.what(), "tun0: the device was deleted");
    }
    thread.join();
  });
}

}  // namespace
}  // namespace runnel::tun
