// How large segments are: what ICMP, acknowledgments, timeouts and probes of our own teach about
// the path's MTU (RFC 1191, RFC 5927 section 7, RFC 4821, RFC 8899).
#include <algorithm>
#include <utility>

#include "stack/tcp/connection.h"
#include "stack/tcp/handshake.h"

namespace runnel::tcp {

// The peer's MSS is known: the handshake's SYN has arrived.
void Connection::start_path_mtu_discovery(Instant now) noexcept {
  if (path_mtu_.octets() < path_mtu_.limit()) {  // an earlier connection has found it out
    look_above_later(now);
  } else if (config_->mtu_probing == MtuProbing::Always) {
    path_mtu_.return_to(config_->mtu_probe_base_octets);
    mtu_search_.start(path_mtu_.octets(), largest_useful_packet());
  }
  update_send_mss();
}

// The least of what the peer takes and a packet of this size holds, less the options that every
// segment has (MUST-16). What only some segments carry is subtracted for these alone: see
// text_limit().
std::uint16_t Connection::mss_within(std::uint16_t packet_octets) const noexcept {
  const std::uint16_t mss = send_mss(peer_mss_, packet_octets, config_->minimum_mss_octets);
  return timestamps_.is_agreed() ? less_options(mss, Timestamps::kOptionOctets) : mss;
}

void Connection::update_send_mss() noexcept {
  smss_ = mss_within(path_mtu_.octets());
}

// What every segment has before its text, IP header included.
std::uint16_t Connection::path_header_octets() const noexcept {
  constexpr std::uint16_t kHeaders = kIpv4HeaderOctets + kTcpHeaderOctets;
  return timestamps_.is_agreed() ? kHeaders + Timestamps::kOptionOctets : kHeaders;
}

// Nothing larger than the peer takes.
std::uint16_t Connection::largest_useful_packet() const noexcept {
  return static_cast<std::uint16_t>(mss_within(path_mtu_.limit()) + path_header_octets());
}

// Segments have the size that the path's MTU allows from now on. A smaller size leaves the
// congestion window its segments, which is what RFC 1191 section 6.4 and RFC 5681 section 3.1 mean
// by leaving it alone; a larger one leaves it its octets. So it is never raised either way (RFC
// 4821 section 4).
void Connection::use_path_mtu() noexcept {
  const std::uint16_t before = smss_;
  update_send_mss();
  if (smss_ != before) congestion_->on_smss_change(smss_, smss_ < before);
}

// --- What ICMP says ------------------------------------------------------------------------------

void Connection::too_big_arrives(const IcmpReport& report, Instant now) {
  if (is_about_probe_alone(report)) {
    // Loss recovery will find that the probe is lost indeed; this says what to try then (RFC 8899
    // section 4.6.2).
    if (!mtu_search_.on_probe_too_big(report.next_hop_mtu)) drop(DropReason::IcmpStaleMtu);
    return;
  }
  switch (path_mtu_.on_too_big(report.next_hop_mtu, report.quoted_packet_octets, report.quoted_seq,
                               now)) {
    case PathMtu::Verdict::Stale:
      drop(DropReason::IcmpStaleMtu);
      return;
    case PathMtu::Verdict::Held:
      return;
    case PathMtu::Verdict::Lowered:
      break;
  }
  look_above_later(now);
  if (!is_syn_acked_) {  // data in the SYN made it too large
    is_handshake_pending_ = true;
    return;
  }
  use_path_mtu();
  // What is in flight was too large as well. All of it goes again, beginning with one segment.
  recovery_.send_all_again(snd_.una, snd_.nxt, smss_);
  if (recovery_.has_lost()) too_big_pause_.begin(snd_.una);
}

bool Connection::is_about_probe_alone(const IcmpReport& report) const noexcept {
  const bool quotes_probe = mtu_search_.is_probe(report.quoted_seq, report.quoted_seq + 1);
  return quotes_probe && (report.next_hop_mtu == 0 || report.next_hop_mtu >= path_mtu_.octets());
}

// The path's MTU was told by ICMP: a larger one is tried when that is old.
void Connection::look_above_later(Instant now) noexcept {
  if (config_->mtu_probing == MtuProbing::Off) return;
  mtu_search_.rest(path_mtu_.octets(), largest_useful_packet(), now);
}

// Without probes, an MTU that ICMP lowered is tried again in full (RFC 1191 section 6.3).
void Connection::forget_old_path_mtu(Instant now) noexcept {
  if (config_->mtu_probing != MtuProbing::Off) return;
  const Duration age = std::max(config_->mtu_raise_interval, MtuSearch::kShortestRaiseInterval);
  if (path_mtu_.forget_if_older_than(age, now)) use_path_mtu();
}

// --- What acknowledgments and timeouts say -------------------------------------------------------

// SND.UNA has moved.
void Connection::path_acknowledged(Instant now) noexcept {
  too_big_pause_.on_acknowledged(snd_.una);
  black_hole_.on_acknowledged();
  if (path_mtu_.on_acknowledged(snd_.una)) {
    look_above_later(now);
    use_path_mtu();
  }
  const bool was_searching = mtu_search_.phase() == MtuSearch::Phase::Searching;
  if (mtu_search_.on_acknowledged(snd_.una, snd_.nxt, now)) {
    path_mtu_.raise_to(mtu_search_.low());
    use_path_mtu();
  }
  tell_others_of_path_mtu(was_searching);
}

// Connections that are opened later begin with what this one has found out by itself: a Too Big
// that proved right, or the end of a search. A guess after timeouts says nothing, and what others
// have found out would never grow old if it were told again.
void Connection::tell_others_of_path_mtu(bool was_searching) noexcept {
  if (!config_->share_measurements) return;
  const bool has_found = was_searching ? mtu_search_.phase() == MtuSearch::Phase::Complete
                                       : path_mtu_.is_lowering_confirmed();
  if (!has_found || told_path_mtu_octets_ == path_mtu_.octets()) return;
  told_path_mtu_octets_ = path_mtu_.octets();
  is_path_mtu_report_due_ = true;
}

// The oldest segment has timed out, and everything will be sent again.
void Connection::path_timed_out(Instant now) noexcept {
  too_big_pause_.end();
  if (path_mtu_.on_timeout(now)) {
    look_above_later(now);
  } else if (mtu_search_.on_timeout(now)) {
    path_mtu_.return_to(mtu_search_.low());
  } else if (config_->mtu_probing != MtuProbing::Off) {
    const std::uint32_t headers = path_header_octets();
    const std::uint32_t text = std::min<std::uint32_t>(smss_, distance(snd_.una, snd_.nxt));
    const auto smaller = black_hole_.on_timeout(static_cast<std::uint16_t>(headers + smss_),
                                                static_cast<std::uint16_t>(headers + text));
    if (!smaller) return;
    ++environment_.counters.tcp_mtu_black_holes;
    path_mtu_.return_to(*smaller);
    mtu_search_.start(path_mtu_.octets(), largest_useful_packet());
  }
  use_path_mtu();
}

// What loss detection has found out about a probe.
void Connection::path_probe_lost(const AckFindings& findings, Instant now) noexcept {
  if (!findings.is_mtu_probe_lost || !mtu_search_.is_probe_in_flight()) return;
  ++environment_.counters.tcp_mtu_probes_lost;
  if (findings.is_mtu_probe_lost_alone || mtu_search_.is_probe_refused()) {
    mtu_search_.on_probe_lost(now);
    tell_others_of_path_mtu(true);
  } else {
    mtu_search_.on_probe_inconclusive();
  }
}

// --- Probes --------------------------------------------------------------------------------------

// A segment of new data that is larger than the others, alone in its frame. It needs more data and
// window than itself, so that its loss is found without a timeout (RFC 4821 section 7.4).
Connection::MtuProbe Connection::transmit_mtu_probe(TxFrame& frame, Instant now) {
  const bool is_calm = is_syn_acked_ && recovery_.phase() == RecoveryPhase::Open &&
                       !recovery_.has_lost() && retransmissions_ == 0;
  if (!is_calm) return MtuProbe::NotNow;
  const auto packet_octets = mtu_search_.probe_size(now);
  if (!packet_octets || is_fin_sent()) return MtuProbe::NotNow;
  // The segments behind it that tell of its loss: as many as duplicate ACKs are needed.
  constexpr std::uint32_t kSegmentsBehind = 3;
  const std::uint32_t needed = *packet_octets - path_header_octets() + kSegmentsBehind * smss_;
  if (std::min(distance(snd_.nxt, data_end()), usable_window()) < needed ||
      congestion_->cwnd_octets() < needed) {
    return MtuProbe::NotNow;
  }
  // Its segment is made as if the path's MTU had its size already.
  const std::uint16_t usual_smss = std::exchange(smss_, mss_within(*packet_octets));
  const std::uint32_t text = text_limit();
  MtuProbe outcome = MtuProbe::NotNow;
  if (cwnd_room() < text) {
    is_cwnd_limited_ = true;
    outcome = MtuProbe::Wait;
  } else if (frame.clear(); send_queue_.gather(offset_of(snd_.nxt), text, frame) == text) {
    const SeqNum begin = snd_.nxt;
    if (send_new(frame, {.octets = text}, now)) {
      recovery_.on_mtu_probe({begin, snd_.nxt});
      mtu_search_.on_probe_sent(*packet_octets, begin, snd_.nxt, now);
      ++environment_.counters.tcp_mtu_probes;
      outcome = MtuProbe::Sent;
    }
  }
  smss_ = usual_smss;
  return outcome;
}

}  // namespace runnel::tcp
