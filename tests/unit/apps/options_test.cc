#include "apps/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <variant>
#include <vector>

namespace runnel::apps {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

Command parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "runnel");
  return parse_command_line(static_cast<int>(arguments.size()), arguments.data());
}

// The reason with which a command line is refused; empty when it is not.
std::string refusal(const std::vector<const char*>& arguments) {
  const Command command = parse(arguments);
  const auto* exit = std::get_if<ExitNow>(&command);
  if (exit == nullptr) return {};
  EXPECT_EQ(exit->code, 2);
  EXPECT_EQ(exit->output, "");
  EXPECT_THAT(exit->error, HasSubstr("runnel: "));
  return exit->error;
}

template <typename Chosen>
Chosen parsed(const std::vector<const char*>& arguments) {
  Command command = parse(arguments);
  if (const auto* exit = std::get_if<ExitNow>(&command)) ADD_FAILURE() << exit->error;
  return std::get<Chosen>(std::move(command));
}

TEST(Options, CongestionControlIsChosenByName) {
  EXPECT_EQ(parsed<ServeCommand>({"serve"}).link.congestion_control,
            TcpConfig{}.congestion_control);
  for (const CongestionAlgorithm algorithm : all_congestion_algorithms()) {
    const std::string name(name_of(algorithm));
    EXPECT_EQ(parsed<ServeCommand>({"serve", "--cc", name.c_str()}).link.congestion_control,
              algorithm);
  }
  EXPECT_THAT(refusal({"serve", "--cc", "vegas"}), HasSubstr("vegas is none of newreno"));
}

TEST(Options, PacingIsOnUnlessSwitchedOff) {
  EXPECT_TRUE(parsed<ServeCommand>({"serve"}).link.pacing);
  EXPECT_FALSE(parsed<ServeCommand>({"serve", "--no-pacing"}).link.pacing);
}

TEST(Options, EcnIsAskedForByName) {
  EXPECT_EQ(parsed<ServeCommand>({"serve"}).link.ecn, EcnMode::WhenAsked);
  EXPECT_EQ(parsed<ServeCommand>({"serve", "--ecn", "off"}).link.ecn, EcnMode::Off);
  EXPECT_EQ(parsed<ServeCommand>({"serve", "--ecn", "when-asked"}).link.ecn, EcnMode::WhenAsked);
  EXPECT_EQ(parsed<ServeCommand>({"serve", "--ecn", "classic"}).link.ecn, EcnMode::Classic);
  EXPECT_EQ(parsed<ServeCommand>({"serve", "--ecn", "accurate"}).link.ecn, EcnMode::Accurate);
  EXPECT_THAT(refusal({"serve", "--ecn", "on"}),
              HasSubstr("on is none of off, when-asked, classic, accurate"));
}

TEST(Options, ServeHasTheDefaultsOfTheManual) {
  const auto serve = parsed<ServeCommand>({"serve"});
  EXPECT_EQ(serve.link.device, "tun0");
  EXPECT_EQ(serve.link.address.to_string(), "192.0.2.2/24");
  EXPECT_EQ(serve.link.peer, IpAddress(192, 0, 2, 1));
  EXPECT_EQ(serve.link.mtu_octets, std::nullopt);
  EXPECT_TRUE(serve.link.offload);
  EXPECT_FALSE(serve.link.verbose);
  EXPECT_EQ(serve.echo_port, 7);
  EXPECT_EQ(serve.discard_port, 9);
  EXPECT_EQ(serve.chargen_port, 19);
  EXPECT_EQ(serve.http_port, 80);
  EXPECT_EQ(serve.chat_port, 4000);
  EXPECT_EQ(serve.http_root, "");
  EXPECT_FALSE(serve.link.fast_open);
}

