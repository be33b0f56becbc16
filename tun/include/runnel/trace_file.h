// A sink of traces that writes them to a file, for `scripts/plot` and for spreadsheets.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "runnel/trace.h"

namespace runnel::tun {

// One line for each transmission and each acknowledgment of every connection, in CSV, below a line
// with the columns' names. A field that is not known yet is empty.
//
//    time            seconds since the first line
//    connection      which one, such as 3.1: index and generation of its ConnectionId
//    event           send, resend or ack
//    offset, octets  send, resend: which octets of the stream; ack: SND.UNA, and what it delivered
//    una, nxt        SND.UNA and SND.NXT as offsets in the stream
//    in_flight       octets
//    cwnd, ssthresh  octets
//    srtt, rtt       seconds; rtt is the acknowledgment's own sample
//    delivery_rate   octets a second, as last measured
//    pacing_rate     octets a second
//    phase           what the congestion controller is doing
class TraceFile final : public TraceSink {
 public:
  // Throws std::system_error when the file cannot be written.
  explicit TraceFile(const std::string& path);
  ~TraceFile() override;

  void on_state_change(const StateChange&) override {}
  void on_transmission(const Transmission& record) override;
  void on_acknowledgment(const Acknowledgment& record) override;

  // Makes the file hold every line so far. Throws std::system_error when it does not.
  void flush();

 private:
  struct Parts;
  void write(Instant at, ConnectionId connection, const char* event, std::uint64_t offset,
             std::uint64_t octets, const std::optional<Duration>& rtt, const SendingState& state);

  std::unique_ptr<Parts> parts_;
};

}  // namespace runnel::tun
