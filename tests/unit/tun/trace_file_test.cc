#include "runnel/trace_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>

namespace runnel::tun {
namespace {

using namespace std::chrono_literals;

class TraceFileTest : public ::testing::Test {
 protected:
  ~TraceFileTest() override { std::filesystem::remove(path_); }

  [[nodiscard]] std::string content() const {
    std::ifstream file(path_);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }

  std::string path_ = (std::filesystem::temp_directory_path() /
                       ("runnel-trace-" + std::to_string(::getpid()) + ".csv"))
                          .string();
};

constexpr const char* kColumns =
    "time,connection,event,offset,octets,una,nxt,in_flight,cwnd,ssthresh,srtt,rtt,delivery_rate,"
    "pacing_rate,phase\n";

SendingState early_state() {
  SendingState state;
  state.nxt_offset = 1448;
  state.in_flight_octets = 1448;
  state.congestion_window_octets = 14480;
  state.phase = "SlowStart";
  return state;
}

TEST_F(TraceFileTest, NamesItsColumns) {
  TraceFile(path_).flush();
  EXPECT_EQ(content(), kColumns);
}

TEST_F(TraceFileTest, WritesALineForEachEventAndNothingForWhatIsNotKnown) {
  {
    TraceFile file(path_);
    file.on_transmission({Instant(5s), {3, 1}, 0, 1448, false, early_state()});
    SendingState state = early_state();
    state.una_offset = 1448;
    state.in_flight_octets = 0;
    state.slow_start_threshold_octets = 7240;
    state.smoothed_rtt = 40ms;
    state.delivery_rate_octets = 36200;
    state.pacing_rate_octets = 72400;
    state.phase = "Recovery";
    file.on_acknowledgment({Instant(5s + 40ms), {3, 1}, 1448, Duration(40500us), state});
    file.on_transmission({Instant(5s + 41ms), {3, 1}, 1448, 10, true, state});
  }
  EXPECT_EQ(content(),
            std::string(kColumns) +
                "0.000000,3.1,send,0,1448,0,1448,1448,14480,,,,,,SlowStart\n"
                "0.040000,3.1,ack,1448,1448,1448,1448,0,14480,7240,0.040000,0.040500,36200,72400,"
                "Recovery\n"
                "0.041000,3.1,resend,1448,10,1448,1448,0,14480,7240,0.040000,,36200,72400,"
                "Recovery\n");
}

TEST_F(TraceFileTest, RefusesAPathThatCannotBeWritten) {
  EXPECT_THROW(TraceFile("/nonexistent/trace.csv"), std::system_error);
}

TEST_F(TraceFileTest, SaysWhenTheDiskIsFull) {
  TraceFile file("/dev/full");
  file.on_transmission({Instant(5s), {3, 1}, 0, 1448, false, early_state()});
  EXPECT_THROW(file.flush(), std::system_error);
}

}  // namespace
}  // namespace runnel::tun
