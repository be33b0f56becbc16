// LISTEN and a listener's SYN-RECEIVED: RFC 9293 sections 3.10.7.2 and 3.10.7.4.
#include "stack/tcp/listener.h"

#include <chrono>

#include <gtest/gtest.h>

namespace runnel::tcp {
namespace {

using namespace std::chrono_literals;
using Action = SynReceivedAction;

constexpr FourTuple kTuple{{IpAddress{192, 0, 2, 2}, 80}, {IpAddress{192, 0, 2, 1}, 50000}};
constexpr std::uint32_t kIss = 7000;
constexpr std::uint32_t kIrs = 1000;
constexpr std::uint32_t kWindow = 4000;

TcpConfig small_buffer() {
  TcpConfig config;
  config.receive_buffer_octets = kWindow;
  return config;
}

Segment segment_with(wire::TcpFlags flags, std::uint32_t seq, std::uint32_t ack = 0,
                     std::string_view text = {}) {
  Segment seg;
  seg.seq = SeqNum{seq};
  seg.ack = SeqNum{ack};
  seg.flags = flags;
  seg.window = 2000;
  seg.text = as_bytes(text);
  return seg;
}

// --- LISTEN --------------------------------------------------------------------------------------

TEST(Listen, ResetsAreDroppedWhateverElseIsSet) {
  Counters counters;
  for (const wire::TcpFlags flags :
       {wire::TcpFlags{.rst = true}, {.rst = true, .ack = true}, {.syn = true, .rst = true}}) {
    EXPECT_EQ(segment_arrives_listen(segment_with(flags, kIrs), false, counters),
              ListenAction::Drop);
  }
  EXPECT_EQ(counters.dropped(DropReason::TcpResetInListen), 3U);
}

TEST(Listen, AcknowledgmentsAreAnsweredWithAReset) {
  Counters counters;
  for (const wire::TcpFlags flags :
       {wire::TcpFlags{.ack = true}, {.syn = true, .ack = true}, {.fin = true, .ack = true}}) {
    EXPECT_EQ(segment_arrives_listen(segment_with(flags, kIrs), false, counters),
              ListenAction::Reset);
  }
}

TEST(Listen, SynsAreAnsweredWithTextAndFinToo) {
  Counters counters;
  EXPECT_EQ(segment_arrives_listen(segment_with({.syn = true}, kIrs), false, counters),
            ListenAction::Answer);
  EXPECT_EQ(segment_arrives_listen(segment_with({.fin = true, .syn = true}, kIrs, 0, "abc"), false,
                                   counters),
            ListenAction::Answer);
  EXPECT_EQ(counters.dropped_total(), 0U);
}

TEST(Listen, EverythingElseIsDropped) {
  Counters counters;
  for (const wire::TcpFlags flags :
       {wire::TcpFlags{}, {.fin = true}, {.psh = true}, {.fin = true, .psh = true, .urg = true}}) {
    EXPECT_EQ(segment_arrives_listen(segment_with(flags, kIrs, 0, "abc"), false, counters),
              ListenAction::Drop);
  }
  EXPECT_EQ(counters.dropped(DropReason::TcpNoSyn), 4U);
}

// --- The record ----------------------------------------------------------------------------------

constexpr Instant kNow{5s};
constexpr std::uint32_t kTimestampOffset = 1'000'000;

SynReceivedRecord record_of(const Segment& syn, const TcpConfig& config = small_buffer()) {
  auto record = SynReceivedRecord::from_syn(kTuple, syn, SeqNum{kIss}, ListenerId{3, 4}, config);
  record.agree_on_timestamps(syn, config, kTimestampOffset, kNow);
  return record;
}

TEST(SynReceivedRecord, IsSmall) {
  EXPECT_LE(sizeof(SynReceivedRecord), 96U);  // the bound of a half-open connection
}

TEST(SynReceivedRecord, KeepsWhatTheSynSaid) {
  Segment syn = segment_with({.syn = true}, kIrs);
  syn.options.maximum_segment_size = 1200;
  syn.options.window_scale = 7;
  const SynReceivedRecord record = record_of(syn);
  EXPECT_EQ(record.tuple, kTuple);
  EXPECT_EQ(record.listener, (ListenerId{3, 4}));
  EXPECT_EQ(record.iss.value(), kIss);
  EXPECT_EQ(record.irs.value(), kIrs);
  EXPECT_EQ(record.peer_window, 2000);
  EXPECT_EQ(record.peer_mss_octets, 1200);
  EXPECT_EQ(record.peer_scale, 7);
  EXPECT_EQ(record.retransmissions, 0);
}

TEST(SynReceivedRecord, AssumesTheDefaultsForWhatIsMissing) {
  const SynReceivedRecord record = record_of(segment_with({.syn = true}, kIrs));
  EXPECT_EQ(record.peer_mss_octets, 536);
  EXPECT_EQ(record.peer_scale, SynReceivedRecord::kNoScale);
  EXPECT_FALSE(record.promote().peer_scale);
}

TEST(SynReceivedRecord, ClampsTheScale) {
  Segment syn = segment_with({.syn = true}, kIrs);
  syn.options.window_scale = 200;
  EXPECT_EQ(record_of(syn).peer_scale, 14);
}

TEST(SynReceivedRecord, AgreesOnWhatTheSynOffersAndTheConfigurationHas) {
  Segment syn = segment_with({.syn = true}, kIrs);
  syn.options.window_scale = 2;
  syn.options.sack_permitted = true;
  syn.options.timestamps = {77, 0};
  TcpConfig config;
  const SynReceivedRecord record = record_of(syn, config);
  const wire::TcpTimestamps echo{kTimestampOffset + 5000, 77};
  const wire::TcpOptions agreed = record.syn_ack(config, {}, kNow).options;
  EXPECT_TRUE(agreed.sack_permitted);
  EXPECT_EQ(agreed.timestamps, echo);
  EXPECT_EQ(record.bare_ack(config, kNow).options.timestamps, echo);
  EXPECT_EQ(record.reset_at(SeqNum{kIss}, kNow).options.timestamps->echo_reply, 0U);
  EXPECT_TRUE(record.promote().is_sack_permitted);
  EXPECT_TRUE(record.promote().timestamps.is_agreed());

  config.timestamps = config.sack = config.window_scaling = false;
  const wire::TcpOptions refused = record_of(syn, config).syn_ack(config, {}, kNow).options;
  EXPECT_FALSE(refused.timestamps || refused.sack_permitted || refused.window_scale);
  EXPECT_FALSE(record_of(syn, config).promote().peer_scale);
}

TEST(SynReceivedRecord, PawsPrecedesTheSequenceCheck) {
  Segment syn = segment_with({.syn = true}, kIrs);
  syn.options.timestamps = {77, 0};
  TcpConfig config = small_buffer();
  const SynReceivedRecord record = record_of(syn, config);
  const auto arrives = [&](std::optional<wire::TcpTimestamps> timestamps, bool rst = false) {
    Segment seg = segment_with({.rst = rst, .ack = true}, kIrs + 1, kIss + 1);
    seg.options.timestamps = timestamps;
    Counters counters;
    return segment_arrives_syn_received(record, config, seg, counters, kNow);
  };
  EXPECT_EQ(arrives(wire::TcpTimestamps{76, 0}), SynReceivedAction::Acknowledge);
  EXPECT_EQ(arrives(wire::TcpTimestamps{77, 0}), SynReceivedAction::Establish);
  EXPECT_EQ(arrives(wire::TcpTimestamps{76, 0}, true), SynReceivedAction::ReturnToListen);
  EXPECT_EQ(arrives(std::nullopt), SynReceivedAction::Establish);
  config.accept_missing_timestamps = false;
  EXPECT_EQ(arrives(std::nullopt), SynReceivedAction::Drop);
}

TEST(SynReceivedRecord, ItsSynAckOffersScalingOnlyAsAnAnswer) {
  TcpConfig config;  // grows to 32 MiB
  Segment syn = segment_with({.syn = true}, kIrs);
  for (const bool offers : {false, true}) {
    if (offers) syn.options.window_scale = 0;
    const wire::TcpHeader header = record_of(syn, config).syn_ack(config, {}, kNow);
    EXPECT_EQ(header.source_port, 80);
    EXPECT_EQ(header.destination_port, 50000);
    EXPECT_EQ(header.seq.value(), kIss);
    EXPECT_EQ(header.ack.value(), kIrs + 1);
    EXPECT_EQ(header.flags, (wire::TcpFlags{.syn = true, .ack = true}));
    EXPECT_EQ(header.window, 65535) << "not scaled";
    EXPECT_EQ(header.options.maximum_segment_size, 1460);
    EXPECT_EQ(header.options.window_scale.has_value(), offers);
    EXPECT_EQ(header.options.window_scale.value_or(99), offers ? 10 : 99);
  }
}

TEST(SynReceivedRecord, TheAcknowledgmentWrapsAfterTheLastSequenceNumber) {
  const SynReceivedRecord record = record_of(segment_with({.syn = true}, 0xffffffff));
  EXPECT_EQ(record.syn_ack(small_buffer(), {}, kNow).ack.value(), 0U);
  EXPECT_EQ(record.promote().rcv_edge.value(), kWindow);
}

TEST(SynReceivedRecord, ItsBareAckIsScaledWhenBothScale) {
  TcpConfig config;
  Segment syn = segment_with({.syn = true}, kIrs);
  EXPECT_EQ(record_of(syn, config).bare_ack(config, kNow).window, 65535);
  syn.options.window_scale = 2;
  const wire::TcpHeader ack = record_of(syn, config).bare_ack(config, kNow);
  EXPECT_EQ(ack.window, 65535 >> 10) << "never more than was announced";
  EXPECT_EQ(ack.seq.value(), kIss + 1);
  EXPECT_EQ(ack.ack.value(), kIrs + 1);
  EXPECT_EQ(ack.flags, wire::TcpFlags{.ack = true});
  EXPECT_EQ(ack.options, wire::TcpOptions{});
}

TEST(SynReceivedRecord, WaitsTwiceAsLongAfterEachRetransmission) {
  SynReceivedRecord record;
  const TcpConfig config;
  for (const Duration timeout : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s}) {
    EXPECT_EQ(record.timeout(config), timeout);
    ++record.retransmissions;
  }
  record.retransmissions = 255;
  EXPECT_EQ(record.timeout(config), 60s);
}

TEST(SynReceivedRecord, BecomesAPassiveOpen) {
  Segment syn = segment_with({.syn = true}, kIrs);
  syn.options.window_scale = 3;
  syn.options.maximum_segment_size = 1000;
  SynReceivedRecord record = record_of(syn);
  record.sent_at = Instant{5s};
  const PassiveOpen open = record.promote();
  EXPECT_EQ(open.iss.value(), kIss);
  EXPECT_EQ(open.irs.value(), kIrs);
  EXPECT_EQ(open.rcv_edge.value(), kIrs + 1 + kWindow);
  EXPECT_EQ(open.peer_window, 2000);
  EXPECT_EQ(open.peer_mss_octets, 1000);
  EXPECT_EQ(open.peer_scale, 3);
  EXPECT_EQ(open.syn_ack_sent_at, Instant{5s});
}

TEST(SynReceivedRecord, ARepeatedSynAckGivesNoRoundTrip) {
  SynReceivedRecord record = record_of(segment_with({.syn = true}, kIrs));
  record.retransmissions = 1;  // Karn's rule
  EXPECT_FALSE(record.promote().syn_ack_sent_at);
}

// --- SYN-RECEIVED --------------------------------------------------------------------------------

class SynReceived : public ::testing::TestWithParam<std::uint32_t> {
 protected:
  // `seq` from IRS + 1 on, `ack` from ISS + 1 on.
  Action arrives(wire::TcpFlags flags, std::uint32_t seq, std::uint32_t ack = 0,
                 std::string_view text = {}) {
    counters = {};
    return segment_arrives_syn_received(
        record, config, segment_with(flags, GetParam() + 1 + seq, kIss + 1 + ack, text), counters,
        kNow);
  }

