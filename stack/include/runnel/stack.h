// The stack: IP packets in, IP packets out, TCP connections in between. No I/O of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "runnel/buffer.h"
#include "runnel/bytes.h"
#include "runnel/config.h"
#include "runnel/counters.h"
#include "runnel/drop_reason.h"
#include "runnel/endpoint.h"
#include "runnel/event.h"
#include "runnel/handle.h"
#include "runnel/info.h"
#include "runnel/packet.h"
#include "runnel/random.h"
#include "runnel/result.h"
#include "runnel/time.h"
#include "runnel/trace.h"

namespace runnel {

namespace core {
class Engine;
}

// How a listener treats the connections that it accepts.
struct ListenOptions {
  // Handshakes that are under way plus connections that wait for accept().
  std::size_t backlog = 4096;
  // Instead of Config::tcp, for this listener's connections.
  std::optional<TcpConfig> tcp;
};

struct ConnectOptions {
  // Zero address or zero port: the stack chooses.
  Endpoint local;
  // Instead of Config::tcp, for this connection.
  std::optional<TcpConfig> tcp;
};

// How large a transport message to or from a host may be, its transport header included, without
// being fragmented on the way, or at all: MMS_S and MMS_R of RFC 1122 section 3.3.
struct MaximumSizes {
  std::size_t send_octets = 0;
  std::size_t receive_octets = 0;
};

// The IPv4 header fields of an echo request.
struct EchoRequestOptions {
  std::optional<std::uint8_t> ttl;  // 1 to 255; otherwise TcpConfig::ttl
  std::uint8_t dscp = 0;            // 0 to 63
  bool dont_fragment = false;
};

// One answer to an echo request, or one ICMP error that quotes it.
struct EchoReply {
  Instant received_at;
  IpAddress from;
  std::uint16_t identifier = 0;
  std::uint16_t sequence = 0;
  std::uint8_t ttl = 0;
  std::size_t payload_octets = 0;
  // Set when `from` answered with an ICMP error instead.
  std::error_code error;
};

// A TCP/IP host whose link, clock, entropy and applications are all arguments.
//
// Theory of operation. Whoever drives a stack repeats five steps, in the order that lets an
// acknowledgment ride on the application's answer (tun::Driver is this loop over a TUN device):
//
//    receive(packet, now) ...             a batch of packets from the link
//    advance(now)                         timers that are due in spite of them
//    poll_event() ... read(), write()     the application's turn (Sockets::dispatch())
//    poll_transmit(frame, now) ...        until it returns false
//    wait for the link, or for next_deadline()
//
// Single-threaded, and never re-entrant: no call runs application code, except the injected
// Random and TraceSink, and what releases memory that was handed over (Buffer). Deterministic: the
// same configuration, packets, times, calls and random numbers give the same output to the octet.
//
// Time. `now` must not go backwards. The application's calls (connect, write, close ...) take none:
// they happen at the latest time that the stack was told by the four calls that do.
//
// Handles. connect() and accept() give a ConnectionId. It stays good until the application has
// given it up with close() or abort() *and* its last event, Closed, has been sent; then every call
// with it answers Errc::invalid_handle.
class Stack {
 public:
  // `random` and `trace` must outlive the stack.
  Stack(const Config& config, Random& random, TraceSink* trace = nullptr);
  Stack(Stack&&) noexcept;
  Stack& operator=(Stack&&) noexcept;
  ~Stack();

  // Makes `prefix.address` an address of this host.
  // Errors: invalid_argument  not a unicast IPv4 address, or the network's own or broadcast address
  //         address_in_use    it is one already
  Result<void> add_address(const IpPrefix& prefix);

  // --- The link's side -------------------------------------------------------------------------

  // A block with room for any packet; empty (false) when the memory budget is spent.
  [[nodiscard]] RxBuffer acquire_rx_buffer();