TEST(Options, ServeTakesEveryFlag) {
  const auto serve = parsed<ServeCommand>(
      {"serve",        "--tun",  "wire7",    "--address", "10.1.0.1/16", "--peer",      "10.1.9.9",
       "--mtu",        "9000",   "--echo",   "1007",      "--discard",   "0",           "--chargen",
       "1019",         "--http", "8080",     "--chat",    "65535",       "--http-root", "/srv",
       "--no-offload", "--pcap", "out.pcap", "--trace",   "out.csv",     "-v"});
  EXPECT_EQ(serve.link.device, "wire7");
  EXPECT_EQ(serve.link.address.to_string(), "10.1.0.1/16");
  EXPECT_EQ(serve.link.peer, IpAddress(10, 1, 9, 9));
  EXPECT_EQ(serve.link.mtu_octets, 9000);
  EXPECT_FALSE(serve.link.offload);
  EXPECT_EQ(serve.link.capture_path, "out.pcap");
  EXPECT_EQ(serve.link.trace_path, "out.csv");
  EXPECT_TRUE(serve.link.verbose);
  EXPECT_EQ(serve.echo_port, 1007);
  EXPECT_EQ(serve.discard_port, 0);
  EXPECT_EQ(serve.chargen_port, 1019);
  EXPECT_EQ(serve.http_port, 8080);
  EXPECT_EQ(serve.chat_port, 65535);
  EXPECT_EQ(serve.http_root, "/srv");
}

TEST(Options, FastOpenIsForServersThatAskForIt) {
  EXPECT_TRUE(parsed<ServeCommand>({"serve", "--fast-open"}).link.fast_open);
  EXPECT_FALSE(parsed<ConnectCommand>({"connect", "192.0.2.1", "80"}).link.fast_open);
  EXPECT_NE(refusal({"connect", "192.0.2.1", "80", "--fast-open"}), "");
}

TEST(Options, EachTcpOptionIsSwitchedOffByItself) {
  for (const char* command : {"serve", "connect"}) {
    const auto link_of = [&](const std::vector<const char*>& flags) {
      std::vector<const char*> arguments{command};
      if (command == std::string("connect")) arguments = {command, "192.0.2.1", "80"};
      arguments.insert(arguments.end(), flags.begin(), flags.end());
      if (command == std::string("serve")) return parsed<ServeCommand>(arguments).link;
      return parsed<ConnectCommand>(arguments).link;
    };
    const auto expect = [](const LinkOptions& link, bool timestamps, bool sack, bool scaling) {
      EXPECT_EQ(link.timestamps, timestamps);
      EXPECT_EQ(link.sack, sack);
      EXPECT_EQ(link.window_scaling, scaling);
    };
    expect(link_of({}), true, true, true);
    expect(link_of({"--no-timestamps"}), false, true, true);
    expect(link_of({"--no-sack"}), true, false, true);
    expect(link_of({"--no-window-scaling"}), true, true, false);
  }
}

TEST(Options, AnImpairmentIsReadAndSwitchesOffloadOff) {
  EXPECT_FALSE(parsed<ServeCommand>({"serve"}).link.impairment.has_value());
  const auto serve = parsed<ServeCommand>({"serve", "--impair", "delay=5ms,loss=2%"});
  ASSERT_TRUE(serve.link.impairment.has_value());
  EXPECT_EQ(serve.link.impairment->delay, 5ms);
  EXPECT_DOUBLE_EQ(serve.link.impairment->loss, 0.02);
  EXPECT_FALSE(serve.link.offload);
  EXPECT_THAT(refusal({"serve", "--impair", "loss=2"}), HasSubstr("loss=2 is not understood"));
}

TEST(Options, QueuesAreForWhatNeedsNoCommonOrder) {
  EXPECT_EQ(parsed<ServeCommand>({"serve"}).link.queues, 1U);
  EXPECT_EQ(parsed<ServeCommand>({"serve", "--queues", "2"}).link.queues, 2U);
  for (const char* wrong : {"0", "65", "-1", "two"}) {
    EXPECT_THAT(refusal({"serve", "--queues", wrong}), HasSubstr("--queues"));
  }
  EXPECT_THAT(refusal({"serve", "--queues", "2", "--pcap", "f"}), HasSubstr("--pcap takes one"));
  EXPECT_THAT(refusal({"serve", "--queues", "2", "--trace", "f"}), HasSubstr("--trace takes one"));
  EXPECT_THAT(refusal({"serve", "--queues", "2", "--impair", "loss=1%"}),
              HasSubstr("--impair takes one"));
  EXPECT_EQ(refusal({"serve", "--queues", "1", "--pcap", "f"}), "");
}

