// What the tests of sockets share: two hosts, one listener, and a log of what was emitted.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "tests/support/host_pair.h"

namespace runnel::test {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

// A pair with one listener; every accepted socket goes to `on_server`.
class SocketEvents : public ::testing::Test {
 protected:
  static constexpr std::uint16_t kPort = 7;

  void SetUp() override {
    auto result = pair_.server().sockets.listen({IpAddress(), kPort});
    ASSERT_TRUE(result);
    listener_ = *result;
    listener_.on(events::connection, [this](TcpSocket socket) {
      server_ = socket;
      if (on_server_) on_server_(socket);
    });
  }

  // Connects; afterwards client_ and server_ are both established.
  void establish(std::function<void(TcpSocket)> on_server = {}) {
    on_server_ = std::move(on_server);
    auto socket = pair_.client().sockets.connect({pair_.server().address, kPort});
    ASSERT_TRUE(socket);
    client_ = *socket;
    pair_.run_for(10ms);
    ASSERT_TRUE(client_.is_open());
    ASSERT_TRUE(server_.is_open());
  }

  // Notes everything that `socket` emits under its name.
  void note_everything(TcpSocket socket, const std::string& name) {
    socket.on(events::connected, [this, name] { log_.push_back(name + " connect"); });
    socket.on(events::data, [this, name](Bytes octets) {
      log_.push_back(name + " data " + std::string(as_text(octets)));
    });
    socket.on(events::drain, [this, name] { log_.push_back(name + " drain"); });
    socket.on(events::end, [this, name] { log_.push_back(name + " end"); });
    socket.on(events::error, [this, name](std::error_code error) {
      log_.push_back(name + " error " + error.message());
    });
    socket.on(events::timeout, [this, name] { log_.push_back(name + " timeout"); });
    socket.on(events::close, [this, name] { log_.push_back(name + " close"); });
  }

  // What one side has noted.
  [[nodiscard]] std::vector<std::string> log_of(const std::string& name) const {
    std::vector<std::string> lines;
    for (const std::string& line : log_) {
      if (line.starts_with(name + ' ')) lines.push_back(line.substr(name.size() + 1));
    }
    return lines;
  }

  HostPair pair_;
  TcpListener listener_;
  std::function<void(TcpSocket)> on_server_;
  TcpSocket client_;
  TcpSocket server_;
  std::vector<std::string> log_;
};

}  // namespace runnel::test
