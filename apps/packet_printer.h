// What `-v` shows: one line for each packet, in the manner of tcpdump.
#pragma once

#include <cstdio>
#include <optional>
#include <string>

#include "runnel/bytes.h"
#include "runnel/packet_capture.h"
#include "runnel/time.h"

namespace runnel::apps {

// Describes one IP packet in a line, without its end. Decodes with libtins, not with the stack's
// own parser, so it is a second opinion about what the stack sends and receives.
[[nodiscard]] std::string describe_packet(Bytes packet);

// Prints packets with the seconds since the first one, `<` for in and `>` for out.
class PacketPrinter {
 public:
  explicit PacketPrinter(std::FILE* out) noexcept : out_(out) {}

  void print(tun::Direction direction, Bytes packet, Instant at);

 private:
  std::FILE* out_;
  std::optional<Instant> first_;
};

}  // namespace runnel::apps
