// An ICMP error quotes one of our segments: RFC 9293 section 3.9.2.2, as RFC 5927 reads it.
#include "stack/tcp/connection.h"

namespace runnel::tcp {

void Connection::icmp_error_arrives(const IcmpReport& report, Instant now) {
  // Only who sees our segments can quote one that is in flight; before the handshake is over, that
  // is the SYN (RFC 5927 section 4.1).
  const bool is_in_flight = snd_.una <= report.quoted_seq && report.quoted_seq < snd_.nxt;
  if (!is_in_flight || (!is_syn_acked_ && report.quoted_seq != snd_.iss)) {
    drop(DropReason::IcmpBadSequence);
    return;
  }
  if (report.type == wire::IcmpType::SourceQuench) return;  // RFC 6633: means nothing any more
  black_hole_.on_icmp_error();
  const bool is_unreachable = report.type == wire::IcmpType::DestinationUnreachable;
  if (is_unreachable && report.code == wire::kIcmpFragmentationNeeded) {
    too_big_arrives(report, now);
    return;
  }
  // A hard error is one only while the connection is being opened (RFC 5927 section 5.2); later
  // it is a router's passing trouble, or an attack.
  const bool is_hard = is_unreachable && (report.code == wire::kIcmpProtocolUnreachable ||
                                          report.code == wire::kIcmpPortUnreachable);
  if (is_hard && !is_syn_acked_) {
    ++environment_.counters.tcp_attempt_fails;
    enter_closed(report.error, now);
    return;
  }
  soft_error_ = report.error;
  report_once(EventKind::SoftError, report.error);
}

}  // namespace runnel::tcp