TEST(Options, BusyPollTakesATimeOrItsOwn) {
  EXPECT_EQ(parsed<ServeCommand>({"serve"}).link.busy_poll, std::nullopt);
  EXPECT_EQ(parsed<ServeCommand>({"serve", "--busy-poll"}).link.busy_poll, 1ms);
  EXPECT_EQ(parsed<ServeCommand>({"serve", "--busy-poll", "-v"}).link.busy_poll, 1ms);
  EXPECT_EQ(parsed<ServeCommand>({"serve", "--busy-poll=200us"}).link.busy_poll, 200us);
  EXPECT_EQ(parsed<ServeCommand>({"serve", "--busy-poll", "2s"}).link.busy_poll, 2s);
  EXPECT_THAT(refusal({"serve", "--busy-poll=soon"}), HasSubstr("soon is not a time"));
}

TEST(Options, ThePeerIsTheFirstOtherHostOfTheNetwork) {
  EXPECT_EQ(parsed<ServeCommand>({"serve", "--address", "10.0.0.1/8"}).link.peer,
            IpAddress(10, 0, 0, 2));
  EXPECT_EQ(parsed<ServeCommand>({"serve", "--address", "10.0.0.9/31"}).link.peer,
            IpAddress(10, 0, 0, 8));
  EXPECT_EQ(parsed<ServeCommand>({"serve", "--address", "10.0.0.9/32"}).link.peer, std::nullopt);
}

TEST(Options, WhatIsNotIpv4CidrIsRefusedWithTheReason) {
  for (const char* bad : {"192.0.2.2", "192.0.2.2/33", "192.0.2/24", "host/24", "192.0.2.256/24",
                          "2001:db8::1/64", "192.0.2.2/", "192.0.2.2/0", "192.0.2.2/24x"}) {
    EXPECT_THAT(refusal({"serve", "--address", bad}), HasSubstr("is not IPv4 CIDR")) << bad;
  }
}

TEST(Options, AnAddressThatNoHostCanHaveIsRefused) {
  for (const char* bad : {"192.0.2.0/24", "192.0.2.255/24", "224.0.0.1/24", "127.0.0.1/8",
                          "0.0.0.0/24", "255.255.255.255/32", "240.0.0.1/8"}) {
    EXPECT_THAT(refusal({"serve", "--address", bad}), HasSubstr("not the address of a host"))
        << bad;
  }
}

TEST(Options, APeerMustBeAnotherHostOfTheSameNetwork) {
  EXPECT_THAT(refusal({"serve", "--peer", "192.0.3.1"}), HasSubstr("not in the network"));
  EXPECT_THAT(refusal({"serve", "--peer", "192.0.2.2"}), HasSubstr("--address itself"));
  EXPECT_THAT(refusal({"serve", "--peer", "192.0.2.255"}), HasSubstr("not the address of a host"));
  EXPECT_THAT(refusal({"serve", "--peer", "one"}), HasSubstr("not an IPv4 address"));
  EXPECT_EQ(refusal({"serve", "--peer", "192.0.2.254"}), "");
}

TEST(Options, PortsAreRefusedOutsideOfTheirRange) {
  EXPECT_THAT(refusal({"serve", "--http", "65536"}), HasSubstr("65536"));
  EXPECT_THAT(refusal({"serve", "--http", "-1"}), HasSubstr("-1"));
  EXPECT_NE(refusal({"serve", "--http", "web"}), "");
  EXPECT_NE(refusal({"serve", "--http", "80x"}), "");
  EXPECT_EQ(refusal({"serve", "--http", "65535"}), "");
  EXPECT_EQ(refusal({"serve", "--http", "0"}), "");
  EXPECT_NE(refusal({"connect", "192.0.2.1", "0"}), "");
  EXPECT_NE(refusal({"connect", "192.0.2.1", "65536"}), "");
}

