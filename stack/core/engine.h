// The inside of a Stack: every table, and the ways between them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "runnel/stack.h"
#include "stack/base/intrusive_list.h"
#include "stack/base/memory_budget.h"
#include "stack/base/pool.h"
#include "stack/base/rate_limiter.h"
#include "stack/base/slot_map.h"
#include "stack/buffer/slab.h"
#include "stack/core/compact_records.h"
#include "stack/core/demux.h"
#include "stack/core/destination_cache.h"
#include "stack/core/memory_pressure.h"
#include "stack/core/port_allocator.h"
#include "stack/core/records.h"
#include "stack/ip/address_set.h"
#include "stack/ip/icmp.h"
#include "stack/ip/identification.h"
#include "stack/ip/ip_output.h"
#include "stack/ip/reassembly.h"
#include "stack/tcp/environment.h"
#include "stack/tcp/fast_open.h"
#include "stack/tcp/isn.h"
#include "stack/tcp/syn_cookie.h"
#include "stack/timer/timing_wheel.h"

namespace runnel::core {

// Theory of operation. Each public call of <runnel/stack.h> is a function here of the same name:
//
//    receive()        ip_input.cc    validation, reassembly, ICMP; TCP goes on to tcp_input.cc,
//                                    which finds the connection, record or listener;
//                                    batch_input.cc does so for several packets at once
//    advance()        timers.cc
//    poll_transmit()  transmit.cc    control packets first, then the connections on the ready list
//    listen() ...     calls.cc       the application's calls
//
// Whatever has touched a connection ends with settle(): it gives the connection back to the demux,
// the timer wheel and the ready list according to its state.
//
// Connections at rest hibernate when many are awake: see hibernation.cc.
//
// INVARIANT: a connection is on the ready list from the moment it may have something to send until
// its poll_transmit() has answered no.
class Engine final : public tcp::EventSink, public tcp::SegmentSink {
 public:
  Engine(const Config& config, Random& random, TraceSink* trace);
  ~Engine() override;

  Result<void> add_address(const IpPrefix& prefix) { return addresses_.add(prefix); }

  // --- The link's side -------------------------------------------------------------------------
  [[nodiscard]] RxBuffer acquire_rx_buffer();
  void receive(RxBuffer&& packet, Instant now);
  void receive(std::span<RxBuffer> batch, Instant now);
  void receive(Bytes packet, Instant now, const PacketMeta& meta);
  [[nodiscard]] bool poll_transmit(TxFrame& frame, Instant now);
  [[nodiscard]] std::optional<RxBuffer> poll_stray();
  void count_drop(DropReason reason) noexcept { counters_.drop(reason); }
  void advance(Instant now);
  [[nodiscard]] Instant next_deadline() const;

  // --- The application's side ------------------------------------------------------------------
  [[nodiscard]] std::optional<Event> poll_event();
  [[nodiscard]] Result<ListenerId> listen(const Endpoint& local, const ListenOptions& options);
  [[nodiscard]] Result<ConnectionId> accept(ListenerId id);
  Result<void> close_listener(ListenerId id);
  [[nodiscard]] Result<ConnectionId> connect(const Endpoint& remote, const ConnectOptions& options);
  [[nodiscard]] Result<std::size_t> write(ConnectionId id, Bytes data);
  [[nodiscard]] Result<std::size_t> write(ConnectionId id, Buffer& data);
  [[nodiscard]] Result<Buffer> take(ConnectionId id, std::size_t most);
  [[nodiscard]] Result<std::size_t> forward(ConnectionId from, ConnectionId to, std::size_t most);
  [[nodiscard]] Result<std::size_t> read(ConnectionId id, MutableBytes out);
  Result<void> consume(ConnectionId id, std::size_t octets);
  [[nodiscard]] Result<std::size_t> write_urgent(ConnectionId id, Bytes data);
  [[nodiscard]] Result<std::uint8_t> read_urgent(ConnectionId id);
  Result<void> shutdown_write(ConnectionId id);
  Result<void> close(ConnectionId id);
  Result<void> abort(ConnectionId id);
  Result<void> set_inactivity_timeout(ConnectionId id, Duration inactivity);
  Result<void> set_nagle(ConnectionId id, bool enabled);
  Result<void> set_keepalive(ConnectionId id, bool enabled);
  Result<void> set_user_timeout(ConnectionId id, Duration timeout);
  Result<void> set_linger(ConnectionId id, std::optional<Duration> linger);
  Result<void> set_congestion_control(ConnectionId id, CongestionAlgorithm algorithm);
  Result<void> set_dscp(ConnectionId id, std::uint8_t dscp);
  [[nodiscard]] const tcp::FourTuple* find_tuple(ConnectionId id) const noexcept;
  [[nodiscard]] const Listener* find(ListenerId id) const noexcept;
  [[nodiscard]] Result<Bytes> peek(ConnectionId id);
  [[nodiscard]] std::size_t writable_octets(ConnectionId id);
  [[nodiscard]] std::size_t readable_octets(ConnectionId id);
  [[nodiscard]] Result<TcpInfo> info(ConnectionId id);
  [[nodiscard]] MaximumSizes maximum_sizes(const IpAddress& remote);
  Result<void> send_echo_request(const IpAddress& destination, std::uint16_t identifier,
                                 std::uint16_t sequence, Bytes payload,
                                 const EchoRequestOptions& options);
  [[nodiscard]] std::optional<EchoReply> poll_echo_reply();

