// How much may be in flight: the interface between loss detection and a congestion controller.
#pragma once

#include <cstdint>
#include <optional>

#include "runnel/time.h"

namespace runnel::tcp {

// What one acknowledgment taught us. Loss detection fills it in; congestion control reads it.
struct AckEvent {
  Instant now;
  std::uint64_t newly_acked_octets = 0;       // cumulatively
  std::uint64_t in_flight_before_octets = 0;  // outstanding before this event
  std::optional<Duration> rtt_sample;         // absent under Karn's rule (RFC 6298 section 3)
  bool in_recovery = false;                   // fast recovery, this event included
  bool after_timeout = false;                 // repairing what a timeout declared lost
  bool counts_once = false;                   // one SMSS at most in slow start
  bool app_limited = false;                   // cwnd was not what held us back (RFC 7661)
};

// Octets were found to be lost, for the first time since the last recovery ended.
struct LossEvent {
  Instant now;
  std::uint64_t lost_octets = 0;
  std::uint64_t in_flight_before_octets = 0;  // FlightSize of RFC 5681
};

// A congestion controller: a few calls, everything in octets.
//
// Detection owns which octets are lost, this owns how many may fly; output takes the smaller of
// this window and the peer's.
class CongestionControl {
 public:
  virtual ~CongestionControl() = default;

  // Slow start ends at `octets`: what earlier connections to the host have found (RFC 9040). Called
  // before anything is sent, if at all.
  virtual void begin_with_ssthresh(std::uint64_t octets) = 0;
  virtual void on_transmit(Instant now, std::uint64_t octets, std::uint64_t in_flight_octets) = 0;
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
};

}  // namespace runnel::tcp
