// Several packets from the link at once, so that they wait for memory together.
//
// Theory of operation. Among a million connections nothing that a packet needs is in the cache: its
// bucket of the demux, what the bucket names, and what that refers to in turn. One by one every
// packet waits for all three. A batch is read five times instead, and what the next reading needs
// is fetched meanwhile:
//
//    first     check the IP header, hash the endpoints;   fetch the bucket
//    second    look into the bucket;                      fetch the connection's place, or a record
//    third     look into the place;                       fetch the connection itself
//    fourth    wake it if it is at rest
//    fifth     hand up the packet, as receive() of a single packet does
//
// The fourth is one for the sake of the cache for code, which the code that wakes connections fills
// by itself: it is fetched once for all of them.
//
// Nothing but the fifth changes anything that can be seen, and it asks the demux again (with the
// same hash): an earlier packet of the batch may have opened or closed what a later one is for.
#include <algorithm>
#include <array>
#include <cstdint>

#include "stack/core/engine.h"

namespace runnel::core {

namespace {

// How many packets are read together: enough for the processor, which can wait for a few dozen
// lines at a time, and few enough for their connections to stay in the cache until the end.
constexpr std::size_t kWindowPackets = 32;

constexpr std::size_t kCacheLineOctets = 64;

// All the lines that they are in.
void fetch(const void* begin, std::size_t octets) noexcept {
  const auto* const at = static_cast<const std::byte*>(begin);
  const std::size_t lead = reinterpret_cast<std::uintptr_t>(at) % kCacheLineOctets;
  for (std::size_t i = 0; i < lead + octets; i += kCacheLineOctets) {
    __builtin_prefetch(at - lead + i);
  }
}

}  // namespace

void Engine::receive(std::span<RxBuffer> batch, Instant now) {
  set_now(now);
  while (!batch.empty()) {
    const std::size_t count = std::min(batch.size(), kWindowPackets);
    receive_window(batch.first(count));
    batch = batch.subspan(count);
  }
}

// The memory of a packet that is dropped is given back in its turn too: whether there is enough
// left for another must not depend on how packets are batched.
void Engine::receive_window(std::span<RxBuffer> packets) {
  std::array<std::optional<Arrival>, kWindowPackets> arrivals;
  for (std::size_t i = 0; i < packets.size(); ++i) {
    std::optional<Arrival>& arrival = arrivals[i] = check_packet(packets[i]);
    if (!arrival) continue;
    arrival->demux_hash = demux_hash_of(arrival->packet);
    if (arrival->demux_hash) demux_.prefetch(*arrival->demux_hash);
  }
  std::array<DemuxHandle, kWindowPackets> handles;
  for (std::size_t i = 0; i < packets.size(); ++i) {
    if (!arrivals[i] || !arrivals[i]->demux_hash) continue;
    handles[i] = demux_.find(*arrivals[i]->demux_hash, [](DemuxHandle) { return true; });
    prefetch(handles[i]);
  }
  for (std::size_t i = 0; i < packets.size(); ++i) {
    if (handles[i].kind == Kind::Connection) prefetch(connections_.at(handles[i].index));
  }
  wake_together(std::span(handles).first(packets.size()));
  for (std::size_t i = 0; i < packets.size(); ++i) deliver(arrivals[i], std::move(packets[i]));
}

// The hash under which tcp_arrives() will look for the packet's endpoints, if it comes to that.
std::optional<std::uint64_t> Engine::demux_hash_of(const wire::Ipv4View& packet) const {
  if (packet.protocol() != wire::kProtocolTcp || packet.is_fragment()) return std::nullopt;
  const auto segment = wire::TcpView::parse(packet.payload());
  if (!segment) return std::nullopt;
  return demux_.hash({{packet.destination(), segment->destination_port()},
                      {packet.source(), segment->source_port()}});
}

void Engine::prefetch(DemuxHandle handle) const noexcept {
  switch (handle.kind) {
    case Kind::Connection:
      fetch(connections_.address_of(handle.index), ConnectionPlace::kUsualOctets);
      return;
    case Kind::SynReceived:
      fetch(half_open_.address_of(handle.index), sizeof(HalfOpen));
      return;
    case Kind::TimeWait:
      fetch(time_wait_.address_of(handle.index), sizeof(Waiting));
      return;
    case Kind::None:
      return;
  }
}

void Engine::prefetch(const ConnectionPlace& place) noexcept {
  if (place.awake != nullptr) fetch(place.awake, sizeof(HostedConnection));
}

}  // namespace runnel::core