  // --- Looking inside --------------------------------------------------------------------------
  [[nodiscard]] const Counters& counters() const noexcept { return counters_; }
  [[nodiscard]] const Config& config() const noexcept { return config_; }
  [[nodiscard]] Instant now() const noexcept { return now_; }
  [[nodiscard]] std::size_t memory_octets() const noexcept { return budget_.used_octets(); }
  [[nodiscard]] std::size_t connection_count() const noexcept { return connections_.size(); }
  [[nodiscard]] std::size_t awake_count() const noexcept { return awake_.size(); }
  [[nodiscard]] std::size_t syn_received_count() const noexcept { return half_open_.size(); }
  [[nodiscard]] std::size_t time_wait_count() const noexcept { return time_wait_.size(); }
  [[nodiscard]] std::size_t timer_count() const noexcept { return wheel_.armed_count(); }

  // --- From the connections --------------------------------------------------------------------
  void push(const Event& event) override;
  void send(const tcp::FourTuple& tuple, const wire::TcpHeader& header,
            const tcp::IpFields& fields) override;

 private:
  using Kind = DemuxHandle::Kind;

  // A packet on its way up: the IP packet, who vouches for it, and the block that it lies in.
  struct Arrival {
    Arrival(const wire::Ipv4View& ip_packet, const PacketMeta& packet_meta,
            ip::DestinationClass destination_class, buffer::SlabRef packet_block = {}) noexcept
        : packet(ip_packet),
          meta(packet_meta),
          block(std::move(packet_block)),
          destination(destination_class) {}

    wire::Ipv4View packet;
    PacketMeta meta;
    buffer::SlabRef block;
    ip::DestinationClass destination;
    // Of a TCP segment's endpoints, where that is known already.
    std::optional<std::uint64_t> demux_hash;
  };

  // --- ip_input.cc -----------------------------------------------------------------------------
  // Counts a packet from the link and checks its IP header: what can be done before its turn comes,
  // and leaves it its block. Nothing if the packet is to be dropped.
  [[nodiscard]] std::optional<Arrival> check_packet(const RxBuffer& packet);
  // Its turn has come. Takes the block, also of what is dropped.
  void deliver(std::optional<Arrival>& checked, RxBuffer&& packet);
  void deliver(const Arrival& arrival);
  void deliver_fragment(const Arrival& arrival);
  void icmp_arrives(const Arrival& arrival);
  void echo_request_arrives(const Arrival& arrival, const wire::Icmpv4View& request);
  void echo_reply_arrives(const Arrival& arrival, const wire::Icmpv4View& reply);
  void icmp_error_arrives(const Arrival& arrival, const wire::Icmpv4View& message);
  void tcp_error_arrives(const Arrival& arrival, const ip::IcmpError& error);
  void report_error(const wire::Ipv4View& offender, wire::IcmpType type, std::uint8_t code);

  // --- strays.cc -------------------------------------------------------------------------------
  // Keeps a packet of no connection here for the other stacks of these addresses. False when all of
  // them were asked, so that it has to be refused.
  [[nodiscard]] bool keep_stray(const Arrival& arrival);

  // --- batch_input.cc --------------------------------------------------------------------------
  [[nodiscard]] std::optional<std::uint64_t> demux_hash_of(const wire::Ipv4View& packet) const;
  void prefetch(DemuxHandle handle) const noexcept;
  static void prefetch(const ConnectionPlace& place) noexcept;
  void receive_window(std::span<RxBuffer> packets);

