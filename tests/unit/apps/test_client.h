// A client in memory, as simple as nc: sends text, collects what comes.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>

#include "runnel/sockets.h"
#include "runnel/tcp_socket.h"
#include "tests/support/host_pair.h"

namespace runnel::apps {

// One connection from the pair's client to a port of its server.
class TestClient {
 public:
  TestClient(test::HostPair& pair, std::uint16_t port, const ConnectOptions& options = {})
      : pair_(pair) {
    const Result<TcpSocket> socket =
        pair.client().sockets.connect({pair.server().address, port}, options);
    EXPECT_TRUE(socket) << socket.error().message();
    if (!socket) return;
    socket_ = *socket;
    socket_.allow_half_open(true);
    socket_.on(events::data, [this](Bytes octets) {
      received_octets_ += octets.size();
      if (keeps_text_) received_ += as_text(octets);
    });
    socket_.on(events::drain, [this] { flush(); });
    socket_.on(events::end, [this] { has_peer_ended_ = true; });
    socket_.on(events::error, [this](std::error_code error) { error_ = error; });
    socket_.on(events::close, [this] { is_closed_ = true; });
  }
  TestClient(const TestClient&) = delete;
  TestClient& operator=(const TestClient&) = delete;
  ~TestClient() = default;

  // Sends `text` in full, as fast as the connection takes it.
  void send(std::string_view text) {
    waiting_ += text;
    flush();
  }
  void send_and_end(std::string_view text) {
    ends_when_sent_ = true;
    send(text);
  }

  // Runs the pair until `text` has come (after what was taken before); false when it does not.
  [[nodiscard]] bool wait_for(std::string_view text) {
    return pair_.run_until([&] { return received_.find(text) != std::string::npos; }, kPatience);
  }
  [[nodiscard]] bool wait_for_octets(std::size_t octets) {
    return pair_.run_until([&] { return received_octets_ >= octets; }, kPatience);
  }
  [[nodiscard]] bool wait_for_end() {
    return pair_.run_until([&] { return has_peer_ended_ || is_closed_; }, kPatience);
  }
  [[nodiscard]] bool wait_for_close() {
    return pair_.run_until([&] { return is_closed_; }, kPatience);
  }

  // Gives what has come, and forgets it.
  std::string take() { return std::exchange(received_, {}); }
  [[nodiscard]] const std::string& received() const noexcept { return received_; }
  [[nodiscard]] std::size_t received_octets() const noexcept { return received_octets_; }
  // Counts what comes without keeping it.
  void count_only() noexcept { keeps_text_ = false; }

  [[nodiscard]] bool has_peer_ended() const noexcept { return has_peer_ended_; }
  [[nodiscard]] bool is_closed() const noexcept { return is_closed_; }
  [[nodiscard]] std::error_code error() const noexcept { return error_; }
  [[nodiscard]] std::size_t unsent_octets() const noexcept { return waiting_.size(); }
  [[nodiscard]] TcpSocket& socket() noexcept { return socket_; }

 private:
  static constexpr Duration kPatience = std::chrono::minutes(5);

  void flush() {
    std::size_t sent = 0;
    while (sent < waiting_.size()) {
      const auto written = socket_.write(as_bytes(waiting_).subspan(sent));
      if (!written) break;
      sent += *written;
    }
    waiting_.erase(0, sent);
    if (waiting_.empty() && ends_when_sent_) (void)socket_.shutdown_write();
  }

  test::HostPair& pair_;
  TcpSocket socket_;
  std::string waiting_;
  std::string received_;
  std::size_t received_octets_ = 0;
  bool keeps_text_ = true;
  bool ends_when_sent_ = false;
  bool has_peer_ended_ = false;
  bool is_closed_ = false;
  std::error_code error_;
};

}  // namespace runnel::apps
