// Names that people and counters see: drop reasons and TCP states.
#include <set>
#include <string_view>

#include <gtest/gtest.h>

#include "runnel/drop_reason.h"
#include "runnel/tcp_state.h"

namespace runnel {
namespace {

TEST(DropReason, EveryReasonHasANameAndAMeaningOfItsOwn) {
  std::set<std::string_view> names;
  std::set<std::string_view> meanings;
  for (std::size_t i = 0; i < kDropReasonCount; ++i) {
    const DropReason reason{static_cast<std::uint8_t>(i)};
    names.insert(name_of(reason));
    meanings.insert(describe(reason));
  }
  EXPECT_EQ(names.size(), kDropReasonCount);
  EXPECT_EQ(meanings.size(), kDropReasonCount);
  EXPECT_EQ(name_of(DropReason::IpTruncated), "IpTruncated");
  EXPECT_EQ(name_of(DropReason::OutputQueueFull), "OutputQueueFull");
  EXPECT_EQ(describe(DropReason::TcpBadChecksum), "TCP checksum is wrong");
}

TEST(DropReason, ANumberThatIsNoReasonIsUnknown) {
  EXPECT_EQ(name_of(DropReason{kDropReasonCount}), "Unknown");
  EXPECT_EQ(describe(DropReason{255}), "not a drop reason");
}

TEST(TcpState, EveryStateHasTheNameThatRfc9293GivesIt) {
  EXPECT_EQ(name_of(TcpState::Closed), "CLOSED");
  EXPECT_EQ(name_of(TcpState::Listen), "LISTEN");
  EXPECT_EQ(name_of(TcpState::SynSent), "SYN-SENT");
  EXPECT_EQ(name_of(TcpState::SynReceived), "SYN-RECEIVED");
  EXPECT_EQ(name_of(TcpState::Established), "ESTABLISHED");
  EXPECT_EQ(name_of(TcpState::FinWait1), "FIN-WAIT-1");
  EXPECT_EQ(name_of(TcpState::FinWait2), "FIN-WAIT-2");
  EXPECT_EQ(name_of(TcpState::CloseWait), "CLOSE-WAIT");
  EXPECT_EQ(name_of(TcpState::Closing), "CLOSING");
  EXPECT_EQ(name_of(TcpState::LastAck), "LAST-ACK");
  EXPECT_EQ(name_of(TcpState::TimeWait), "TIME-WAIT");
  EXPECT_EQ(name_of(TcpState{kTcpStateCount}), "UNKNOWN");
}

}  // namespace
}  // namespace runnel
