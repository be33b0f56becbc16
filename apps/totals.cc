#include "apps/totals.h"

#include <fmt/format.h>

#include <cstddef>
#include <iterator>
#include <string_view>

namespace runnel::apps {
namespace {

// One line of the list, when there is something to count.
void add(std::string& text, const std::string& prefix, std::uint64_t count, std::string_view what) {
  if (count > 0) fmt::format_to(std::back_inserter(text), "{}  {} {}\n", prefix, count, what);
}

}  // namespace

std::string describe(const Totals& totals, const std::string& prefix) {
  const Counters& c = totals.stack;
  std::string text = fmt::format(
      "{}{} packets in ({} octets), {} out ({} octets); TCP: {} opened, {} segments in, {} out, {} "
      "retransmitted, {} timeouts, {} resets sent\n",
      prefix, c.ip_in_receives, c.ip_in_octets, c.ip_out_transmits, c.ip_out_octets,
      c.tcp_active_opens + c.tcp_passive_opens, c.tcp_in_segs, c.tcp_out_segs, c.tcp_retrans_segs,
      c.tcp_retransmission_timeouts, c.tcp_out_rsts);
  std::string drops;
  add(drops, prefix, totals.lost_in_queue, "packets found the device's queue towards us full");
  add(drops, prefix, totals.device.write_link_down, "packets of ours found the device down");
  add(drops, prefix, totals.device.write_refused, "packets of ours were refused by the device");
  add(drops, prefix, totals.device.read_malformed, "packets came with a device header that lies");
  for (std::size_t i = 0; i < kDropReasonCount; ++i) {
    const auto reason = static_cast<DropReason>(i);
    add(drops, prefix, c.dropped(reason), fmt::format("{}: {}", name_of(reason), describe(reason)));
  }
  if (drops.empty()) return text + prefix + "nothing was dropped\n";
  return text + prefix + "dropped:\n" + drops;
}

}  // namespace runnel::apps