  // Takes one packet from the link. Never fails: what is wrong with it is counted.
  void receive(RxBuffer&& packet, Instant now);
  // The same for several packets, in their order and with the same outcome as one by one. It is
  // faster, the more connections there are: what the later packets need is fetched from memory
  // while the stack works on the earlier ones. Afterwards every buffer of the batch is empty.
  void receive(std::span<RxBuffer> batch, Instant now);
  // The same for a packet in memory of the caller's, which is copied.
  void receive(Bytes packet, Instant now, const PacketMeta& meta = {});

  // Fills `frame` with the next packet for the link, or returns false when there is none now.
  [[nodiscard]] bool poll_transmit(TxFrame& frame, Instant now);

  // Takes a packet that belongs to none of this stack's connections and may belong to one of
  // another stack with the same addresses (Config::sibling_stacks); nothing when there is none.
  //
  // Where several stacks share a link of several queues, the link decides which packet comes to
  // which, and may change its mind in the middle of a connection. Whoever drives them polls this
  // after receive() and shows what it gets, octets and meta, to the next stack in a ring of all of
  // them. The last one refuses what nobody knows. A SYN is no stray where its port has a listener.
  [[nodiscard]] std::optional<RxBuffer> poll_stray();

  // Counts a packet that was lost outside of the stack, on its way to or from it.
  void count_drop(DropReason reason) noexcept;

  // Handles every timer that is due at `now`.
  void advance(Instant now);

  // When advance() has work next; kNever without a timer. May be early, is never late.
  [[nodiscard]] Instant next_deadline() const;

  // --- The application's side ------------------------------------------------------------------

  [[nodiscard]] std::optional<Event> poll_event();

  // Starts to accept connections to `local`; the unspecified address means every address of the
  // stack. The passive OPEN of RFC 9293 section 3.10.1.
  // Errors: invalid_argument       port 0, a TTL of 0, a DiffServ value above 63, or DCTCP outside
  // of
  //                                a controlled network (TcpConfig)
  //         address_not_available  not an address of this stack
  //         address_in_use         the endpoint has a listener
  [[nodiscard]] Result<ListenerId> listen(const Endpoint& local, const ListenOptions& options = {});

  // Takes the next established connection. Errors: would_block, invalid_handle.
  [[nodiscard]] Result<ConnectionId> accept(ListenerId listener);

  // Stops listening. Handshakes that are under way are forgotten, connections that nobody has
  // accepted are reset. Errors: invalid_handle.
  Result<void> close_listener(ListenerId listener);

  // Starts to open a connection: the active OPEN. Connected, or Error and Closed, follow.
  //
  // With TcpConfig::fast_open, and a cookie that an earlier connection has brought from this host,
  // the SYN carries what is written before the next poll_transmit(), as much as fits. Whether it
  // was taken is not the application's concern: what was not is sent again after the handshake.
  // Errors: invalid_argument       remote port 0, or a remote that is not a unicast address, or a
  //                                TTL of 0, a DiffServ value above 63, or DCTCP outside of a
  //                                controlled network (TcpConfig)
  //         address_not_available  no such local address, or no port is free
  //         already_connected      the pair of endpoints is in use
  //         no_buffer_space        as many connections as there may be
  [[nodiscard]] Result<ConnectionId> connect(const Endpoint& remote,
                                             const ConnectOptions& options = {});

  // Appends octets to the send queue: the SEND call, RFC 9293 section 3.10.2. They are copied.
  // Returns how many were taken, fewer than data.size() when the queue fills; Writable follows when
  // there is room again. Transmits nothing itself: that is the next poll_transmit().
  // Errors: would_block        the queue is full
  //         no_buffer_space    the stack's memory budget is spent; Writable follows too, unless
  //                            the system has no memory to wake a connection at rest
  //                            (Config::awake_connections): then every call of it fails so
  //         broken_pipe        after shutdown_write() or close()
  //         connection_reset, timed_out, ...   what ended the connection
  //         invalid_handle
  [[nodiscard]] Result<std::size_t> write(ConnectionId connection, Bytes data);

