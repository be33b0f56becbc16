// A connection's part in sharing what is known of a path: RFC 9040 sections 6 and 8.
#include "stack/tcp/path_estimate.h"

#include <utility>

#include "stack/tcp/connection.h"

namespace runnel::tcp {

void Connection::begin_with(const PathEstimate& known, Instant now) {
  if (config_->fast_open) fast_open_.begin(known);
  if (!config_->share_measurements) return;
  if (known.rtt) rtt_.begin_with(*known.rtt);
  shared_ssthresh_octets_ = known.ssthresh_octets.value_or(0);
  if (known.path_mtu_octets) path_mtu_.begin_with(*known.path_mtu_octets, now);
}

// Once SMSS is known, by which controllers bound it.
void Connection::begin_with_shared_ssthresh() {
  if (shared_ssthresh_octets_ == 0) return;
  congestion_->begin_with_ssthresh(shared_ssthresh_octets_);
  shared_ssthresh_octets_ = congestion_->ssthresh_octets();
}

PathEstimate Connection::take_path_report() noexcept {
  PathEstimate report = fast_open_.take_lesson().value_or(PathEstimate{});
  if (std::exchange(is_path_mtu_report_due_, false)) report.path_mtu_octets = told_path_mtu_octets_;
  if (!is_path_report_due_) return report;
  is_path_report_due_ = false;
  if (rtt_.has_sample()) report.rtt = RttEstimate{rtt_.smoothed(), rtt_.variation()};
  // One that only began with the shared value has nothing new to say about it.
  const std::uint64_t ssthresh = congestion_->ssthresh_octets();
  if (ssthresh != UINT64_MAX && ssthresh != shared_ssthresh_octets_) {
    report.ssthresh_octets = ssthresh;
  }
  report.peer_mss_octets = peer_mss_;
  return report;
}

}  // namespace runnel::tcp
