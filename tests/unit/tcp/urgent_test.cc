// The marks of urgent data, both ways.
#include "stack/tcp/urgent.h"

#include <gtest/gtest.h>

namespace runnel::tcp {
namespace {

wire::TcpHeader at(std::uint32_t seq) {
  wire::TcpHeader header;
  header.seq = SeqNum{seq};
  return header;
}

TEST(UrgentSender, MarksWhatBeginsBeforeTheMark) {
  UrgentSender urgent(UrgentPointer::Rfc9293);
  wire::TcpHeader header = at(5);
  urgent.announce(header);
  EXPECT_FALSE(header.flags.urg);
  urgent.set_mark(SeqNum{10});
  urgent.announce(header);
  EXPECT_TRUE(header.flags.urg);
  EXPECT_EQ(header.urgent_pointer, 5);
  header = at(10);
  urgent.announce(header);
  EXPECT_FALSE(header.flags.urg);
  urgent.acknowledged(SeqNum{9});
  EXPECT_TRUE(urgent.is_urgent(SeqNum{9}));
  urgent.acknowledged(SeqNum{10});
  EXPECT_FALSE(urgent.is_urgent(SeqNum{9}));
}

TEST(UrgentSender, WorksAcrossTheWrap) {
  UrgentSender urgent(UrgentPointer::Rfc1011);
  urgent.set_mark(SeqNum{3});
  wire::TcpHeader header = at(0xfffffffe);
  urgent.announce(header);
  EXPECT_TRUE(header.flags.urg);
  EXPECT_EQ(header.urgent_pointer, 4);
}

TEST(UrgentReceiver, AMarkIsNewsOnce) {
  UrgentReceiver urgent(true, UrgentPointer::Rfc9293);
  EXPECT_FALSE(urgent.mark_arrives(10, 10, 20)) << "read already";
  EXPECT_TRUE(urgent.mark_arrives(30, 10, 20));
  EXPECT_FALSE(urgent.mark_arrives(30, 10, 20));
  EXPECT_FALSE(urgent.mark_arrives(25, 10, 20));
  EXPECT_TRUE(urgent.mark_arrives(31, 10, 20));
  EXPECT_EQ(urgent.octets_from(10), 21U);
  EXPECT_EQ(urgent.octets_from(31), 0U);
  EXPECT_FALSE(urgent.gap());
}

TEST(UrgentReceiver, OutOfLineTheOctetBeforeTheMarkIsKeptApart) {
  UrgentReceiver urgent(false, UrgentPointer::Rfc9293);
  EXPECT_TRUE(urgent.mark_arrives(30, 10, 20));
  EXPECT_EQ(urgent.gap(), 29U);
  urgent.text_arrives(20, as_bytes("012345678"));
  EXPECT_FALSE(urgent.take_octet());
  urgent.text_arrives(25, as_bytes("5678!abc"));
  EXPECT_EQ(urgent.take_octet(), '!');
  EXPECT_FALSE(urgent.take_octet());
  EXPECT_EQ(urgent.gap(), 29U) << "until the stream was read up to there";
  urgent.skipped();
  EXPECT_FALSE(urgent.gap());
}

TEST(UrgentReceiver, AnOctetThatIsHereAlreadyStaysInTheStream) {
  UrgentReceiver urgent(false, UrgentPointer::Rfc9293);
  EXPECT_TRUE(urgent.mark_arrives(20, 10, 20));
  EXPECT_FALSE(urgent.gap());
}

}  // namespace
}  // namespace runnel::tcp
