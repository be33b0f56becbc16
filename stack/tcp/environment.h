// What a connection may reach: the stack around it, as a few narrow interfaces.
#pragma once

#include <cstddef>
#include <cstdint>

#include "runnel/counters.h"
#include "runnel/event.h"
#include "runnel/trace.h"
#include "stack/buffer/slab.h"
#include "stack/tcp/segment.h"

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

// Takes segments that belong to no connection, or to one that is about to be gone: RSTs.
class SegmentSink {
 public:
  SegmentSink() = default;
  SegmentSink(const SegmentSink&) = delete;
  SegmentSink& operator=(const SegmentSink&) = delete;
  virtual ~SegmentSink() = default;
  virtual void send(const FourTuple& tuple, const wire::TcpHeader& header) = 0;
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
};

}  // namespace runnel::tcp
