#include "tests/support/simulation/packet_recorder.h"

#include <array>
#include <chrono>

#include "stack/wire/format.h"

namespace runnel::test {
namespace {

constexpr std::size_t kLinesKept = 20;
constexpr std::uint32_t kMagicNanoseconds = 0xa1b23c4d;
constexpr std::uint32_t kLinkTypeRaw = 101;

void put(std::FILE* file, const auto& words) {
  (void)std::fwrite(words.data(), sizeof words[0], words.size(), file);
}

}  // namespace

PacketRecorder::PacketRecorder(std::string pcap_path)
    : path_(std::move(pcap_path)), file_(std::fopen(path_.c_str(), "wb")) {
  if (file_ == nullptr) return;
  put(file_,
      std::array<std::uint32_t, 6>{kMagicNanoseconds, 2U | 4U << 16U, 0, 0, 262144, kLinkTypeRaw});
}

PacketRecorder::~PacketRecorder() {
  if (file_ != nullptr) (void)std::fclose(file_);
}

void PacketRecorder::record(Instant at, bool to_server, Bytes packet) {
  const auto nanoseconds = at.time_since_epoch().count();
  char time[40];
  std::snprintf(time, sizeof time, "%.9f %s ", static_cast<double>(nanoseconds) / 1e9,
                to_server ? "->" : "<-");
  last_.push_back(time + wire::format_packet(packet));
  if (last_.size() > kLinesKept) last_.pop_front();
  if (file_ == nullptr) return;
  const auto octets = static_cast<std::uint32_t>(packet.size());
  put(file_, std::array<std::uint32_t, 4>{static_cast<std::uint32_t>(nanoseconds / 1'000'000'000),
                                          static_cast<std::uint32_t>(nanoseconds % 1'000'000'000),
                                          octets, octets});
  put(file_, packet);
  (void)std::fflush(file_);
}

std::string PacketRecorder::describe_last() const {
  std::string text;
  for (const std::string& line : last_) text += "  " + line + "\n";
  return text;
}

}  // namespace runnel::test
