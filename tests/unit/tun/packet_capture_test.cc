#include "runnel/packet_capture.h"

#include <gtest/gtest.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <tins/tins.h>
#include <unistd.h>

#include <deque>
#include <memory>
#include <string>

#include "tests/unit/tun/packets.h"

namespace runnel::tun {
namespace {

using Octets = std::vector<std::uint8_t>;
using std::chrono::nanoseconds;
using std::chrono::seconds;

// Gives the packets that it was told to, and answers writes as it was told to.
class ScriptedDevice final : public Device {
 public:
  ReadStatus read(RxBuffer& buffer) override {
    if (incoming.empty()) return ReadStatus::Empty;
    const Octets packet = incoming.front();
    incoming.pop_front();
    std::copy(packet.begin(), packet.end(), buffer.space().begin() + 3);
    buffer.set_packet(3, packet.size());
    return ReadStatus::Packet;
  }
  WriteStatus write(TxFrame&) override { return answer; }
  int descriptor() const noexcept override { return 42; }
  bool checksum_offload() const noexcept override { return true; }
  bool tcp_segmentation_offload() const noexcept override { return false; }

  std::deque<Octets> incoming;
  WriteStatus answer = WriteStatus::Written;
};

class TemporaryFile {
 public:
  TemporaryFile() {
    const int descriptor = ::mkstemp(path_.data());
    EXPECT_GE(descriptor, 0);
    ::close(descriptor);
  }
  ~TemporaryFile() { ::unlink(path_.c_str()); }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_ = "/tmp/runnel_capture_XXXXXX";
};

struct Captured {
  Octets octets;
  Duration at{};
  friend bool operator==(const Captured&, const Captured&) = default;
};

// Reads a file back with libpcap, which keeps nanoseconds (libtins does not).
std::vector<Captured> read_pcap(const std::string& path) {
  char error[PCAP_ERRBUF_SIZE] = "";
  const std::unique_ptr<pcap_t, void (*)(pcap_t*)> file(
      ::pcap_open_offline_with_tstamp_precision(path.c_str(), PCAP_TSTAMP_PRECISION_NANO, error),
      &::pcap_close);
  EXPECT_TRUE(file) << error;
  if (!file) return {};
  EXPECT_EQ(::pcap_datalink(file.get()), DLT_RAW);
  std::vector<Captured> result;
  pcap_pkthdr* header = nullptr;
  const u_char* data = nullptr;
  while (::pcap_next_ex(file.get(), &header, &data) == 1) {
    EXPECT_EQ(header->caplen, header->len);
    result.push_back({Octets(data, data + header->caplen),
                      seconds(header->ts.tv_sec) + nanoseconds(header->ts.tv_usec)});
  }
  return result;
}

Octets tcp_packet(std::size_t payload_octets) {
  Tins::IP packet = Tins::IP("192.0.2.1", "192.0.2.2") / Tins::TCP(80, 40000) /
                    Tins::RawPDU(pattern(payload_octets));
  return packet.serialize();
}

class CapturingDeviceTest : public ::testing::Test {
 protected:
  // Each packet a nanosecond and a second after the one before.
  CapturingDevice::Clock clock() {
    return [this] { return Instant(now_ += seconds(1) + nanoseconds(1)); };
  }
  TemporaryFile file_;
  ScriptedDevice inner_;
  TestBuffer memory_;
  Duration now_ = seconds(1700000000) + nanoseconds(999999998);
};

TEST_F(CapturingDeviceTest, TheFileHoldsTheOctetsThatCrossedWithNanosecondTimes) {
  const Octets in = tcp_packet(100);
  const Octets out = tcp_packet(1400);
  {
    CapturingDevice device(inner_, file_.path(), {}, clock());
    inner_.incoming.push_back(in);
    RxBuffer buffer = memory_.acquire();
    ASSERT_EQ(device.read(buffer), Device::ReadStatus::Packet);
    EXPECT_EQ(to_vector(buffer.packet()), in);
    TxFrame frame;
    fill(frame, out, 40);
    ASSERT_EQ(device.write(frame), Device::WriteStatus::Written);
  }
  const std::vector<Captured> expected = {
      {in, seconds(1700000001) + nanoseconds(999999999)},
      {out, seconds(1700000003)},
  };
  EXPECT_EQ(read_pcap(file_.path()), expected);
}

TEST_F(CapturingDeviceTest, LibtinsReadsTheFileAndFindsTheSamePackets) {
  const Octets packet = tcp_packet(333);
  {
    CapturingDevice device(inner_, file_.path(), {}, clock());
    TxFrame frame;
    fill(frame, packet, 40);
    ASSERT_EQ(device.write(frame), Device::WriteStatus::Written);
  }
  Tins::FileSniffer sniffer(file_.path());
  EXPECT_EQ(sniffer.link_type(), DLT_RAW);
  const std::unique_ptr<Tins::PDU> read(sniffer.next_packet());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->rfind_pdu<Tins::TCP>().sport(), 40000);
  EXPECT_EQ(read->rfind_pdu<Tins::RawPDU>().payload(), pattern(333));
  const std::unique_ptr<Tins::PDU> end(sniffer.next_packet());
  EXPECT_FALSE(end);
}

TEST_F(CapturingDeviceTest, TheLargestPacketIsNotCutOff) {
  const Octets packet = tcp_packet(65535 - 40);
  ASSERT_EQ(packet.size(), 65535U);
  {
    CapturingDevice device(inner_, file_.path(), {}, clock());
    inner_.incoming.push_back(packet);
    RxBuffer buffer = memory_.acquire();
    ASSERT_EQ(device.read(buffer), Device::ReadStatus::Packet);
  }
  const auto captured = read_pcap(file_.path());
  ASSERT_EQ(captured.size(), 1U);
  EXPECT_EQ(captured[0].octets, packet);
}

TEST_F(CapturingDeviceTest, WhatDidNotCrossIsNotCaptured) {
  CapturingDevice device(inner_, file_.path(), {}, clock());
  RxBuffer buffer = memory_.acquire();
  EXPECT_EQ(device.read(buffer), Device::ReadStatus::Empty);
  TxFrame frame;
  const Octets packet = tcp_packet(10);
  fill(frame, packet, 40);
  inner_.answer = Device::WriteStatus::Full;
  EXPECT_EQ(device.write(frame), Device::WriteStatus::Full);
  inner_.answer = Device::WriteStatus::Dropped;
  EXPECT_EQ(device.write(frame), Device::WriteStatus::Dropped);
  device.flush();
  EXPECT_TRUE(read_pcap(file_.path()).empty());
}

TEST_F(CapturingDeviceTest, FlushMakesTheFileComplete) {
  CapturingDevice device(inner_, file_.path(), {}, clock());
  TxFrame frame;
  const Octets packet = tcp_packet(10);
  fill(frame, packet, 40);
  ASSERT_EQ(device.write(frame), Device::WriteStatus::Written);
  device.flush();
  EXPECT_EQ(read_pcap(file_.path()).size(), 1U);
}

TEST_F(CapturingDeviceTest, TheWatcherSeesDirectionOctetsAndTime) {
  const Octets packet = tcp_packet(50);
  std::vector<std::pair<Direction, Captured>> seen;
  CapturingDevice device(
      inner_, "",
      [&](Direction direction, Bytes octets, Instant at) {
        seen.push_back({direction, {to_vector(octets), at.time_since_epoch()}});
      },
      [] { return Instant(seconds(7)); });
  inner_.incoming.push_back(packet);
  RxBuffer buffer = memory_.acquire();
  ASSERT_EQ(device.read(buffer), Device::ReadStatus::Packet);
  TxFrame frame;
  fill(frame, packet, packet.size());  // all of it in the header, no slices
  ASSERT_EQ(device.write(frame), Device::WriteStatus::Written);
  device.flush();  // without a file: nothing to do
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_EQ(seen[0].first, Direction::In);
  EXPECT_EQ(seen[1].first, Direction::Out);
  for (const auto& each : seen) EXPECT_EQ(each.second, (Captured{packet, seconds(7)}));
}

TEST_F(CapturingDeviceTest, TheRestIsTheInnerDevices) {
  CapturingDevice device(inner_, "", {}, clock());
  EXPECT_EQ(device.descriptor(), 42);
  EXPECT_TRUE(device.checksum_offload());
  EXPECT_FALSE(device.tcp_segmentation_offload());
}

TEST_F(CapturingDeviceTest, APathThatCannotBeWrittenIsOneClearLine) {
  try {
    CapturingDevice device(inner_, "/nonexistent/directory/file.pcap", {}, clock());
    FAIL() << "opened";
  } catch (const DeviceError& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("/nonexistent/directory/file.pcap"), std::string::npos) << message;
    EXPECT_NE(message.find("No such file"), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
}

TEST_F(CapturingDeviceTest, AFullDiskIsReportedByFlush) {
  if (::access("/dev/full", W_OK) != 0) FAIL() << "this system has no /dev/full";
  CapturingDevice device(inner_, "/dev/full", {}, clock());
  TxFrame frame;
  const Octets packet = tcp_packet(10);
  fill(frame, packet, 40);
  ASSERT_EQ(device.write(frame), Device::WriteStatus::Written);
  EXPECT_THROW(device.flush(), DeviceError);
}

}  // namespace
}  // namespace runnel::tun
