// What a stack counts. Names are those of RFC 4293 (ip), RFC 4022 (tcp) and RFC 4293 (icmp) where
// they have one.
#pragma once

#include <array>
#include <cstdint>

#include "runnel/drop_reason.h"

namespace runnel {

struct Counters {
  // IPv4, in packets unless a name says octets.
  std::uint64_t ip_in_receives = 0;
  std::uint64_t ip_in_octets = 0;
  std::uint64_t ip_in_delivers = 0;
  std::uint64_t ip_out_transmits = 0;
  std::uint64_t ip_out_octets = 0;
  std::uint64_t ip_reasm_reqds = 0;  // fragments received
  std::uint64_t ip_reasm_oks = 0;    // datagrams put together
  std::uint64_t ip_out_frag_creates = 0;

  // ICMP, in messages.
  std::uint64_t icmp_in_msgs = 0;
  std::uint64_t icmp_out_msgs = 0;
  std::uint64_t icmp_in_echos = 0;
  std::uint64_t icmp_out_echo_reps = 0;

  // TCP, in segments (a super-packet counts as the segments it stands for).
  std::uint64_t tcp_active_opens = 0;
  std::uint64_t tcp_passive_opens = 0;
  std::uint64_t tcp_attempt_fails = 0;
  std::uint64_t tcp_estab_resets = 0;
  std::uint64_t tcp_in_segs = 0;
  std::uint64_t tcp_out_segs = 0;
  std::uint64_t tcp_retrans_segs = 0;
  std::uint64_t tcp_out_rsts = 0;
  std::uint64_t tcp_retransmission_timeouts = 0;
  std::uint64_t tcp_fast_retransmits = 0;
  std::uint64_t tcp_challenge_acks = 0;
  std::uint64_t tcp_zero_window_probes = 0;
  std::uint64_t tcp_keepalive_probes = 0;
  std::uint64_t tcp_tail_loss_probes = 0;
  std::uint64_t tcp_lost_retransmissions = 0;
  std::uint64_t tcp_spurious_recoveries = 0;  // congestion responses that were taken back
  std::uint64_t tcp_dsacks_sent = 0;
  std::uint64_t tcp_dsacks_received = 0;
  std::uint64_t tcp_sack_reneges = 0;
  std::uint64_t tcp_initial_window_losses = 0;  // connections that lost part of it (RFC 6928)
  std::uint64_t tcp_syn_cookies_sent = 0;
  std::uint64_t tcp_syn_cookies_accepted = 0;
  std::uint64_t tcp_fast_opens_active = 0;   // data in our SYN were acknowledged
  std::uint64_t tcp_fast_opens_passive = 0;  // data in a peer's SYN were accepted
  std::uint64_t tcp_fast_opens_refused = 0;  // a peer's cookie was wrong, or too many were pending
  std::uint64_t tcp_mtu_probes = 0;
  std::uint64_t tcp_mtu_probes_lost = 0;
  std::uint64_t tcp_mtu_black_holes = 0;
  std::uint64_t tcp_ecn_ce_received = 0;  // segments that came marked
  std::uint64_t tcp_ecn_ce_reported = 0;  // ... and of ours, by the peers' counts
  std::uint64_t tcp_ecn_responses = 0;    // reductions of a window for that
  // Gave up for the sake of the path: SYNs and SYN-ACKs that did not ask any more, ECT that was
  // stopped because something rewrites it or its feedback.
  std::uint64_t tcp_ecn_fallbacks = 0;
  std::uint64_t tcp_persist_aborts = 0;  // shed under memory pressure (RFC 6429)

  std::array<std::uint64_t, kDropReasonCount> drops{};

  void drop(DropReason reason) noexcept { ++drops[static_cast<std::size_t>(reason)]; }
  [[nodiscard]] std::uint64_t dropped(DropReason reason) const noexcept {
    return drops[static_cast<std::size_t>(reason)];
  }
  [[nodiscard]] std::uint64_t dropped_total() const noexcept {
    std::uint64_t total = 0;
    for (const std::uint64_t count : drops) total += count;
    return total;
  }
};

}  // namespace runnel