TEST(Options, TwoServicesCannotShareAPortButBothMayBeOff) {
  EXPECT_THAT(refusal({"serve", "--echo", "80"}), HasSubstr("port 80"));
  EXPECT_EQ(refusal({"serve", "--echo", "0", "--chat", "0"}), "");
}

TEST(Options, TheMtuIsRefusedOutsideOfWhatIpv4Allows) {
  EXPECT_NE(refusal({"serve", "--mtu", "67"}), "");
  EXPECT_EQ(refusal({"serve", "--mtu", "68"}), "");
  EXPECT_EQ(refusal({"serve", "--mtu", "65535"}), "");
  EXPECT_NE(refusal({"serve", "--mtu", "65536"}), "");
}

TEST(Options, ADeviceNameThatLinuxCannotHaveIsRefused) {
  EXPECT_EQ(refusal({"serve", "--tun", "fifteen-octets-"}), "");
  EXPECT_NE(refusal({"serve", "--tun", "sixteen-octets--"}), "");
  EXPECT_NE(refusal({"serve", "--tun", ""}), "");
}

TEST(Options, NothingUnknownIsTaken) {
  EXPECT_NE(refusal({}), "");
  EXPECT_NE(refusal({"swim"}), "");
  EXPECT_NE(refusal({"serve", "--frobnicate"}), "");
  EXPECT_NE(refusal({"serve", "left over"}), "");
  EXPECT_NE(refusal({"connect", "192.0.2.1"}), "");
}

TEST(Options, HelpGoesToStandardOutputAndIsNoError) {
  for (const std::vector<const char*>& arguments :
       {std::vector<const char*>{"--help"}, std::vector<const char*>{"serve", "--help"}}) {
    const Command command = parse(arguments);
    const auto* exit = std::get_if<ExitNow>(&command);
    ASSERT_NE(exit, nullptr);
    EXPECT_EQ(exit->code, 0);
    EXPECT_EQ(exit->error, "");
    EXPECT_THAT(exit->output, HasSubstr("Usage"));
  }
  const Command serve = parse({"serve", "--help"});
  EXPECT_THAT(std::get<ExitNow>(serve).output, HasSubstr("--http-root"));
}

TEST(Options, ConnectTakesADottedQuadAndAPort) {
  const auto connect = parsed<ConnectCommand>({"connect", "192.0.2.1", "8080", "--tun", "t1"});
  EXPECT_EQ(connect.remote, (Endpoint{IpAddress(192, 0, 2, 1), 8080}));
  EXPECT_EQ(connect.link.device, "t1");
  EXPECT_THAT(refusal({"connect", "example.com", "80"}), HasSubstr("not a dotted quad"));
}

TEST(Options, PingTakesCountIntervalAndSize) {
  const auto plain = parsed<PingCommand>({"ping", "192.0.2.1"});
  EXPECT_EQ(plain.count, std::nullopt);
  EXPECT_EQ(plain.interval, 1s);
  EXPECT_EQ(plain.payload_octets, 56U);
  const auto ping =
      parsed<PingCommand>({"ping", "192.0.2.1", "-c", "3", "-i", "0.25", "-s", "65507"});
  EXPECT_EQ(ping.host, IpAddress(192, 0, 2, 1));
  EXPECT_EQ(ping.count, 3U);
  EXPECT_EQ(ping.interval, 250ms);
  EXPECT_EQ(ping.payload_octets, 65507U);
  EXPECT_NE(refusal({"ping", "192.0.2.1", "-s", "65508"}), "");
  EXPECT_NE(refusal({"ping", "192.0.2.1", "-c", "0"}), "");
  EXPECT_NE(refusal({"ping", "192.0.2.1", "-i", "0"}), "");
}

}  // namespace
}  // namespace runnel::apps