  // --- tcp_input.cc ----------------------------------------------------------------------------
  void tcp_arrives(const Arrival& arrival);
  void segment_arrives_for_connection(std::uint32_t index, tcp::Segment& seg);
  void segment_arrives_half_open(std::uint32_t index, tcp::Segment& seg);
  void segment_arrives_time_wait(std::uint32_t index, tcp::Segment& seg);
  void segment_arrives_unknown(const Arrival& arrival, const tcp::FourTuple& tuple,
                               tcp::Segment& seg);
  void reopen_time_wait(std::uint32_t index, const tcp::Segment& syn);
  void answer_with_reset(const tcp::FourTuple& tuple, const tcp::Segment& seg);
  // A new connection of the listener's that waits for accept(), still to be opened.
  [[nodiscard]] HostedConnection& create_accepted(const tcp::FourTuple& tuple, ListenerId id,
                                                  DemuxHandle record = {});

  // --- fast_open.cc ----------------------------------------------------------------------------
  // What a listener does about the Fast Open option of a SYN.
  struct FastOpenAnswer {
    bool is_accepted = false;  // open the connection at once
    std::optional<wire::TcpFastOpenCookie> reply;
  };
  [[nodiscard]] FastOpenAnswer judge_fast_open(const tcp::FourTuple& tuple, const tcp::Segment& syn,
                                               Listener& owner);
  // The reply where Fast Open itself is out of the question.
  [[nodiscard]] std::optional<wire::TcpFastOpenCookie> offer_fast_open(const tcp::FourTuple& tuple,
                                                                       const tcp::Segment& syn,
                                                                       const Listener& owner) const;
  void open_fast(const tcp::FourTuple& tuple, const tcp::Segment& syn, ListenerId id,
                 const FastOpenAnswer& answer);
  // A Fast Open's handshake is over, one way or the other.
  void settle_fast_open(HostedConnection& connection);

  // --- passive_open.cc -------------------------------------------------------------------------
  void syn_arrives(const tcp::FourTuple& tuple, const tcp::Segment& syn, ListenerId id);
  // The window of our SYN,ACK, in octets.
  [[nodiscard]] std::uint16_t first_window(const tcp::SynReceivedRecord& record) noexcept;
  // What is kept of a SYN, with the options that are agreed upon.
  [[nodiscard]] tcp::SynReceivedRecord record_of(const tcp::FourTuple& tuple,
                                                 const tcp::Segment& syn, ListenerId id) const;
  // Returns its index.
  std::uint32_t create_half_open(const tcp::SynReceivedRecord& record,
                                 const std::optional<wire::TcpFastOpenCookie>& fast_open_reply);
  void answer_with_cookie(const tcp::FourTuple& tuple, const tcp::Segment& syn, ListenerId id);
  void cookie_arrives(const Arrival& arrival, const tcp::FourTuple& tuple, tcp::Segment& ack,
                      ListenerId id);
  // `record` is what is kept at `index`.
  void establish(std::uint32_t index, const tcp::SynReceivedRecord& record, tcp::Segment& seg);
  // Whether the accept queue and the connection table have room for one more.
  [[nodiscard]] bool may_establish(const Listener& owner);
  // The handshake is over: a connection takes over and processes `seg`.
  void open_passive(HostedConnection& connection, const tcp::SynReceivedRecord& record,
                    tcp::Segment& seg);
  // Whether one more half-open connection may be kept; the oldest may have to go for it.
  [[nodiscard]] bool make_room_for_half_open(Listener& owner);
  void shed_oldest_half_open(Listener& owner);
  // Arms or cancels the listener's timer, whenever its half-open connections have changed.
  void watch_pressure(Listener& owner);
  [[nodiscard]] bool expects_cookies(const Listener& owner) const noexcept;

  // --- memory_pressure.cc ------------------------------------------------------------------------
  [[nodiscard]] bool has_room_for_writers() const noexcept;
  // `id` could not write for lack of memory.
  void wait_for_memory(ConnectionId id);
  void wake_memory_waiters();
  [[nodiscard]] bool has_memory_waiters();
  void relieve_memory_pressure();

  // --- timers.cc -------------------------------------------------------------------------------
  void connection_timer(std::uint32_t index);
  void half_open_timer(std::uint32_t index);
  void time_wait_timer(std::uint32_t index);
  // Has what the end of a TIME-WAIT needs fetched from memory; returns its hash in the demux.
  [[nodiscard]] std::uint64_t fetch_for_end(std::uint32_t index) const noexcept;
  void pressure_timer(std::uint32_t index);