  // The same without a copy: the stack refers to the octets until the peer has acknowledged them.
  // What was taken is removed from the front of `octets`; what is left there is to be written when
  // Writable follows. Few octets (about 2,000), and those that would pin much more memory than they
  // fill, are copied after all. Octets in this stack's own blocks are taken also when the memory
  // budget is spent. Of the application's memory the budget is charged for what is in queues.
  [[nodiscard]] Result<std::size_t> write(ConnectionId connection, Buffer& octets);
  [[nodiscard]] Result<std::size_t> write(ConnectionId connection, Buffer&& octets);

  // Moves received octets into `out`: the RECEIVE call, RFC 9293 section 3.10.3. Returns how many;
  // 0 means that the peer has ended its stream and everything was read.
  // Errors: would_block        nothing there yet
  //         broken_pipe        after close()
  //         connection_reset, timed_out, ...   what ended the connection
  //         invalid_handle
  [[nodiscard]] Result<std::size_t> read(ConnectionId connection, MutableBytes out);

  // The same without a copy: a view of the first received octets that lie together, good until the
  // next non-const call, and how to say that `octets` of them were used. An empty view means what 0
  // means in read(). Errors as read(); consume() refuses more than is there with invalid_argument.
  [[nodiscard]] Result<Bytes> peek(ConnectionId connection) const;
  Result<void> consume(ConnectionId connection, std::size_t octets);

  // Hands over the first received octets that lie together, at most `most_octets`, without a copy.
  // They count as read, so that the peer may send more, and as memory of the stack's until the last
  // Buffer that refers to them is gone: who keeps many of them uses up the memory budget. An empty
  // Buffer means what 0 means in read(). Errors as read(); would_block also for most_octets == 0.
  [[nodiscard]] Result<Buffer> take(ConnectionId connection, std::size_t most_octets = SIZE_MAX);

  // Moves received octets of one connection to the send queue of another, or of the same, without a
  // copy: as many as there are, at most `most_octets`, and as the send queue takes; the rest stays
  // unread, so that the sender is held back as the receiver is. Returns how many; 0 means that the
  // end of `from` was reached. Whatever stopped it, Readable of `from` or Writable of `to` follows
  // when it can go on.
  // Errors: those of take() and write(), when nothing was moved
  [[nodiscard]] Result<std::size_t> forward(ConnectionId from, ConnectionId to,
                                            std::size_t most_octets = SIZE_MAX);

  // How many octets write() would take now, and how many read() would give. 0 for a stale handle.
  [[nodiscard]] std::size_t writable_octets(ConnectionId connection) const;
  [[nodiscard]] std::size_t readable_octets(ConnectionId connection) const;

  // As write(), and what was written until now is urgent (RFC 9293 section 3.8.5): the peer hears
  // of it ahead of the octets, even while its window is closed. New applications should not use
  // urgent data (RFC 6093 section 5): middleboxes clear the mark, and stacks disagree about where
  // it is.
  [[nodiscard]] Result<std::size_t> write_urgent(ConnectionId connection, Bytes data);

  // Where urgent data are not left in the stream (TcpConfig::urgent_inline), the one octet that was
  // taken out of it. After Urgent; how far away the mark is, is in info().
  // Errors: would_block  none, read already, or not here yet
  //         broken_pipe, connection_reset, timed_out, ..., invalid_handle  as read()
  [[nodiscard]] Result<std::uint8_t> read_urgent(ConnectionId connection);

  // Ends this side's stream after what was written: FIN. Reading goes on (half-close).
  // Errors: broken_pipe when done before, not_connected, invalid_handle.
  Result<void> shutdown_write(ConnectionId connection);

  // Gives the connection up: the CLOSE call, RFC 9293 section 3.10.4. What was written is still
  // delivered, then FIN. With received octets that nobody has read the peer gets a RST instead
  // (RFC 9293 SHLD-3), because they are lost. Errors: invalid_handle.
  Result<void> close(ConnectionId connection);

