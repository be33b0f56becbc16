// Keeps what a run sent, for people: the last packets as lines, all of them as a capture file.
#pragma once

#include <cstdint>
#include <cstdio>
#include <deque>
#include <string>

#include "runnel/bytes.h"
#include "runnel/time.h"

namespace runnel::test {

// Writes libpcap's format with nanoseconds and raw IP packets, flushed after every packet, so that
// a run that crashes leaves everything before the crash.
class PacketRecorder {
 public:
  explicit PacketRecorder(std::string pcap_path);
  PacketRecorder(const PacketRecorder&) = delete;
  PacketRecorder& operator=(const PacketRecorder&) = delete;
  ~PacketRecorder();

  void record(Instant at, bool to_server, Bytes packet);
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] std::string describe_last() const;

 private:
  std::string path_;
  std::FILE* file_;
  std::deque<std::string> last_;
};

}  // namespace runnel::test
