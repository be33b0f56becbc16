// RFC 7323 section 2: what the offer of a window scale depends on. Scaled windows are in
// rfc9293_receiving.cc.
#include <cstdint>

#include "tests/support/tcp_tester.h"

namespace runnel::test {
namespace {

class WindowScaleOffer : public TcpTester {};

TEST_F(WindowScaleOffer, R_7323_2_2_SYNUNSCALED_NeitherSynNorSynAckIsScaled) {
  peer_wscale = 7;
  connect();
  EXPECT_THAT(next_sent(), AllOf(IsSyn(), HasWindow(65535)));
  send(segment().syn().seq(peer_iss).ack(our(0)).window(1000).mss(1460).wscale(7));
  EXPECT_EQ(info().send_window_octets, 1000U) << "the peer's neither";
  rebuild(Config{});
  listen();
  send(segment().syn().seq(peer_iss).window(1000).mss(1460).wscale(7));
  EXPECT_THAT(next_sent(), AllOf(IsSynAck(), HasWindow(65535)));
  send(ack_segment(0, 0).window(1000));
  ASSERT_TRUE(accept());
  EXPECT_EQ(info().send_window_octets, 1000U << 7U);
}

TEST_F(WindowScaleOffer, R_7323_2_2_WSNEG_SwitchedOffItIsNeitherOfferedNorAgreedTo) {
  TcpConfig config;
  config.window_scaling = false;
  peer_wscale = 7;
  rebuild(config);
  connect();
  const auto syn = next_sent();
  ASSERT_TRUE(syn);
  EXPECT_FALSE(syn->options.window_scale);
  send(segment().syn().seq(peer_iss).ack(our(0)).mss(1460).wscale(7));
  EXPECT_EQ(info().send_window_scale, 0);
  rebuild(config);
  listen();
  send(segment().syn().seq(peer_iss).mss(1460).wscale(7));
  const auto syn_ack = next_sent();
  ASSERT_TRUE(syn_ack);
  EXPECT_FALSE(syn_ack->options.window_scale);
  send(ack_segment(0, 0).window(2000));
  ASSERT_TRUE(accept());
  EXPECT_EQ(info().send_window_octets, 2000U);
}

}  // namespace
}  // namespace runnel::test