  // Ends the connection at once, with RST: the ABORT call. Errors: invalid_handle.
  Result<void> abort(ConnectionId connection);

  // The Timeout event, whenever no payload moved in either direction for `inactivity`; zero: never.
  Result<void> set_inactivity_timeout(ConnectionId connection, Duration inactivity);
  Result<void> set_nagle(ConnectionId connection, bool enabled);
  Result<void> set_keepalive(ConnectionId connection, bool enabled);
  // Another congestion controller from here on, with the window that the present one has reached.
  //
  // Errors: invalid_argument    DCTCP outside of a controlled network (TcpConfig)
  Result<void> set_congestion_control(ConnectionId connection, CongestionAlgorithm algorithm);
  // Gives up when octets stay unacknowledged for `timeout`, instead of after R2 (RFC 9293 section
  // 3.8.3). kForever: never. Zero: R2 again, or what the peer asks for with RFC 5482's option.
  Result<void> set_user_timeout(ConnectionId connection, Duration timeout);
  // What close() does with octets that the peer has not acknowledged. Nothing: they are delivered,
  // however long that takes. A time: what is unacknowledged that long after close() is given up
  // with RST. Zero: RST at once.
  Result<void> set_linger(ConnectionId connection, std::optional<Duration> linger);
  // The DiffServ value of all further segments: 0 to 63, handed to IP as it is. An application
  // should keep one value for the life of a connection (RFC 9293 section 3.9.1.7): segments of
  // different classes overtake each other, which looks like loss.
  Result<void> set_dscp(ConnectionId connection, std::uint8_t dscp);

  [[nodiscard]] Result<TcpInfo> info(ConnectionId connection) const;
  [[nodiscard]] Result<Endpoint> local_endpoint(ConnectionId connection) const;
  [[nodiscard]] Result<Endpoint> remote_endpoint(ConnectionId connection) const;
  [[nodiscard]] Result<Endpoint> local_endpoint(ListenerId listener) const;

  // GET_MAXSIZES of RFC 1122 section 3.4: by the link's MTU, what connections to `remote` have
  // found out about their path, and the reassembly limit.
  [[nodiscard]] MaximumSizes maximum_sizes(const IpAddress& remote) const;

  // --- Ping ------------------------------------------------------------------------------------

  // Sends an ICMP echo request.
  // Errors: invalid_argument       no single host, too long, or too long for the link with
  //                                dont_fragment; a field out of range
  //         address_not_available  the stack has no address
  //         no_buffer_space        the queue to the link is full
  //         would_block            more fragmented requests a second than there are identifications
  //                                (RFC 6864 section 5.2)
  Result<void> send_echo_request(const IpAddress& destination, std::uint16_t identifier,
                                 std::uint16_t sequence, Bytes payload,
                                 const EchoRequestOptions& options = {});
  // The next reply or error to a request with any identifier; the oldest are dropped past 64.
  [[nodiscard]] std::optional<EchoReply> poll_echo_reply();

  // --- Looking inside --------------------------------------------------------------------------

  [[nodiscard]] const Counters& counters() const noexcept;
  [[nodiscard]] const Config& config() const noexcept;
  [[nodiscard]] Instant now() const noexcept;

  // Octets charged to the memory budget, and live records of each kind.
  [[nodiscard]] std::size_t memory_octets() const noexcept;
  [[nodiscard]] std::size_t connection_count() const noexcept;
  // ... of which so many are not records at present: see Config::awake_connections.
  [[nodiscard]] std::size_t awake_count() const noexcept;
  [[nodiscard]] std::size_t syn_received_count() const noexcept;
  [[nodiscard]] std::size_t time_wait_count() const noexcept;
  [[nodiscard]] std::size_t timer_count() const noexcept;

 private:
  std::unique_ptr<core::Engine> engine_;
};

}  // namespace runnel
