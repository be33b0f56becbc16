// Every parameter of a stack, with its unit, its default, and where the default comes from.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "runnel/congestion_algorithm.h"
#include "runnel/ecn.h"
#include "runnel/time.h"

namespace runnel {

// What an idle sender does with its congestion window.
enum class IdleRestart : std::uint8_t {
  Rfc5681,  // back to the restart window after one RTO without sending (section 4.1)
  Rfc7661,  // keeps what was validated, for up to five minutes
};

// The upper bound of the initial congestion window.
enum class InitialWindow : std::uint8_t {
  Rfc6928,  // ten segments
  Rfc3390,  // two to four, as RFC 5681 section 3.1 has it
};

// When segment sizes are probed (RFC 4821, RFC 8899) beside what ICMP reports.
enum class MtuProbing : std::uint8_t {
  Off,
  BlackHole,  // from the moment that timeouts suggest that large segments vanish silently
  Always,     // from the beginning, from `mtu_probe_base_octets` up
};

// Which octet the urgent pointer names.
enum class UrgentPointer : std::uint8_t {
  Rfc9293,  // the one behind the last urgent octet (RFC 6093)
  Rfc1011,  // the last urgent octet, as BSD's descendants read it
};

// Parameters of one TCP connection. The defaults are the field's; rfc_profile() has the RFCs' own.
struct TcpConfig {
  // Buffers, in octets of payload. They begin at the first figure and grow to the second with what
  // the path carries, as far as the stack's memory budget allows. The larger one decides the
  // window scale of the SYN (RFC 7323 section 2.3). A maximum below the first figure means: fixed.
  std::size_t receive_buffer_octets = std::size_t{256} << 10U;
  std::size_t receive_buffer_maximum_octets = std::size_t{32} << 20U;
  std::size_t send_buffer_octets = std::size_t{256} << 10U;
  std::size_t send_buffer_maximum_octets = std::size_t{32} << 20U;

  // The smallest SMSS that is accepted from a peer's MSS option; a smaller one is raised to it.
  // DEVIATES: 9293-MUST-16. The option may say less; 88 is what Linux takes at least, since tiny
  // segments cost the sender many times what they cost the peer that asks for them.
  std::uint16_t minimum_mss_octets = 88;

  // Options offered in a SYN, and agreed to in a SYN,ACK.
  bool window_scaling = true;  // RFC 7323 section 2
  bool timestamps = true;      // RFC 7323 section 3
  bool sack = true;            // RFC 2018, with D-SACK (RFC 2883) and RACK-TLP (RFC 8985)

  // What to do with a segment without timestamps when they were agreed upon.
  // DEVIATES: 7323-3.2-TSMISSING. It should be dropped; Linux takes it, and some middleboxes strip
  // the option.
  bool accept_missing_timestamps = true;

  // Nagle's algorithm (RFC 9293 section 3.7.4).
  bool nagle = true;

  // RFC 9293 section 3.8.6.3 (at most 500 ms), as Linux's default.
  Duration delayed_ack = std::chrono::milliseconds(40);
  // At the start, after an idle time and after a gap, so many segments are acknowledged at once,
  // which lets the peer's window grow.
  std::uint8_t quick_acks = 16;
  // RFC 9293 section 3.8.6.2.1, the sender's override timeout (0.1 to 1 s).
  Duration sws_override = std::chrono::milliseconds(200);

  // RFC 6298. DEVIATES: 6298-2.4-MIN. The RFC's minimum is 1 s; 200 ms is what Linux uses.
  Duration rto_initial = std::chrono::seconds(1);
  Duration rto_minimum = std::chrono::milliseconds(200);
  Duration rto_maximum = std::chrono::seconds(60);

  // Takes a congestion response back when the loss turns out to be none: F-RTO (RFC 5682), Eifel by
  // timestamps (RFC 3522, RFC 4015) and D-SACK (RFC 3708).
  bool undo_spurious_recovery = true;

  // R1 and R2 of RFC 9293 section 3.8.3: after R1 retransmissions the application hears of it,
  // after R2 without an acknowledgment the connection is given up. kForever: never.
  std::uint8_t r1_retransmissions = 3;
  Duration r2 = std::chrono::minutes(15);
  Duration r2_syn = std::chrono::minutes(3);
  // Retransmissions of a SYN-ACK by a listener: it gives up after 63 s.
  // DEVIATES: 9293-MUST-23. R2 of a SYN is three minutes at least; Linux has these five. Nobody
  // waits for the answer here, and each one amplifies a forged SYN.
  std::uint8_t syn_ack_retransmissions = 5;

