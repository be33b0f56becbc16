// What one connection looks like from outside: the STATUS call of RFC 9293 section 3.10.6, with
// the meanings of Linux's TCP_INFO.
#pragma once

#include <cstddef>
#include <cstdint>

#include "runnel/congestion_algorithm.h"
#include "runnel/ecn.h"
#include "runnel/endpoint.h"
#include "runnel/tcp_state.h"
#include "runnel/time.h"

namespace runnel {

// What loss recovery is doing (RFC 5681, RFC 6582, RFC 8985).
enum class RecoveryPhase : std::uint8_t {
  Open,      // nothing is known to be lost
  Recovery,  // repairing what acknowledgments have shown to be lost
  Timeout,   // repairing what a retransmission timeout declared lost
};

// The one timer that watches over what is in flight, or over a closed window.
enum class RecoveryTimer : std::uint8_t {
  None,
  Retransmission,  // RFC 6298
  TailLossProbe,   // RFC 8985 section 7
  Reordering,      // RFC 8985 section 6.2
  Persist,         // RFC 9293 section 3.8.6.1
};

struct TcpInfo {
  TcpState state = TcpState::Closed;
  Endpoint local;
  Endpoint remote;

  std::uint16_t send_mss_octets = 0;     // effective send MSS, RFC 9293 section 3.7.1
  std::uint16_t receive_mss_octets = 0;  // what this side offered
  std::uint8_t send_window_scale = 0;
  std::uint8_t receive_window_scale = 0;
  bool has_timestamps = false;  // agreed upon in the handshake
  bool has_sack = false;

  std::uint64_t send_window_octets = 0;
  std::uint64_t receive_window_octets = 0;
  std::uint64_t congestion_window_octets = 0;
  std::uint64_t slow_start_threshold_octets = 0;
  std::uint64_t in_flight_octets = 0;
  CongestionAlgorithm congestion_control = CongestionAlgorithm::NewReno;
  std::uint64_t pacing_rate_octets = 0;    // a second; 0: not paced
  std::uint64_t delivery_rate_octets = 0;  // a second, as last measured; 0: not yet
  bool is_delivery_app_limited = false;    // ... while the application had nothing to send

  Duration smoothed_rtt{0};  // zero before the first sample
  Duration rtt_variation{0};
  Duration retransmission_timeout{0};

  std::uint64_t octets_sent = 0;  // retransmissions not counted
  std::uint64_t octets_acknowledged = 0;
  std::uint64_t octets_received = 0;
  std::uint64_t octets_retransmitted = 0;
  std::uint64_t segments_retransmitted = 0;
  std::uint32_t retransmission_timeouts = 0;
  std::uint32_t fast_retransmits = 0;
  std::uint32_t tail_loss_probes = 0;
  std::uint32_t spurious_recoveries = 0;  // congestion responses that were taken back
  std::uint32_t duplicates_reported = 0;  // D-SACKs from the peer

  RecoveryPhase recovery_phase = RecoveryPhase::Open;
  RecoveryTimer recovery_timer = RecoveryTimer::None;
  Duration minimum_rtt{0};        // windowed; zero before the first sample
  Duration reordering_window{0};  // RACK.reo_wnd as last computed
  std::uint64_t lost_octets = 0;  // declared lost and not yet sent again
  std::uint64_t sacked_octets = 0;

  EcnFeedback ecn = EcnFeedback::None;  // agreed upon in the handshake
  bool sends_ecn_capable = false;       // data leave as ECT
  std::uint64_t ce_marks_received = 0;  // segments of the peer's that came as CE
  std::uint64_t ce_marks_reported = 0;  // of ours, as the peer counts (AccECN), or ACKs with ECE
  std::uint32_t ecn_responses = 0;      // reductions for what the peer has reported

  std::size_t send_queue_octets = 0;     // written and not acknowledged
  std::size_t receive_queue_octets = 0;  // received in order and not read
  std::size_t out_of_order_octets = 0;
  std::size_t send_buffer_octets = 0;  // as large as they have grown
  std::size_t receive_buffer_octets = 0;

  std::uint16_t path_mtu_octets = 0;
  Duration user_timeout{0};       // in force; zero: R2 decides
  Duration peer_user_timeout{0};  // as the peer's option said (RFC 5482); zero: it did not
  std::size_t urgent_octets = 0;  // unread octets up to the urgent mark
};

}  // namespace runnel
