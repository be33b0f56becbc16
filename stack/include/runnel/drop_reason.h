// Why a packet, or a part of one, was not used. Every drop has a reason and every reason a counter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace runnel {

// RUNNEL_DROP_REASONS(X) names every reason once: X(Enumerator, "what it means").
#define RUNNEL_DROP_REASONS(X)                                                                   \
  X(IpTruncated, "shorter than an IPv4 header, or than its own length field")                    \
  X(IpBadVersion, "version is not 4")                                                            \
  X(IpBadHeaderLength, "header length below 20 octets or beyond the packet")                     \
  X(IpBadTotalLength, "total length below the header length")                                    \
  X(IpBadChecksum, "IPv4 header checksum is wrong")                                              \
  X(IpBadSource, "source is multicast, broadcast, loopback or unspecified")                      \
  X(IpSourceRoute, "carries a source route (RFC 7126)")                                          \
  X(IpNotForUs, "destination is not an address of this stack")                                   \
  X(IpBroadcast, "broadcast or multicast destination for a protocol that takes none")            \
  X(IpUnknownProtocol, "no handler for the protocol")                                            \
  X(FragmentBadLength, "a fragment of a length that none has, or that splits a TCP header")      \
  X(FragmentOverlap, "fragments that overlap or contradict each other: the datagram is dropped") \
  X(FragmentTooLarge, "a datagram larger than the limit, EMTU_R")                                \
  X(FragmentTooMany, "a datagram in more fragments than the limit")                              \
  X(FragmentMemory, "reassembly memory is full: the oldest datagram is dropped")                 \
  X(FragmentTimeout, "a datagram was not completed in time")                                     \
  X(IcmpTruncated, "shorter than an ICMP header")                                                \
  X(IcmpBadChecksum, "ICMP checksum is wrong")                                                   \
  X(IcmpBroadcastEcho, "echo request to broadcast or multicast")                                 \
  X(IcmpUnhandled, "a type that this stack does not act on")                                     \
  X(IcmpBadQuote, "an error that quotes no segment of ours")                                     \
  X(IcmpUnknownConnection, "an error that quotes a connection that is not there")                \
  X(IcmpBadSequence, "an error whose quoted sequence number is not in flight (RFC 5927)")        \
  X(IcmpStaleMtu, "fragmentation needed for a size that nothing of ours has")                    \
  X(IcmpRateLimited, "an ICMP message of ours was withheld by the rate limit")                   \
  X(TcpTruncated, "shorter than a TCP header")                                                   \
  X(TcpBadDataOffset, "data offset below 5 words or beyond the segment")                         \
  X(TcpBadChecksum, "TCP checksum is wrong")                                                     \
  X(TcpBadOption, "an option list that lies about its lengths: the rest of it is ignored")       \
  X(TcpBadAddress, "broadcast, multicast or other invalid address (RFC 9293 section 3.9.2.3)")   \
  X(TcpNoConnection, "no connection or listener: answered with RST unless it was one")           \
  X(TcpResetRateLimited, "a RST of ours was withheld by the rate limit")                         \
  X(TcpUnacceptableSequence, "outside the receive window")                                       \
  X(TcpPaws, "an old timestamp (RFC 7323 section 5)")                                            \
  X(TcpMissingTimestamp, "no timestamps although they were agreed upon")                         \
  X(TcpBadSack, "a SACK block of octets that are not in flight")                                 \
  X(TcpUnacceptableAck, "acknowledges what was not sent or too old")                             \
  X(TcpResetOutOfWindow, "RST outside the receive window")                                       \
  X(TcpResetChallenged, "RST inside the window but not at RCV.NXT: challenge ACK")               \
  X(TcpSynChallenged, "SYN in a synchronized state: challenge ACK")                              \
  X(TcpChallengeRateLimited, "a challenge ACK of ours was withheld by the rate limit")           \
  X(TcpResetInListen, "RST for a listener")                                                      \
  X(TcpNoSyn, "neither SYN, ACK nor RST for a listener or in SYN-SENT")                          \
  X(TcpNoAck, "no ACK bit in a synchronized state")                                              \
  X(TcpBacklogFull, "SYN while the listener's backlog is full")                                  \
  X(TcpBadCookie, "an ACK for a listener that is no SYN cookie")                                 \
  X(TcpHalfOpenShed, "a half-open connection made room for another")                             \
  X(TcpAcceptQueueFull, "handshake's last ACK while the accept queue is full")                   \
  X(TcpConnectionsFull, "the stack has as many connections as it may")                           \
  X(TcpBeyondWindow, "octets right of the window that was offered")                              \
  X(TcpDuplicateData, "octets that were there already")                                          \
  X(TcpReassemblyFull, "out-of-order octets beyond the limit of ranges or memory")               \
  X(TcpDataAfterClose, "octets that arrived after the application closed")                       \
  X(TcpTimeWait, "a segment for a connection in TIME-WAIT that opens no new one")                \
  X(TcpTimeWaitFull, "TIME-WAIT was cut short because the table is full")                        \
  X(NoMemory, "the memory budget is spent, or the system has no more memory")                    \
  X(OutputQueueFull, "a packet of ours found the output queue full")                             \
  X(StrayNotTaken, "a stray (Stack::poll_stray) that no other stack had room for")

enum class DropReason : std::uint8_t {
#define RUNNEL_X(name, text) name,
  RUNNEL_DROP_REASONS(RUNNEL_X)
#undef RUNNEL_X
};

#define RUNNEL_X(name, text) +1
inline constexpr std::size_t kDropReasonCount = 0 RUNNEL_DROP_REASONS(RUNNEL_X);
#undef RUNNEL_X

// The enumerator's name, such as "TcpBadChecksum".
[[nodiscard]] std::string_view name_of(DropReason reason) noexcept;
// What the reason means, in a few words.
[[nodiscard]] std::string_view describe(DropReason reason) noexcept;

}  // namespace runnel
