#include "runnel/config.h"

#include <gtest/gtest.h>

#include "runnel/time.h"

namespace runnel {
namespace {

using namespace std::chrono_literals;

// Each choice of the RFCs' own, and the default that departs from it.
TEST(Config, TheRfcProfileTakesBackEveryDeparture) {
  const TcpConfig rfc = rfc_profile();
  const TcpConfig ours;

  EXPECT_EQ(rfc.rto_minimum, 1s) << "RFC 6298 section 2.4";
  EXPECT_EQ(ours.rto_minimum, 200ms);

  EXPECT_EQ(rfc.time_wait, 4min) << "RFC 9293 section 3.6.1: twice an MSL of 2 minutes";
  EXPECT_EQ(ours.time_wait, 60s);

  EXPECT_EQ(rfc.fin_wait_2, kForever) << "RFC 9293 section 3.6";
  EXPECT_EQ(ours.fin_wait_2, 60s);

  EXPECT_EQ(rfc.syn_ack_retransmissions, 7) << "RFC 9293 section 3.8.3: three minutes";
  EXPECT_EQ(ours.syn_ack_retransmissions, 5);

  EXPECT_FALSE(rfc.accept_missing_timestamps) << "RFC 7323 section 3.2";
  EXPECT_TRUE(ours.accept_missing_timestamps);

  EXPECT_FALSE(rfc.window_by_new_ack) << "RFC 9293 section 3.10.7.4";
  EXPECT_TRUE(ours.window_by_new_ack);

  EXPECT_FALSE(rfc.slow_start_counts_all_octets) << "RFC 5681 section 3.1";
  EXPECT_TRUE(ours.slow_start_counts_all_octets);

  EXPECT_LE(rfc.minimum_mss_octets, 28) << "RFC 9293 section 3.7.1: what an MTU of 68 leaves";
  EXPECT_EQ(ours.minimum_mss_octets, 88);

  EXPECT_EQ(rfc.path_mtu_floor_octets, 68) << "RFC 1191 section 3";
  EXPECT_EQ(ours.path_mtu_floor_octets, 552);
}

// What both have within the RFCs' limits.
TEST(Config, EverythingElseKeepsToTheRfcs) {
  for (const TcpConfig& config : {TcpConfig{}, rfc_profile()}) {
    EXPECT_LE(config.delayed_ack, 500ms) << "RFC 9293 section 3.8.6.3";
    EXPECT_GE(config.sws_override, 100ms) << "RFC 9293 section 3.8.6.2.1";
    EXPECT_LE(config.sws_override, 1s);
    EXPECT_EQ(config.rto_initial, 1s) << "RFC 6298 section 2.1";
    EXPECT_GE(config.rto_maximum, 60s) << "RFC 6298 section 2.5";
    EXPECT_GE(config.r1_retransmissions, 3) << "RFC 9293 section 3.8.3";
    EXPECT_GE(config.r2, 100s);
    EXPECT_GE(config.r2_syn, 3min);
    EXPECT_FALSE(config.keepalive) << "RFC 9293 section 3.8.4";
    EXPECT_GE(config.keepalive_idle, 2h);
    EXPECT_GE(config.user_timeout_lower_limit, 100s) << "RFC 5482 section 3.1";
    EXPECT_EQ(config.initial_window_segments, 10) << "RFC 6928 section 2";
    EXPECT_EQ(config.mtu_probe_base_octets, 1200) << "RFC 8899 section 5.1.2";
    EXPECT_GE(config.mtu_probe_timeout, 15s) << "RFC 8899 section 5.1.1";
    EXPECT_EQ(config.mtu_raise_interval, 10min);
    EXPECT_FALSE(config.fast_open) << "RFC 7413 section 2";
  }
}

}  // namespace
}  // namespace runnel
