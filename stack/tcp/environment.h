// What a connection may reach: the stack around it, as a few narrow interfaces.
#pragma once

#include <cstddef>
#include <cstdint>

#include "runnel/config.h"
#include "runnel/counters.h"
#include "runnel/event.h"
#include "runnel/trace.h"
#include "stack/buffer/slab.h"
#include "stack/tcp/ecn/negotiation.h"
#include "stack/tcp/rest_patterns.h"
#include "stack/tcp/segment.h"
#include "stack/tcp/window_share.h"

namespace runnel::tcp {

// Takes what a connection has to tell the application.
class EventSink {
 public:
  EventSink() = default;
  EventSink(const EventSink&) = delete;
  EventSink& operator=(const EventSink&) = delete;
  virtual ~EventSink() = default;
  virtual void push(const Event& event) = 0;
};

// The IPv4 header fields that are a connection's to choose (RFC 9293 section 3.9).
struct IpFields {
  static constexpr std::uint8_t kLargestDscp = 63;

  std::uint8_t ttl = 64;
  std::uint8_t dscp = 0;
  Ecn handshake_ecn = Ecn::NotEct;  // of SYN, SYN,ACK and RST; what has no data is Not-ECT else

  [[nodiscard]] static IpFields of(const TcpConfig& config) noexcept {
    return {config.ttl, config.dscp, handshake_codepoint(config)};
  }
  // The codepoint of a segment without data.
  [[nodiscard]] constexpr Ecn ecn_of(const wire::TcpFlags& flags) const noexcept {
    return flags.syn || flags.rst ? handshake_ecn : Ecn::NotEct;
  }
};

// No packet leaves with a TTL of 0 (RFC 1122 section 3.2.1.7).
[[nodiscard]] constexpr bool are_valid(const IpFields& fields) noexcept {
  return fields.ttl > 0 && fields.dscp <= IpFields::kLargestDscp;
}

// Takes segments that belong to no connection, or to one that is about to be gone: RSTs.
class SegmentSink {
 public:
  SegmentSink() = default;
  SegmentSink(const SegmentSink&) = delete;
  SegmentSink& operator=(const SegmentSink&) = delete;
  virtual ~SegmentSink() = default;
  virtual void send(const FourTuple& tuple, const wire::TcpHeader& header,
                    const IpFields& fields) = 0;
};

// What the link does for us, and how much it takes at once.
struct LinkLimits {
  std::uint16_t mtu_octets = 1500;
  std::uint16_t receive_mtu_octets = 1500;  // what this host takes for certain: for the MSS offered
  bool checksum_offload = false;
  bool segmentation_offload = false;
  std::size_t gso_maximum_octets = 65535;
};

// One per stack, shared by its connections; outlives them all.
struct Environment {
  buffer::SlabPool& pool;
  Counters& counters;
  EventSink& events;
  SegmentSink& segments;
  TraceSink* trace;  // may be null
  LinkLimits link;
  std::uint32_t challenge_acks_per_second;
  WindowShare window_share{};
  RestPatterns rest_patterns{};
};

}  // namespace runnel::tcp
