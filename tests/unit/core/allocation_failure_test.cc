// What connections at rest do when the system has no memory to wake them: they go on resting.
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

#include "tests/support/host_pair.h"

namespace {

// From this size on nothing is granted; 0: everything is.
std::size_t refused_octets = 0;

}  // namespace

// All of those that operator delete may be given what they return: a sanitizer has its own for what
// is not replaced here. Not inlined, or the compiler takes free() for the wrong end of what new has
// begun.
[[gnu::noinline]] void* operator new(std::size_t octets, const std::nothrow_t&) noexcept {
  const bool is_refused = refused_octets != 0 && octets >= refused_octets;
  return is_refused ? nullptr : std::malloc(octets);
}
[[gnu::noinline]] void* operator new(std::size_t octets) {
  void* const memory = ::operator new(octets, std::nothrow);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace runnel::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t kPort = 7;

// No room for more connections that are awake: they come in blocks of this many, of three kilobytes
// each. Everything else that is needed is smaller than such a block.
constexpr std::size_t kBlock = 64;
class NoRoomForBlocks {
 public:
  NoRoomForBlocks() { refused_octets = kBlock * 2048; }
  NoRoomForBlocks(const NoRoomForBlocks&) = delete;
  NoRoomForBlocks& operator=(const NoRoomForBlocks&) = delete;
  ~NoRoomForBlocks() { refused_octets = 0; }
};

// An echo server, at which a block of connections is awake for octets that wait to be read, and one
// connection more is at rest.
class AllocationFailure : public ::testing::Test {
 protected:
  void start(const TcpConfig& tcp = {}) {
    HostPairOptions options;
    options.server.awake_connections = 0;
    options.server.tcp = tcp;
    hosts_ = std::make_unique<HostPair>(options);
    auto listener = server().sockets.listen({IpAddress(), kPort}).value();
    listener.on(events::connection, [this](TcpSocket peer) {
      served_.push_back(peer);
      peer.on(events::data, [peer](Bytes octets) mutable { (void)peer.write(octets); });
    });
    for (std::size_t i = 0; i <= kBlock; ++i) {
      auto socket = hosts_->client().sockets.connect({server().address, kPort}).value();
      socket.on(events::data, [this](Bytes octets) { echoed_ += octets.size(); });
      clients_.push_back(socket);
      hosts_->run_for(10ms);
    }
    hosts_->run_for(10s);
    ASSERT_EQ(server().stack.awake_count(), 0U);
    for (std::size_t i = 0; i < kBlock; ++i) {
      served_[i].pause();
      (void)clients_[i].write(as_bytes("wait"));
    }
    hosts_->run_for(10s);
    ASSERT_EQ(server().stack.awake_count(), kBlock);
  }

  // Everything goes on and comes to its end.
  void expect_all_well() {
    for (TcpSocket& socket : served_) socket.resume();
    hosts_->run_for(10s);
    EXPECT_EQ(server().stack.connection_count(), kBlock + 1);
    for (TcpSocket& socket : clients_) (void)socket.close();
    for (TcpSocket& socket : served_) (void)socket.close();
    hosts_->run_for(5min);
    EXPECT_EQ(server().stack.connection_count(), 0U);
    EXPECT_EQ(server().stack.timer_count(), 0U);
    EXPECT_EQ(server().stack.memory_octets(), 0U);
  }

  Host& server() { return hosts_->server(); }
  [[nodiscard]] std::uint64_t refusals() {
    return server().stack.counters().dropped(DropReason::NoMemory);
  }

  std::unique_ptr<HostPair> hosts_;
  std::vector<TcpSocket> clients_;
  std::vector<TcpSocket> served_;
  std::size_t echoed_ = 0;
};

TEST_F(AllocationFailure, ASegmentThatCannotWakeItsConnectionIsLostAndComesAgain) {
  start();
  {
    const NoRoomForBlocks failure;
    (void)clients_.back().write(as_bytes("hello"));
    hosts_->run_for(50ms);
    EXPECT_EQ(refusals(), 1U) << "each packet that is lost is counted, once";
    EXPECT_EQ(server().stack.awake_count(), kBlock);
    hosts_->run_for(500ms);
    EXPECT_GE(refusals(), 2U);
    EXPECT_EQ(echoed_, 0U);
  }
  hosts_->run_for(10s);
  EXPECT_EQ(echoed_, 5U);
  expect_all_well();
}

TEST_F(AllocationFailure, ATimerThatCannotWakeItsConnectionWaits) {
  TcpConfig tcp;
  tcp.keepalive = true;
  tcp.keepalive_idle = 60s;
  start(tcp);
  {
    const NoRoomForBlocks failure;
    hosts_->run_for(61s);
    EXPECT_EQ(server().stack.counters().tcp_keepalive_probes, kBlock);
    const auto before = refusals();
    hosts_->run_for(1s);
    EXPECT_EQ(refusals(), before + 10) << "it asks again, but not all the time";
  }
  hosts_->run_for(101ms);
  EXPECT_EQ(server().stack.counters().tcp_keepalive_probes, kBlock + 1);
  expect_all_well();
}

TEST_F(AllocationFailure, ACallThatCannotWakeItsConnectionChangesNothing) {
  start();
  {
    const NoRoomForBlocks failure;
    EXPECT_EQ(served_.back().write(as_bytes("news")).error(), Errc::no_buffer_space);
    EXPECT_EQ(served_.back().close().error(), Errc::no_buffer_space);
    EXPECT_EQ(server().stack.awake_count(), kBlock);
  }
  EXPECT_EQ(*served_.back().write(as_bytes("news")), 4U);
  hosts_->run_for(10s);
  EXPECT_EQ(echoed_, 4U);
  expect_all_well();
}

}  // namespace
}  // namespace runnel::test