  TcpConfig config = small_buffer();
  SynReceivedRecord record = record_of(segment_with({.syn = true}, GetParam()));
  Counters counters;
};

constexpr std::uint32_t kBefore = UINT32_MAX;  // one before

TEST_P(SynReceived, TheAckOfOurSynEstablishes) {
  EXPECT_EQ(arrives({.ack = true}, 0), Action::Establish);
  EXPECT_EQ(arrives({.psh = true, .ack = true}, 0, 0, "abc"), Action::Establish);
  EXPECT_EQ(arrives({.fin = true, .ack = true}, 0, 0, "abc"), Action::Establish);
  EXPECT_EQ(counters.dropped_total(), 0U);
}

TEST_P(SynReceived, AnyOtherAckIsReset) {
  EXPECT_EQ(arrives({.ack = true}, 0, kBefore), Action::Reset);
  EXPECT_EQ(arrives({.ack = true}, 0, 1), Action::Reset);
  EXPECT_EQ(arrives({.ack = true}, 0, 0x80000000U), Action::Reset);
  EXPECT_EQ(arrives({.fin = true, .ack = true}, 0, 1, "abc"), Action::Reset);
  EXPECT_EQ(counters.dropped(DropReason::TcpUnacceptableAck), 1U);
}

TEST_P(SynReceived, WithoutAckAnythingElseIsDropped) {
  EXPECT_EQ(arrives({}, 0, 0, "abc"), Action::Drop);
  EXPECT_EQ(arrives({.fin = true}, 0), Action::Drop);
  EXPECT_EQ(counters.dropped(DropReason::TcpNoAck), 1U);
}

TEST_P(SynReceived, TheWindowHasTwoEdges) {
  EXPECT_EQ(arrives({.ack = true}, kBefore), Action::Acknowledge);
  EXPECT_EQ(arrives({.ack = true}, 0), Action::Establish);
  EXPECT_EQ(arrives({.ack = true}, kWindow - 1), Action::Establish);
  EXPECT_EQ(arrives({.ack = true}, kWindow), Action::Acknowledge);
  EXPECT_EQ(counters.dropped(DropReason::TcpUnacceptableSequence), 1U);
  EXPECT_EQ(arrives({.ack = true}, kBefore, 0, "a"), Action::Acknowledge);
  EXPECT_EQ(arrives({.ack = true}, kBefore, 0, "ab"), Action::Establish) << "its second is new";
  EXPECT_EQ(arrives({.ack = true}, kWindow - 1, 0, "ab"), Action::Establish);
}

TEST_P(SynReceived, TheSameSynAgainGetsTheSameAnswer) {
  EXPECT_EQ(arrives({.syn = true}, kBefore), Action::ResendSynAck);
  EXPECT_EQ(arrives({.syn = true}, kBefore, 0, "text this time"), Action::ResendSynAck);
  EXPECT_EQ(counters.dropped_total(), 0U);
}

TEST_P(SynReceived, AnyOtherSynIsChallenged) {
  EXPECT_EQ(arrives({.syn = true}, 0), Action::Acknowledge);
  EXPECT_EQ(counters.dropped(DropReason::TcpSynChallenged), 1U);
  EXPECT_EQ(arrives({.syn = true}, kWindow - 1), Action::Acknowledge);
  EXPECT_EQ(arrives({.syn = true}, kWindow), Action::Acknowledge);
  EXPECT_EQ(arrives({.syn = true}, kBefore - 1), Action::Acknowledge);
  EXPECT_EQ(arrives({.syn = true, .ack = true}, 0), Action::Acknowledge);
  EXPECT_EQ(arrives({.syn = true, .ack = true}, kBefore), Action::Acknowledge);
}

TEST_P(SynReceived, ASynBeforeTheWindowThatReachesIntoItIsChallengedToo) {
  // RFC 5961 section 4.2: irrespective of the sequence number.
  EXPECT_EQ(arrives({.syn = true, .ack = true}, kBefore - 3, 0, "abcdef"), Action::Acknowledge);
}

TEST_P(SynReceived, AResetAtRcvNxtReturnsToListen) {
  EXPECT_EQ(arrives({.rst = true}, 0), Action::ReturnToListen);
  EXPECT_EQ(arrives({.rst = true, .ack = true}, 0, 77), Action::ReturnToListen);
}

TEST_P(SynReceived, AResetElsewhereInTheWindowIsChallenged) {
  EXPECT_EQ(arrives({.rst = true}, 1), Action::Acknowledge);
  EXPECT_EQ(arrives({.rst = true}, kWindow - 1), Action::Acknowledge);
  EXPECT_EQ(counters.dropped(DropReason::TcpResetChallenged), 1U);
}

TEST_P(SynReceived, AResetOutsideTheWindowIsSilence) {
  EXPECT_EQ(arrives({.rst = true}, kBefore), Action::Drop);
  EXPECT_EQ(arrives({.rst = true}, kWindow), Action::Drop);
  EXPECT_EQ(arrives({.rst = true}, 0x80000000U), Action::Drop);
  EXPECT_EQ(arrives({.syn = true, .rst = true}, kBefore), Action::Drop);
  EXPECT_EQ(counters.dropped(DropReason::TcpResetOutOfWindow), 1U);
}

INSTANTIATE_TEST_SUITE_P(Irs, SynReceived,
                         ::testing::Values(1000U, 0xffffffffU, 0xfffffffeU, 0xffffffffU - 2000,
                                           0x7fffffffU));

}  // namespace
}  // namespace runnel::tcp
