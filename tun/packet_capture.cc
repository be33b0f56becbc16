#include "runnel/packet_capture.h"

#include <pcap/pcap.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>
#include <vector>

namespace runnel::tun {
namespace {

// More than any IP packet, and what tcpdump takes: nothing is ever cut off.
constexpr int kSnapshotOctets = 262144;

struct PcapCloser {
  void operator()(pcap_t* pcap) const noexcept { ::pcap_close(pcap); }
  void operator()(pcap_dumper_t* dumper) const noexcept { ::pcap_dump_close(dumper); }
};

}  // namespace

struct CapturingDevice::Parts {
  Device& inner;
  std::string path;
  Watcher watcher;
  Clock clock;
  std::unique_ptr<pcap_t, PcapCloser> pcap;
  std::unique_ptr<pcap_dumper_t, PcapCloser> file;
  std::vector<std::uint8_t> flat;  // an outgoing packet in one piece

  void open_file() {
    pcap.reset(::pcap_open_dead_with_tstamp_precision(DLT_RAW, kSnapshotOctets,
                                                      PCAP_TSTAMP_PRECISION_NANO));
    if (!pcap) throw DeviceError(path + ": cannot capture: out of memory");
    file.reset(::pcap_dump_open(pcap.get(), path.c_str()));
    if (!file) throw DeviceError(std::string("cannot capture to ") + ::pcap_geterr(pcap.get()));
  }

  void record(Direction direction, Bytes packet) {
    const Instant at = clock();
    if (file) {
      const Duration time = at.time_since_epoch();
      const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
      pcap_pkthdr header{};
      header.ts.tv_sec = seconds.count();
      header.ts.tv_usec = (time - seconds).count();  // nanoseconds, in a file of that precision
      header.caplen = header.len = static_cast<bpf_u_int32>(packet.size());
      ::pcap_dump(reinterpret_cast<u_char*>(file.get()), &header, packet.data());
    }
    if (watcher) watcher(direction, packet, at);
  }

  // The frame's octets in one piece, good until the next call.
  Bytes flatten(const TxFrame& frame) {
    if (frame.payload().empty()) return frame.header();
    flat.resize(frame.size());
    return Bytes(flat).first(frame.copy_to(flat));
  }
};

CapturingDevice::CapturingDevice(Device& inner, const std::string& path, Watcher watcher,
                                 Clock clock)
    : parts_(new Parts{inner, path, std::move(watcher), std::move(clock), nullptr, nullptr, {}}) {
  if (!path.empty()) parts_->open_file();
}

CapturingDevice::~CapturingDevice() = default;

Device::ReadStatus CapturingDevice::read(RxBuffer& buffer) {
  const ReadStatus status = parts_->inner.read(buffer);
  if (status == ReadStatus::Packet) parts_->record(Direction::In, buffer.packet());
  return status;
}

Device::WriteStatus CapturingDevice::write(TxFrame& frame) {
  // Only what crossed: a frame that found the device Full comes again.
  const WriteStatus status = parts_->inner.write(frame);
  if (status == WriteStatus::Written) parts_->record(Direction::Out, parts_->flatten(frame));
  return status;
}

int CapturingDevice::descriptor() const noexcept {
  return parts_->inner.descriptor();
}

bool CapturingDevice::checksum_offload() const noexcept {
  return parts_->inner.checksum_offload();
}

bool CapturingDevice::tcp_segmentation_offload() const noexcept {
  return parts_->inner.tcp_segmentation_offload();
}

Instant CapturingDevice::next_deadline() const noexcept {
  return parts_->inner.next_deadline();
}

void CapturingDevice::release() {
  parts_->inner.release();
}

void CapturingDevice::flush() {
  if (!parts_->file) return;
  errno = 0;
  if (::pcap_dump_flush(parts_->file.get()) != 0 ||
      std::ferror(::pcap_dump_file(parts_->file.get())) != 0) {
    throw DeviceError(parts_->path + ": cannot write the capture: " +
                      (errno != 0 ? std::strerror(errno) : "an earlier write failed"));
  }
}

}  // namespace runnel::tun