  // --- transmit.cc -----------------------------------------------------------------------------
  [[nodiscard]] bool transmit_queued(TxFrame& frame);
  [[nodiscard]] bool transmit_ready(TxFrame& frame);
  void return_to_ready(HostedConnection& connection, std::size_t octets) noexcept;
  void finish_frame(TxFrame& frame, const tcp::Connection& connection);
  // Queues the IP packet, in fragments if need be, that carries `payload`. Errors: invalid_argument
  // (too long for the link, and must not be fragmented), would_block (too many fragmented ones).
  Result<void> send_ip(const wire::Ipv4Header& header, Bytes payload);
  void enqueue(buffer::Slice packet);
  void loop_back(const TxFrame& frame);
  void deliver_looped_back();

  // --- lifecycle.cc ----------------------------------------------------------------------------
  // Takes the place of `record`, if there is one, in the demux.
  [[nodiscard]] HostedConnection* create_connection(const tcp::FourTuple& tuple,
                                                    tcp::SharedConfig config,
                                                    DemuxHandle record = {});
  void erase_connection(HostedConnection& hosted);
  // Puts a connection where its state says it belongs. May destroy it.
  void settle(HostedConnection& hosted);
  void leave_demux(HostedConnection& hosted);
  void begin_time_wait(HostedConnection& hosted);
  void add_time_wait(const tcp::TimeWaitRecord& record, Instant until);
  // Makes the record, without a place in the demux, and returns its index; nothing, which is
  // counted, when there are too many of them.
  [[nodiscard]] std::optional<std::uint32_t> keep_time_wait(const tcp::TimeWaitRecord& record,
                                                            Instant until);
  // At the end of the queue of its duration, or of one of its own.
  void enqueue_time_wait(std::uint32_t index, Duration duration);
  void dequeue_time_wait(std::uint32_t index);
  [[nodiscard]] std::uint32_t shared_queue(Duration duration);
  // Deletes a record that moves on to `to`; SYN-RECEIVED itself when a connection has taken over.
  void forget_half_open(std::uint32_t index, TcpState to);
  void end_time_wait(std::uint32_t index, TcpState to);
  void trace_move(TcpState from, TcpState to) const;

  // --- compact_records.cc ----------------------------------------------------------------------
  [[nodiscard]] tcp::SynReceivedRecord expand(const HalfOpen& half_open) const noexcept;
  [[nodiscard]] tcp::TimeWaitRecord expand(const Waiting& waiting) const noexcept;
  [[nodiscard]] tcp::FourTuple expand(const CompactTuple& compact) const noexcept;
  // Whether the handle is that of `tuple`.
  [[nodiscard]] bool is_at(DemuxHandle handle, const tcp::FourTuple& tuple) const noexcept;

  // --- hibernation.cc --------------------------------------------------------------------------
  // The connection at `index`, woken if it hibernates. REQUIRES: no reference to another one is
  // held that nothing else keeps awake.
  [[nodiscard]] HostedConnection& awake(std::uint32_t index);
  // The same; null, which is counted, when there is no memory for one more that is awake.
  [[nodiscard]] HostedConnection* try_awake(std::uint32_t index);
  HostedConnection& host(std::uint32_t index);
  // REQUIRES: it hibernates.
  HostedConnection& wake(std::uint32_t index);
  // Wakes all of these connections that hibernate. None of them has to go for another one.
  void wake_together(std::span<const DemuxHandle> handles);
  // False when there is no memory for the record.
  [[nodiscard]] bool hibernate(HostedConnection& hosted);
  [[nodiscard]] bool may_hibernate(const HostedConnection& hosted) const noexcept;
  // Returns `look(connection)`, `missing` for a stale handle. One that hibernates goes on doing so.
  template <typename Answer, typename Look>
  [[nodiscard]] Answer inspect(ConnectionId id, Answer missing, Look&& look);
  // Has connections hibernate until no more than `most` are awake, or `looks` were looked at.
  void limit_awake(std::size_t most, std::size_t looks);
  void look_at(base::IntrusiveList& list);
  void make_room_awake(std::size_t count);

