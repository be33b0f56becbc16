// How much may be in flight, and how fast it may leave: the interface between loss detection and a
// congestion controller.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "runnel/time.h"
#include "stack/base/optional_time.h"
#include "stack/tcp/loss/delivery_rate.h"
#include "stack/wire/seq_num.h"

namespace runnel::tcp {

// Octets leave, for the first time or again.
struct TransmitEvent {
  Instant now;
  std::uint64_t octets = 0;
  std::uint64_t in_flight_before_octets = 0;  // outstanding before them
  bool is_retransmission = false;
  bool is_app_limited = false;  // C.app_limited of draft-ietf-ccwg-bbr-06 section 4.1
};

// What one acknowledgment taught us. Loss detection fills it in; congestion control reads it. An
// acknowledgment that only SACKs is one too: then newly_acked_octets is 0.
struct AckEvent {
  Instant now;
  std::uint64_t newly_acked_octets = 0;      // cumulatively
  std::uint64_t newly_delivered_octets = 0;  // by ACK or by SACK, each octet once
  std::uint64_t newly_lost_octets = 0;
  std::uint64_t in_flight_before_octets = 0;  // outstanding before this event
  std::uint64_t in_flight_octets = 0;         // ... and after it
  std::uint64_t delivered_octets = 0;         // C.delivered: in all, this event included
  std::uint64_t lost_octets = 0;              // C.lost: in all
  std::uint64_t ce_marked_octets = 0;         // of the newly delivered, as far as ECN tells
  wire::SeqNum una;                           // SND.UNA, this event included
  wire::SeqNum nxt;                           // SND.NXT
  base::OptionalDuration rtt_sample;          // absent under Karn's rule (RFC 6298 section 3)
  base::OptionalDuration smoothed_rtt;
  const RateSample* rate = nullptr;  // of the newest octets that were delivered; null: none were
  bool in_recovery = false;          // fast recovery, this event included
  bool after_timeout = false;        // repairing what a timeout declared lost
  bool has_recovered = false;        // either of them ends with this event
  bool counts_once = false;          // one SMSS at most in slow start
  bool app_limited = false;          // cwnd was not what held us back (RFC 7661)
  bool is_paced = false;             // growth by many segments causes no burst
};

// Octets were found to be lost, or marked. Controllers that answer with their window do so once in
// a round trip, when `calls_for_response`; further losses of the same round trip come without it.
struct LossEvent {
  enum class Cause : std::uint8_t { Loss, EcnMark };

  Instant now;
  Cause cause = Cause::Loss;
  bool calls_for_response = true;
  std::uint64_t lost_octets = 0;
  std::uint64_t in_flight_before_octets = 0;  // FlightSize of RFC 5681, when a response is due
  // Of the lost octets: what was known when they were sent. Absent for marks and timeouts.
  std::optional<DeliverySnapshot> sent;
  wire::SeqNum begin;  // the lost octets; without SACK, and for marks and timeouts: the oldest one
  wire::SeqNum end;
  std::uint64_t total_lost_octets = 0;  // C.lost, these octets included
  std::uint64_t delivered_octets = 0;   // C.delivered
};

// A congestion controller: a few calls, everything in octets.
//
// Detection owns which octets are lost, this owns how many may fly; output takes the smaller of
// this window and the peer's, and spreads it by the pacing rate.
class CongestionControl {
 public:
  virtual ~CongestionControl() = default;

  // Slow start ends at `octets`: what earlier connections to the host have found (RFC 9040). Called
  // before anything is sent, if at all.
  virtual void begin_with_ssthresh(std::uint64_t octets) = 0;
  virtual void on_transmit(const TransmitEvent& event) = 0;
  virtual void on_ack(const AckEvent& event) = 0;
  virtual void on_loss(const LossEvent& event) = 0;
  virtual void on_retransmission_timeout(const LossEvent& event) = 0;
  // The last on_loss() or on_retransmission_timeout() was a mistake: nothing had been lost.
  virtual void on_spurious_recovery(Instant now) = 0;
  // Transmission begins again after an idle time of at least one RTO, with no more than the restart
  // window (RFC 5681 section 4.1).
  virtual void on_idle_restart(Instant now, std::uint64_t restart_window_octets) = 0;
  // Congestion window validation has found what the path can be trusted with (RFC 7661).
  virtual void set_window(std::uint64_t cwnd_octets, std::uint64_t ssthresh_octets) = 0;
  // Segments have another size from now on. The window keeps its octets, or with `scales_window`
  // its number of segments; the threshold always keeps its octets.
  virtual void on_smss_change(std::uint32_t smss_octets, bool scales_window) = 0;

  [[nodiscard]] virtual std::uint64_t cwnd_octets() const = 0;
  [[nodiscard]] virtual std::uint64_t ssthresh_octets() const = 0;

  // Octets a second, for a controller that has a rate of its own; else it follows from the window
  // and the round trip (see Pacer).
  [[nodiscard]] virtual std::optional<std::uint64_t> pacing_rate() const { return std::nullopt; }
  // Whether the controller's window is to be used as it is while a loss is repaired, without PRR,
  // and is not to be reduced after an idle time.
  [[nodiscard]] virtual bool governs_recovery() const { return false; }
  // What it is doing, in a word for traces that lives for ever, such as "ProbeBW_UP".
  [[nodiscard]] virtual std::string_view phase() const {
    return cwnd_octets() < ssthresh_octets() ? "SlowStart" : "CongestionAvoidance";
  }
  // Whether it sends less than the path takes on purpose: then samples of the delivery rate are to
  // be marked, as if the application had nothing to send.
  [[nodiscard]] virtual bool holds_back() const { return false; }
};

}  // namespace runnel::tcp