  // Gives up when sent octets stay unacknowledged for this long; zero means that R2 decides.
  Duration user_timeout{0};
  // RFC 5482: tells the peer our user timeout, and follows the peer's unless `user_timeout` was
  // set, within these limits.
  bool user_timeout_option = false;
  Duration user_timeout_advertised = std::chrono::minutes(5);
  Duration user_timeout_lower_limit = std::chrono::seconds(100);
  Duration user_timeout_upper_limit = std::chrono::hours(1);

  // RFC 9293 section 3.8.4: off by default, first probe after two hours.
  bool keepalive = false;
  Duration keepalive_idle = std::chrono::hours(2);
  Duration keepalive_interval = std::chrono::seconds(75);
  std::uint8_t keepalive_probes = 9;
  // A probe carries one octet that was acknowledged before, for peers that answer nothing less.
  bool keepalive_with_octet = false;

  // 2 MSL. DEVIATES: 9293-MUST-13. The RFC has 4 minutes; 60 s is what Linux uses.
  Duration time_wait = std::chrono::seconds(60);
  // TIME-WAIT ignores RST (fix F1 of RFC 1337).
  bool time_wait_ignores_reset = false;
  // How long FIN-WAIT-2 is kept after the application has closed, as in Linux. RFC 9293 sets no
  // limit: kForever.
  Duration fin_wait_2 = std::chrono::seconds(60);

  // The window of an ACK that advances SND.UNA counts, whatever its SEQ.
  // DEVIATES: 9293-3.10.7.4-WND. The RFC tells by SND.WL1 and SND.WL2 alone which segment is newer.
  // A retransmission has an old SEQ and yet, with such an ACK, is newer than all before it; Linux
  // takes its window too, and under loss both ways a stale window would stop the sender.
  bool window_by_new_ack = true;

  // Initial window in segments (RFC 6928).
  std::uint8_t initial_window_segments = 10;
  InitialWindow initial_window = InitialWindow::Rfc6928;
  // Slow start counts every octet of an ACK that covers several segments.
  // DEVIATES: 5681-3.1-SS. RFC 5681 section 3.1 counts one SMSS at most; Linux counts all, and one
  // ACK may stand for a super-packet here.
  bool slow_start_counts_all_octets = true;
  IdleRestart idle_restart = IdleRestart::Rfc5681;

  // How much may be in flight. Stack::set_congestion_control() changes it later. BBR is the default
  // because it fills lossy paths that no other controller fills, and costs little elsewhere: the
  // figures are in stack/tcp/congestion/README.md.
  CongestionAlgorithm congestion_control = CongestionAlgorithm::Bbr;
  // Slow start ends when round trips get longer, before the queue is full (RFC 9406).
  bool hystart = true;
  // The path belongs to one operator who knows what runs over it: permits DCTCP, which is not for
  // the Internet (RFC 8257 section 1).
  bool is_controlled_network = false;

  // What the windows permit leaves in small portions over the round trip instead of at once, unless
  // the smoothed round trip is shorter than this: then the timers cost more than bursts do.
  bool pacing = true;
  Duration pacing_minimum_rtt = std::chrono::milliseconds(1);

  // ICMP soft errors and R1 are reported as SoftError events (RFC 9293 section 3.9.1.8).
  bool soft_error_events = true;

  // Urgent data stay in the stream (RFC 6093); out of line, the octet before the mark is taken out
  // of it and read by itself.
  bool urgent_inline = true;
  UrgentPointer urgent_pointer = UrgentPointer::Rfc9293;

  // Path MTU discovery. The floor is what a forged ICMP message can do at most.
  // DEVIATES: 1191-3-68. The RFC allows 68; 552 is what Linux uses.
  std::uint16_t path_mtu_floor_octets = 552;
  MtuProbing mtu_probing = MtuProbing::BlackHole;          // net.ipv4.tcp_mtu_probing: 0, 1, 2
  std::uint16_t mtu_probe_base_octets = 1200;              // BASE_PLPMTU, RFC 8899 section 5.1.2
  std::uint8_t mtu_probe_attempts = 3;                     // MAX_PROBES
  Duration mtu_probe_timeout = std::chrono::seconds(15);   // PROBE_TIMER
  Duration mtu_raise_interval = std::chrono::minutes(10);  // PMTU_RAISE_TIMER

  // Begins with what earlier connections to the same host have measured (RFC 9040).
  bool share_measurements = true;

  // TCP Fast Open (RFC 7413), both sides: data in the SYN. A listener's application reads them
  // before the handshake is over, and may answer. It may also see them twice, when the network
  // duplicates the SYN: off unless requests may be repeated without harm (section 6.1).
  bool fast_open = false;

