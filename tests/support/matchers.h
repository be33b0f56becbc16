// gmock matchers with the RFC's words, over what next_sent() returns:
//
//    EXPECT_THAT(next_sent(), AllOf(IsSynAck(), HasSeq(iss()), HasAck(their(0))));
//    EXPECT_THAT(next_sent(), IsNothing());
#pragma once

#include <gmock/gmock.h>

#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/segment.h"

namespace runnel::test {

// How gtest prints what next_sent() returned.
inline void PrintTo(const std::optional<SentSegment>& segment, std::ostream* out) {
  if (segment) {
    *out << *segment;
  } else {
    *out << "nothing";
  }
}

MATCHER(IsNothing, "nothing was sent") {
  (void)result_listener;
  return !arg.has_value();
}

// A SYN without ACK, RST or FIN.
MATCHER(IsSyn, "is a SYN") {
  (void)result_listener;
  return arg && arg->flags.syn && !arg->flags.ack && !arg->flags.rst && !arg->flags.fin;
}
MATCHER(IsSynAck, "is a SYN-ACK") {
  (void)result_listener;
  return arg && arg->flags.syn && arg->flags.ack && !arg->flags.rst && !arg->flags.fin;
}
// A RST in either of its two shapes; see HasAckBit() and HasNoAckBit().
MATCHER(IsRst, "is a RST") {
  (void)result_listener;
  return arg && arg->flags.rst && !arg->flags.syn && !arg->flags.fin && arg->payload.empty();
}
// ACK and nothing else: no octet of sequence space.
MATCHER(IsPureAck, "is an ACK without data, SYN, FIN or RST") {
  (void)result_listener;
  return arg && arg->flags.ack && !arg->flags.rst && arg->length() == 0;
}
MATCHER(IsFin, "is a FIN with ACK") {
  (void)result_listener;
  return arg && arg->flags.fin && arg->flags.ack && !arg->flags.syn && !arg->flags.rst;
}
MATCHER(IsData, "carries data and an ACK") {
  (void)result_listener;
  return arg && arg->flags.ack && !arg->flags.syn && !arg->flags.rst && !arg->payload.empty();
}
MATCHER(HasAckBit, "has the ACK bit") {
  (void)result_listener;
  return arg && arg->flags.ack;
}
MATCHER(HasNoAckBit, "has no ACK bit") {
  (void)result_listener;
  return arg && !arg->flags.ack;
}
MATCHER(HasPush, "has the PSH bit") {
  (void)result_listener;
  return arg && arg->flags.psh;
}
MATCHER_P(HasSeq, value, "has SEQ " + ::testing::PrintToString(value)) {
  (void)result_listener;
  return arg && arg->seq == value;
}
MATCHER_P(HasAck, value, "acknowledges " + ::testing::PrintToString(value)) {
  (void)result_listener;
  return arg && arg->flags.ack && arg->ack == value;
}
MATCHER_P(HasWindow, value, "has window field " + ::testing::PrintToString(value)) {
  (void)result_listener;
  return arg && arg->window == value;
}
MATCHER_P(HasPayload, value, "carries " + ::testing::PrintToString(value)) {
  (void)result_listener;
  return arg && arg->payload == value;
}
MATCHER_P(HasPayloadOctets, count, "carries " + ::testing::PrintToString(count) + " octets") {
  (void)result_listener;
  return arg && arg->payload.size() == static_cast<std::size_t>(count);
}
MATCHER_P(HasMss, value, "has an MSS option of " + ::testing::PrintToString(value)) {
  (void)result_listener;
  return arg && arg->options.maximum_segment_size == static_cast<std::uint16_t>(value);
}

MATCHER(HasSackPermitted, "has the SACK-permitted option") {
  (void)result_listener;
  return arg && arg->options.sack_permitted;
}
MATCHER(HasTimestampsOption, "has the Timestamps option") {
  (void)result_listener;
  return arg && arg->options.timestamps.has_value();
}
MATCHER_P(HasTsVal, value, "has TSval " + ::testing::PrintToString(value)) {
  (void)result_listener;
  return arg && arg->options.timestamps &&
         arg->options.timestamps->value == static_cast<std::uint32_t>(value);
}
MATCHER_P(HasTsEcr, value, "has TSecr " + ::testing::PrintToString(value)) {
  (void)result_listener;
  return arg && arg->options.timestamps &&
         arg->options.timestamps->echo_reply == static_cast<std::uint32_t>(value);
}
// The blocks of the SACK option in their order, as pairs of left and right edge; none: no option.
using SackEdges = std::vector<std::pair<std::uint32_t, std::uint32_t>>;
MATCHER_P(HasSack, blocks, "has the SACK blocks " + ::testing::PrintToString(blocks)) {
  (void)result_listener;
  if (!arg) return false;
  SackEdges edges;
  for (std::size_t i = 0; i < arg->options.sack.count; ++i) {
    const wire::SackBlock& block = arg->options.sack.blocks[i];
    edges.emplace_back(block.left.value(), block.right.value());
  }
  return edges == SackEdges(blocks);
}

}  // namespace runnel::test
