// Every parameter of a stack, with its unit, its default, and where the default comes from.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "runnel/time.h"

namespace runnel {

// Parameters of one TCP connection.
struct TcpConfig {
  // Buffers, in octets of payload. The receive buffer decides the largest window that is offered
  // and with it the window scale of the SYN (RFC 7323 section 2.3).
  std::size_t receive_buffer_octets = std::size_t{1} << 20U;
  std::size_t send_buffer_octets = std::size_t{1} << 20U;

  // The smallest SMSS that is accepted from a peer's MSS option; a smaller one is raised to it.
  std::uint16_t minimum_mss_octets = 88;

  // Nagle's algorithm (RFC 9293 section 3.7.4).
  bool nagle = true;

  // RFC 9293 section 3.8.6.3 (at most 500 ms), as Linux's default.
  Duration delayed_ack = std::chrono::milliseconds(40);
  // RFC 9293 section 3.8.6.2.1, the sender's override timeout (0.1 to 1 s).
  Duration sws_override = std::chrono::milliseconds(200);

  // RFC 6298. DEVIATES: the RFC's minimum is 1 s; 200 ms is what Linux uses.
  Duration rto_initial = std::chrono::seconds(1);
  Duration rto_minimum = std::chrono::milliseconds(200);
  Duration rto_maximum = std::chrono::seconds(60);

  // R1 and R2 of RFC 9293 section 3.8.3: after R1 retransmissions the application hears of it,
  // after R2 without an acknowledgment the connection is given up.
  std::uint8_t r1_retransmissions = 3;
  Duration r2 = std::chrono::minutes(15);
  Duration r2_syn = std::chrono::minutes(3);
  // Retransmissions of a SYN-ACK by a listener, fewer than R2 for an active open: nobody waits
  // for it here, and each one amplifies a forged SYN.
  std::uint8_t syn_ack_retransmissions = 5;

  // Gives up when sent octets stay unacknowledged for this long; zero means that R2 decides.
  Duration user_timeout{0};

  // RFC 9293 section 3.8.4: off by default, first probe after two hours.
  bool keepalive = false;
  Duration keepalive_idle = std::chrono::hours(2);
  Duration keepalive_interval = std::chrono::seconds(75);
  std::uint8_t keepalive_probes = 9;

  // 2 MSL. DEVIATES: RFC 9293 has 4 minutes; 60 s is what Linux uses.
  Duration time_wait = std::chrono::seconds(60);
  // How long FIN-WAIT-2 is kept after the application has closed; RFC 9293 sets no limit.
  Duration fin_wait_2 = std::chrono::seconds(60);

  // Initial window in segments (RFC 6928).
  std::uint8_t initial_window_segments = 10;

  // IPv4 header fields of every segment (RFC 9293 section 3.9).
  std::uint8_t ttl = 64;
  std::uint8_t dscp = 0;
};

// Parameters of a stack.
struct Config {
  TcpConfig tcp;

  // The link's MTU, in octets of IP packet.
  std::uint16_t mtu_octets = 1500;

  // What the link can do: finish transport checksums, and cut TCP super-packets into segments.
  bool checksum_offload = false;
  bool tcp_segmentation_offload = false;

  // The largest TCP segment that is handed to a link with segmentation offload, in octets of IP
  // packet. An IPv4 packet cannot be longer than 65,535.
  std::size_t gso_maximum_octets = 65535;

  // One budget for every octet that the stack holds for packets and streams.
  std::size_t memory_budget_octets = std::size_t{512} << 20U;

  std::size_t maximum_connections = std::size_t{1} << 20U;
  std::size_t maximum_time_wait = std::size_t{1} << 17U;

  // Packets that wait for the link beside the connections' own: RST, ICMP, fragments.
  std::size_t control_queue_packets = 1024;

  // Reassembly of IPv4 fragments (RFC 791, RFC 1122 section 3.3.2).
  std::size_t reassembly_memory_octets = std::size_t{1} << 20U;
  std::size_t reassembly_fragments_per_datagram = 64;
  Duration reassembly_timeout = std::chrono::seconds(60);

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
