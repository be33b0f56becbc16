// A stream of octets each way between the two hosts of a HostPair.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "tests/support/host_pair.h"

namespace runnel::test {

// Octet `i` of the stream with this number: nothing that repeats with a period of a segment.
[[nodiscard]] constexpr std::uint8_t stream_octet(std::uint32_t stream, std::uint64_t i) noexcept {
  std::uint64_t x = (i + 1) * 0x9e3779b97f4a7c15U + stream;
  x ^= x >> 29U;
  return static_cast<std::uint8_t>(x * 0xbf58476d1ce4e5b9U >> 56U);
}

// One end of a connection that writes a stream, ends it, and checks what comes from the other side.
class StreamEnd {
 public:
  // Writes `octets` of stream `outgoing`, and expects stream `incoming`.
  StreamEnd(std::uint32_t outgoing, std::uint64_t octets, std::uint32_t incoming)
      : outgoing_(outgoing), octets_(octets), incoming_(incoming) {}
  StreamEnd(const StreamEnd&) = delete;
  StreamEnd& operator=(const StreamEnd&) = delete;

  // Registers on a socket that is, or is about to be, established.
  void attach(TcpSocket socket, bool is_established);

  [[nodiscard]] std::uint64_t received() const noexcept { return received_; }
  [[nodiscard]] bool is_intact() const noexcept { return is_intact_; }
  [[nodiscard]] bool has_ended() const noexcept { return has_ended_; }
  [[nodiscard]] bool is_closed() const noexcept { return close_count_ == 1; }
  [[nodiscard]] std::error_code error() const noexcept { return error_; }
  [[nodiscard]] TcpSocket& socket() noexcept { return socket_; }

 private:
  void write_more();
  void take(Bytes octets);

  std::uint32_t outgoing_;
  std::uint64_t octets_;
  std::uint32_t incoming_;
  std::uint64_t written_ = 0;
  std::uint64_t received_ = 0;
  bool is_intact_ = true;
  bool has_ended_ = false;
  bool is_shut_down_ = false;
  int close_count_ = 0;
  std::error_code error_;
  TcpSocket socket_;
};

// Opens a connection from the client to the server, sends `to_server` and `to_client` octets, and
// expects every one of them, both ends, and nothing left over on either host. Returns the virtual
// time that it took until both streams had ended.
Duration transfer_and_expect_everything(HostPair& pair, std::uint64_t to_server,
                                        std::uint64_t to_client,
                                        Duration limit = std::chrono::hours(2));

// Expects that a host holds no connection, timer or octet any more.
void expect_nothing_left(const Host& host);

}  // namespace runnel::test
