// What one acknowledgment has shown.
#pragma once

#include <cstdint>
#include <optional>

#include "runnel/time.h"
#include "stack/base/optional_time.h"
#include "stack/tcp/loss/delivery_rate.h"
#include "stack/tcp/loss/seq_range.h"

namespace runnel::tcp {

// Loss detection fills it in; the connection tells the congestion controller, the timers and the
// counters.
struct AckFindings {
  std::uint64_t newly_acked_octets = 0;   // cumulatively
  std::uint64_t newly_sacked_octets = 0;  // selectively, less what was already counted
  std::uint64_t newly_lost_octets = 0;
  std::int64_t delivered_octets = 0;  // by either, each octet once: RFC 9937's DeliveredData
  std::uint64_t in_flight_before_octets = 0;  // before this ACK
  base::OptionalDuration rtt_sample;          // of octets that were sent once (Karn's rule)

  std::optional<RateSample> rate;  // of the newest octets that were delivered

  bool loss_began = false;          // a loss to which the controller has to respond
  std::uint64_t flight_octets = 0;  // ... FlightSize then
  bool is_lost_retransmission = false;
  bool has_probe_repaired = false;       // a tail loss probe has repaired a loss: respond too
  bool is_spurious = false;              // the last response was a mistake
  bool has_recovered = false;            // a recovery, fast or by timeout, has ended
  bool delivers_retransmission = false;  // octets that were sent more than once
  bool delivers_original = false;        // octets that were sent once, before the present recovery
  bool keeps_timer = false;              // a later partial ACK: RFC 6582 does not restart the timer
  bool is_mtu_probe_lost = false;        // see LossRecovery::on_mtu_probe()
  bool is_mtu_probe_lost_alone = false;
  std::optional<SeqRange> dsack;  // the peer reports having had these octets already
  std::uint32_t bad_sack_blocks = 0;
  Instant look_again = kNever;  // the reordering timer
};

}  // namespace runnel::tcp
