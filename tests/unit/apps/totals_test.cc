// What `runnel serve` says about itself.
#include "apps/totals.h"

#include <gtest/gtest.h>

namespace runnel::apps {
namespace {

TEST(Totals, SayThatNothingWasDropped) {
  Totals totals;
  totals.stack.ip_in_receives = 7;
  totals.stack.tcp_active_opens = 1;
  totals.stack.tcp_passive_opens = 2;
  EXPECT_EQ(describe(totals, "> "),
            "> 7 packets in (0 octets), 0 out (0 octets); TCP: 3 opened, 0 segments in, 0 out, 0 "
            "retransmitted, 0 timeouts, 0 resets sent\n"
            "> nothing was dropped\n");
}

TEST(Totals, NameEveryReasonThatHasOccurred) {
  Totals totals;
  totals.stack.drop(DropReason::NoMemory);
  totals.stack.drop(DropReason::NoMemory);
  totals.device.write_refused = 3;
  totals.lost_in_queue = 4;
  const std::string text = describe(totals, "");
  EXPECT_NE(text.find("\ndropped:\n"
                      "  4 packets found the device's queue towards us full\n"
                      "  3 packets of ours were refused by the device\n"
                      "  2 NoMemory: the memory budget is spent"),
            std::string::npos)
      << text;
}

}  // namespace
}  // namespace runnel::apps