  // --- Looking up ------------------------------------------------------------------------------
  // The connection, awake; null for a stale handle.
  [[nodiscard]] HostedConnection* hosted(ConnectionId id) {
    return connections_.find(id.index, id.generation) != nullptr ? &awake(id.index) : nullptr;
  }
  // The same for a call of the application. Errors: invalid_handle, no_buffer_space (there is no
  // memory to wake it).
  [[nodiscard]] Result<HostedConnection*> called(ConnectionId id);
  // As called(), but for connections that were not accepted yet.
  [[nodiscard]] Result<HostedConnection*> usable(ConnectionId id);
  [[nodiscard]] Listener* listener(ListenerId id) noexcept {
    return listeners_.find(id.index, id.generation);
  }
  [[nodiscard]] DemuxHandle look_up(const tcp::FourTuple& tuple) const noexcept {
    return look_up(tuple, demux_.hash(tuple));
  }
  [[nodiscard]] DemuxHandle look_up(const tcp::FourTuple& tuple, std::uint64_t hash) const noexcept;
  // The demux's hash of a four-tuple. Opening and closing ask several times for that of the same
  // one, which moves from record to record: it is computed once.
  [[nodiscard]] std::uint64_t hash_of(const tcp::FourTuple& tuple) noexcept {
    if (last_hashed_.tuple != tuple) last_hashed_ = {tuple, demux_.hash(tuple)};
    return last_hashed_.hash;
  }
  [[nodiscard]] std::uint64_t hash_of(const HostedConnection& connection) noexcept;
  [[nodiscard]] ListenerId listener_for(const Endpoint& local) const noexcept;
  [[nodiscard]] bool is_local(const IpAddress& address) const noexcept {
    return addresses_.contains(address);
  }
  // Calls `call(connection)` on behalf of the application, then settles.
  template <typename Call>
  auto on_connection(ConnectionId id, Call&& call)
      -> decltype(call(std::declval<tcp::Connection&>()));

  void set_now(Instant now) noexcept { now_ = std::max(now_, now); }

  Config config_;
  tcp::SharedConfig default_tcp_;
  TraceSink* trace_;
  Instant now_{};

  base::MemoryBudget budget_;
  buffer::SlabPool pool_;
  Counters counters_;
  tcp::Environment environment_;

  ip::AddressSet addresses_;
  ip::Reassembler reassembler_;
  ip::IdentificationSource identification_;
  base::RateLimiter icmp_errors_;
  base::RateLimiter resets_;
  tcp::SecretGenerator secrets_;
  PortAllocator ports_;
  Demux demux_;
  struct {
    tcp::FourTuple tuple;
    std::uint64_t hash;
  } last_hashed_;  // see hash_of()
  tcp::SynCookieGenerator cookies_;
  timer::TimingWheel wheel_;

  base::SlotMap<ConnectionPlace> connections_;
  base::Pool<HostedConnection> awake_;
  base::Pool<HalfOpen> half_open_;
  std::unordered_map<std::uint32_t, SuspendedTimeWait> suspended_;  // by the index of the former
  base::Pool<Waiting> time_wait_;
  base::Pool<TimeWaitQueue> time_wait_queues_;
  std::vector<std::uint32_t> shared_queues_;  // those among them, one for each duration
  base::SlotMap<Listener> listeners_;
  // By port first: that tells most of them apart. The unspecified address stands for all.
  struct PortFirst {
    [[nodiscard]] bool operator()(const Endpoint& a, const Endpoint& b) const noexcept {
      return a.port != b.port ? a.port < b.port : a.address < b.address;
    }
  };
  std::map<Endpoint, ListenerId, PortFirst> listening_;

  base::IntrusiveList ready_;
  std::size_t turn_octets_ = 0;    // what the first of them has sent in its turn
  base::IntrusiveList visitors_;   // of AwakeNode: which limit_awake() looks at next
  base::IntrusiveList residents_;  // ... and those that are used again and again
  std::size_t visitor_count_ = 0;
  std::deque<buffer::Slice> queued_;       // whole IP packets that wait for the link
  TxFrame control_frame_;                  // what such a packet is composed in
  std::deque<buffer::Slice> looped_back_;  // ... and for this host itself
  std::deque<Arrival> strays_;             // ... and for other stacks
  buffer::Slice borrowed_;                 // what the last frame's payload lies in
  std::deque<Event> events_;
  std::deque<EchoReply> echo_replies_;
  std::vector<ConnectionId> memory_waiters_;
  Instant next_relief_{};  // see relieve_memory_pressure()
  DestinationCache destinations_;
  tcp::FastOpenCookies fast_open_cookies_;
};

}  // namespace runnel::core