  // Explicit congestion notification. DCTCP, which cannot do without, asks where this says
  // WhenAsked.
  EcnMode ecn = EcnMode::WhenAsked;
  // So many SYNs ask for it; further ones do not, in case something on the way drops them for that
  // (RFC 3168 section 6.1.1.1, RFC 9768 section 3.1.4.1). SYN-ACKs give up in the same way.
  std::uint8_t ecn_syn_attempts = 2;

  // IPv4 header fields of every segment (RFC 9293 section 3.9). Applications should keep one
  // DiffServ value for the life of a connection.
  std::uint8_t ttl = 64;
  std::uint8_t dscp = 0;
};

// The RFCs' own choices wherever the defaults depart from them (what is marked DEVIATES here):
// minimum RTO 1 s, TIME-WAIT 4 minutes, path MTU down to 68 octets, and so on.
[[nodiscard]] TcpConfig rfc_profile() noexcept;

// When a listener answers a SYN without keeping a record of it (RFC 4987 section 3.6).
enum class SynCookies : std::uint8_t {
  Never,
  WhenFull,  // while its backlog of half-open connections is full
  Always,
};

// Parameters of a stack.
struct Config {
  TcpConfig tcp;

  // The link's MTU, in octets of IP packet.
  std::uint16_t mtu_octets = 1500;
  // The smallest that it may be for a packet, where it varies: header compression, tunnels (RFC
  // 9293 section 3.7.3). Peers are offered what always fits. 0: it does not vary.
  std::uint16_t smallest_mtu_octets = 0;

  // What the link can do: finish transport checksums, and cut TCP super-packets into segments.
  bool checksum_offload = false;
  bool tcp_segmentation_offload = false;

  // The largest TCP segment that is handed to a link with segmentation offload, in octets of IP
  // packet. An IPv4 packet cannot be longer than 65,535.
  std::size_t gso_maximum_octets = 65535;

  // One budget for every octet that the stack holds for packets and streams. What connections take
  // by themselves is not charged, at rest or awake: the numbers below limit it.
  std::size_t memory_budget_octets = std::size_t{512} << 20U;

  // What peers may send at once, the windows of all connections that receive together: what the
  // link's queue towards the stack holds, which would lose the rest. 0: no such limit.
  std::size_t receive_windows_total_octets = 0;

  // What a connection sends before it is the next one's turn, in octets of IP packet, where several
  // have something: what comes together is acknowledged together. 0: one packet.
  std::size_t turn_octets = 0;

  // Each takes some 300 octets, with its entry in the table of endpoints.
  std::size_t maximum_connections = std::size_t{1} << 20U;
  // So many connections are kept as they are, of three kilobytes more each. When there are more,
  // those at rest that were not used for longest become records, mostly within the 300 octets, until
  // they are used again, which takes less than a microsecond and is not seen on the wire. Those with
  // octets under way, or not read yet, are awake beyond this number.
  std::size_t awake_connections = std::size_t{1} << 13U;
  std::size_t maximum_time_wait = std::size_t{1} << 17U;

  // So many other stacks have the same addresses, each on a queue of its own of one link. Packets
  // of connections that are not here are kept for them: Stack::poll_stray().
  std::uint8_t sibling_stacks = 0;

  // Packets that wait for the link beside the connections' own: RST, ICMP, fragments.
  std::size_t control_queue_packets = 1024;

  // Reassembly of IPv4 fragments (RFC 791, RFC 1122 section 3.3.2).
  std::size_t reassembly_memory_octets = std::size_t{1} << 20U;
  std::size_t reassembly_fragments_per_datagram = 64;
  Duration reassembly_timeout = std::chrono::seconds(60);

  SynCookies syn_cookies = SynCookies::WhenFull;
  // Half-open connections above nine tenths of the backlog are given up this soon.
  Duration syn_received_under_pressure = std::chrono::seconds(5);
  // Fast Open requests of a listener of which the handshake is not complete.
  std::size_t fast_open_pending = 256;

  // What is remembered of hosts that connections went to (RFC 9040, RFC 7413, RFC 1191), and for
  // how long.
  std::size_t destination_cache_entries = 4096;
  Duration destination_cache_age = std::chrono::minutes(10);

  // The largest datagram that reassembly takes, EMTU_R of RFC 1122 section 3.3.2, in octets.
  std::size_t reassembly_maximum_octets = 65535;

  // ICMP errors, RSTs without a connection, and challenge ACKs that may leave in a second;
  // a burst may be as large as one second's worth.
  std::uint32_t icmp_errors_per_second = 1000;
  std::uint32_t resets_per_second = 10000;
  std::uint32_t challenge_acks_per_connection_per_second = 10;

  // The range that connect() takes local ports from (RFC 6056, RFC 6335 section 6).
  std::uint16_t ephemeral_port_first = 32768;
  std::uint16_t ephemeral_port_last = 60999;
};

}  // namespace runnel
