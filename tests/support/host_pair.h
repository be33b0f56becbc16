// Two hosts and the link between them, in memory and in virtual time.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <queue>
#include <string>
#include <vector>

#include "runnel/sockets.h"
#include "runnel/stack.h"
#include "runnel/tcp_listener.h"
#include "runnel/tcp_socket.h"
#include "tests/support/flow_invariants.h"
#include "tests/support/state_recorder.h"

namespace runnel::test {

enum class Direction : std::uint8_t { ToServer, ToClient };

// How the two hosts and their link are made. Everything random is derived from `seed`.
struct HostPairOptions {
  std::uint64_t seed = 1;

  Duration one_way_delay = std::chrono::milliseconds(1);
  std::uint16_t mtu_octets = 1500;
  // Super-packets cross unsplit and checksums are left to the link, in both directions.
  bool offload = false;

  // What the link does to packets, each with this chance out of 1,000.
  std::uint32_t loss_per_mille = 0;
  std::uint32_t duplicates_per_mille = 0;
  std::uint32_t reordering_per_mille = 0;  // delayed by up to reordering_delay more
  Duration reordering_delay = std::chrono::milliseconds(5);

  // MTU and offload are overwritten by what is said above.
  Config client;
  Config server;

  // False keeps only the last packets and the digest: for transfers of many megabytes.
  bool keep_whole_trace = true;
  // Asks libtins about every packet; slow.
  bool check_with_libtins = true;
};

// One packet as it left a host, before the link did anything to it.
struct TracedPacket {
  Instant at;
  Direction direction = Direction::ToServer;
  std::vector<std::uint8_t> octets;
};

// A host: a stack and the sockets above it.
struct Host {
  Host(const Config& config, std::uint64_t seed, const IpPrefix& prefix);
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  SeededRandom random;
  StateRecorder states;
  Stack stack;
  Sockets sockets;
  IpAddress address;
};

// A client (192.0.2.1/24) and a server (192.0.2.2/24) joined by a link.
//
// Theory of operation. Time stands still while a host works and jumps to the next instant at which
// a packet arrives or a timer is due. At every such instant each host does what tun::Driver does,
// in the order that stack.h asks for: advance, receive the batch, dispatch, poll_transmit. So a
// whole conversation of minutes runs in microseconds, and twice the same way.
//
//    client ──poll_transmit──▶ check ─▶ trace ─▶ filter ─▶ loss, delay ──receive──▶ server
//
// Every packet is checked as it leaves: header and transport checksums, the MTU, DF on TCP, and
// what FlowInvariants demands. A test that fails gets the last packets printed, a line each.
class HostPair {
 public:
  // Sees a packet before the link does; may rewrite it; false drops it.
  using Filter = std::function<bool(Direction, std::vector<std::uint8_t>&)>;

  explicit HostPair(const HostPairOptions& options = {});
  HostPair(const HostPair&) = delete;
  HostPair& operator=(const HostPair&) = delete;
  ~HostPair();

  [[nodiscard]] Host& client() noexcept { return *client_; }
  [[nodiscard]] Host& server() noexcept { return *server_; }
  [[nodiscard]] Instant now() const noexcept { return now_; }

  void set_filter(Filter filter) { filter_ = std::move(filter); }
  // Drops every packet for which `predicate` is true. The same hook as set_filter().
  void drop_if(std::function<bool(Bytes)> predicate);
  // Cuts the link: everything is dropped until it is joined again.
  void set_link_up(bool up) noexcept { link_up_ = up; }
  void set_one_way_delay(Duration delay) noexcept { options_.one_way_delay = delay; }

  // Lets both hosts work now, then goes to the next instant and lets them work there. False when
  // there is no next instant: nothing in flight and no timer armed.
  bool step();
  // Runs for `duration` of virtual time and ends exactly there.
  void run_for(Duration duration);
  // Runs until nothing is in flight and no timer is armed; false when `limit` was reached first.
  bool run_until_idle(Duration limit = std::chrono::minutes(30));
  // Runs until `condition` holds; false when `limit` was reached, or nothing is left to happen,
  // first. The condition is asked after every instant.
  bool run_until(const std::function<bool()>& condition, Duration limit = std::chrono::minutes(30));

  [[nodiscard]] const std::deque<TracedPacket>& trace() const noexcept { return trace_; }
  // A digest over time, direction and octets of every packet so far.
  [[nodiscard]] std::uint64_t trace_digest() const noexcept { return digest_; }
  [[nodiscard]] std::size_t packet_count() const noexcept { return packet_count_; }
  [[nodiscard]] std::uint64_t largest_packet_octets() const noexcept { return largest_packet_; }
  // The last `most` packets, one line each.
  [[nodiscard]] std::string describe_trace(std::size_t most = 20) const;

 private:
  struct Flight {
    Instant arrival;
    std::uint64_t order = 0;  // packets that arrive together do so in the order of sending
    Direction direction = Direction::ToServer;
    std::vector<std::uint8_t> octets;
    PacketMeta meta;
  };
  struct ArrivesLater {
    bool operator()(const Flight& a, const Flight& b) const noexcept {
      return a.arrival != b.arrival ? a.arrival > b.arrival : a.order > b.order;
    }
  };

  void work();
  void work(Host& host, Direction in, Direction out);
  [[nodiscard]] Instant next_instant() const;
  void send(const TxFrame& frame, Direction direction);
  void check(const std::vector<std::uint8_t>& octets, const PacketMeta& meta);
  void record(const std::vector<std::uint8_t>& octets, Direction direction);
  void launch(std::vector<std::uint8_t> octets, const PacketMeta& meta, Direction direction);
  [[nodiscard]] bool chance(std::uint32_t per_mille);

  HostPairOptions options_;
  std::unique_ptr<Host> client_;
  std::unique_ptr<Host> server_;
  SeededRandom link_random_;
  FlowInvariants invariants_;
  Instant now_{std::chrono::seconds(1)};
  Filter filter_;
  bool link_up_ = true;

  // One queue for each direction.
  std::priority_queue<Flight, std::vector<Flight>, ArrivesLater> to_server_;
  std::priority_queue<Flight, std::vector<Flight>, ArrivesLater> to_client_;
  std::uint64_t next_order_ = 0;

  std::deque<TracedPacket> trace_;
  std::uint64_t digest_ = 14695981039346656037U;  // FNV-1a's offset basis
  std::size_t packet_count_ = 0;
  std::uint64_t largest_packet_ = 0;
  bool had_failure_before_ = false;
};

}  // namespace runnel::test
