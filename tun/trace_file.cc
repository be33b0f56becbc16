#include "runnel/trace_file.h"

#include <cerrno>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <system_error>

namespace runnel::tun {
namespace {

constexpr std::size_t kBufferOctets = std::size_t{256} << 10U;
constexpr const char* kColumns =
    "time,connection,event,offset,octets,una,nxt,in_flight,cwnd,ssthresh,srtt,rtt,delivery_rate,"
    "pacing_rate,phase\n";

struct Closer {
  void operator()(std::FILE* file) const noexcept { (void)std::fclose(file); }
};

double seconds_of(Duration time) {
  return std::chrono::duration<double>(time).count();
}

// "," and the field, which is empty when there is nothing to say.
void put(std::FILE* file, const std::optional<std::uint64_t>& octets) {
  (void)(octets ? std::fprintf(file, ",%" PRIu64, *octets) : std::fputc(',', file));
}
void put(std::FILE* file, const std::optional<Duration>& time) {
  (void)(time ? std::fprintf(file, ",%.6f", seconds_of(*time)) : std::fputc(',', file));
}
std::optional<std::uint64_t> unless_zero(std::uint64_t value) {
  return value != 0 ? std::optional(value) : std::nullopt;
}

}  // namespace

struct TraceFile::Parts {
  std::string path;
  std::unique_ptr<std::FILE, Closer> file;
  std::optional<Instant> first{};

  [[noreturn]] void fail() const {
    throw std::system_error(errno, std::generic_category(), "cannot write the trace " + path);
  }
};

TraceFile::TraceFile(const std::string& path)
    : parts_(new Parts{path, std::unique_ptr<std::FILE, Closer>(std::fopen(path.c_str(), "we"))}) {
  if (!parts_->file) parts_->fail();
  (void)std::setvbuf(parts_->file.get(), nullptr, _IOFBF, kBufferOctets);
  (void)std::fputs(kColumns, parts_->file.get());
}

TraceFile::~TraceFile() = default;

void TraceFile::on_transmission(const Transmission& record) {
  write(record.at, record.connection, record.is_retransmission ? "resend" : "send", record.offset,
        record.octets, std::nullopt, record.state);
}

void TraceFile::on_acknowledgment(const Acknowledgment& record) {
  write(record.at, record.connection, "ack", record.state.una_offset, record.newly_delivered_octets,
        record.rtt_sample, record.state);
}

void TraceFile::write(Instant at, ConnectionId connection, const char* event, std::uint64_t offset,
                      std::uint64_t octets, const std::optional<Duration>& rtt,
                      const SendingState& state) {
  if (!parts_->first) parts_->first = at;
  std::FILE* const file = parts_->file.get();
  (void)std::fprintf(file,
                     "%.6f,%" PRIu32 ".%" PRIu32 ",%s,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64
                     ",%" PRIu64 ",%" PRIu64,
                     seconds_of(at - *parts_->first), connection.index, connection.generation,
                     event, offset, octets, state.una_offset, state.nxt_offset,
                     state.in_flight_octets, state.congestion_window_octets);
  put(file, state.slow_start_threshold_octets);
  put(file, state.smoothed_rtt);
  put(file, rtt);
  put(file, unless_zero(state.delivery_rate_octets));
  put(file, unless_zero(state.pacing_rate_octets));
  (void)std::fprintf(file, ",%.*s\n", static_cast<int>(state.phase.size()), state.phase.data());
}

void TraceFile::flush() {
  errno = 0;
  if (std::fflush(parts_->file.get()) != 0 || std::ferror(parts_->file.get()) != 0) parts_->fail();
}

}  // namespace runnel::tun
