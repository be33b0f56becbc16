#include "stack/tcp/time_wait.h"

#include <algorithm>

#include "stack/tcp/header_writer.h"

namespace runnel::tcp {

TimeWaitRecord TimeWaitRecord::from(const Connection& connection) noexcept {
  TimeWaitRecord record;
  record.tuple = connection.tuple();
  record.snd_nxt = connection.snd().nxt;
  record.rcv_nxt = connection.rcv().nxt;
  record.rcv_wnd = connection.rcv().wnd();
  record.rcv_scale = connection.rcv().scale;
  record.ignores_reset = connection.config().time_wait_ignores_reset;
  record.time_wait = connection.config().time_wait;
  record.timestamps = connection.timestamps();
  record.ip_fields = connection.ip_fields();
  record.ecn_bits = connection.ecn().ack_bits(false);
  return record;
}

wire::TcpHeader TimeWaitRecord::bare_ack(Instant now) const {
  wire::TcpHeader header = header_for(tuple);
  header.seq = snd_nxt;
  header.ack = rcv_nxt;
  header.flags.ack = true;
  set_ecn_bits(header.flags, ecn_bits);
  header.window = static_cast<std::uint16_t>(std::min<std::uint32_t>(rcv_wnd >> rcv_scale, 65535));
  if (timestamps.is_agreed()) header.options.timestamps = timestamps.option(true, now);
  return header;
}

namespace {

// Whether a SYN is none of the old connection's: RFC 6191 section 2.
bool is_new_connection(const TimeWaitRecord& record, const Segment& syn) noexcept {
  // "Larger than the last sequence number seen", which was FIN's: RCV.NXT or more.
  const bool is_larger = record.rcv_nxt <= syn.seq;
  if (!syn.options.timestamps) return is_larger;
  if (!record.timestamps.is_agreed()) return true;
  const std::uint32_t value = syn.options.timestamps->value;
  const std::uint32_t last = record.timestamps.recent();
  if (value == last) return is_larger;
  return static_cast<std::int32_t>(value - last) > 0;
}

}  // namespace

TimeWaitAction segment_arrives_time_wait(const TimeWaitRecord& record, const Segment& seg,
                                         Counters& counters, Instant now) noexcept {
  const auto drop = [&](DropReason reason, TimeWaitAction action) {
    counters.drop(reason);
    return action;
  };
  if (seg.flags.syn && !seg.flags.ack && !seg.flags.rst) {
    if (is_new_connection(record, seg)) return TimeWaitAction::Reopen;
    return drop(DropReason::TcpTimeWait, TimeWaitAction::Drop);  // it may be a duplicate: silence
  }
  const bool is_in_window = is_acceptable(seg.seq, seg.len(), record.rcv_nxt, record.rcv_wnd);
  if (seg.flags.rst) {  // RFC 5961 section 3.2, as in every synchronized state
    TimeWaitAction action = is_in_window ? TimeWaitAction::Acknowledge : TimeWaitAction::Drop;
    if (seg.seq == record.rcv_nxt) action = TimeWaitAction::Delete;
    if (record.ignores_reset) action = TimeWaitAction::Drop;
    return drop(DropReason::TcpTimeWait, action);
  }
  if (seg.options.timestamps && record.timestamps.is_old(*seg.options.timestamps, now)) {
    return drop(DropReason::TcpPaws, TimeWaitAction::Acknowledge);
  }
  counters.drop(DropReason::TcpTimeWait);
  if (seg.flags.fin && seg.end() == record.rcv_nxt) return TimeWaitAction::AcknowledgeAndRestart;
  if (!is_in_window) return TimeWaitAction::Acknowledge;
  return seg.flags.ack && seg.len() > 0 ? TimeWaitAction::Acknowledge : TimeWaitAction::Drop;
}

}  // namespace runnel::tcp
