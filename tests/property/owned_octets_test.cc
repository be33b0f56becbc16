// Random ways to read and write, with and without copies, give the same streams; and the memory
// that they hold is what the queues and Buffers say.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <string>
#include <vector>

#include "tests/support/transfer.h"

namespace runnel::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kOctets = 400'000;

// Writes a stream in all the ways that there are.
class Writer {
 public:
  Writer(SeededRandom& dice, int& buffers_alive) : dice_(dice), buffers_alive_(buffers_alive) {}

  void write(TcpSocket& socket) {
    while (written_ < kOctets) {
      const std::size_t size = static_cast<std::size_t>(
          std::min<std::uint64_t>(kOctets - written_, 1 + dice_.below(1ULL << dice_.below(18))));
      if (const std::size_t taken = write_once(socket, size); taken < size) return;
    }
    if (!has_ended_) (void)socket.shutdown_write();
    has_ended_ = true;
  }

 private:
  std::size_t write_once(TcpSocket& socket, std::size_t size) {
    std::string octets(size, '\0');
    for (std::size_t i = 0; i < size; ++i) {
      octets[i] = static_cast<char>(stream_octet(1, written_ + i));
    }
    std::size_t taken = 0;
    switch (dice_.below(4)) {
      case 0:
        taken = socket.write(as_bytes(octets)).value_or(0);
        break;
      case 1:
        taken = socket.write(Buffer(std::move(octets))).value_or(0);
        break;
      case 2: {  // in parts
        Buffer whole(std::move(octets));
        const std::size_t first = static_cast<std::size_t>(dice_.below(size + 1));
        Buffer part = whole.part(0, first);
        taken = socket.write(part).value_or(0);
        EXPECT_EQ(part.size(), first - taken);
        whole.remove_prefix(taken);
        if (taken == first) taken += socket.write(whole).value_or(0);
        break;
      }
      default: {
        auto* const held = new std::string(std::move(octets));
        ++buffers_alive_;
        taken = socket
                    .write(Buffer::adopt(as_bytes(*held),
                                         [held, this] {
                                           std::fill(held->begin(), held->end(), '!');
                                           delete held;
                                           --buffers_alive_;
                                         }))
                    .value_or(0);
      }
    }
    written_ += taken;
    return taken;
  }

  SeededRandom& dice_;
  int& buffers_alive_;
  std::uint64_t written_ = 0;
  bool has_ended_ = false;
};

// Sends back what it reads, in all the ways that there are.
class Echo {
 public:
  explicit Echo(SeededRandom& dice) : dice_(dice) {}

  void attach(TcpSocket socket) {
    socket_ = socket;
    socket_.allow_half_open(true);
    socket_.on(events::readable, [this] { run(); });
    socket_.on(events::drain, [this] { run(); });
    socket_.on(events::end, [this] { run(); });
  }

  void run() {
    if (is_done_) return;
    for (;;) {
      while (!kept_.empty()) {
        if (!socket_.write(kept_.front()) || !kept_.front().empty()) return;
        kept_.pop_front();
      }
      const auto view = socket_.peek();
      if (!view) return;
      if (view->empty()) break;
      const std::size_t size = 1 + static_cast<std::size_t>(dice_.below(1ULL << dice_.below(18)));
      switch (dice_.below(4)) {
        case 0:
          if (!socket_.forward_to(socket_, size)) return;
          break;
        case 1: {
          auto taken = socket_.take(size);
          ASSERT_TRUE(taken);
          ASSERT_LE(taken->size(), size);
          kept_.push_back(std::move(*taken));
          break;
        }
        case 2: {  // copies in between
          std::vector<std::uint8_t> out(size);
          const std::size_t count = socket_.read(out).value_or(0);
          out.resize(count);
          kept_.emplace_back(std::move(out));
          break;
        }
        default: {  // two parts that share a block
          auto taken = socket_.take(size);
          ASSERT_TRUE(taken);
          const std::size_t first = static_cast<std::size_t>(dice_.below(taken->size() + 1));
          kept_.push_back(taken->part(0, first));
          kept_.push_back(taken->part(first, taken->size() - first));
        }
      }
    }
    is_done_ = true;
    EXPECT_TRUE(socket_.shutdown_write());
    EXPECT_TRUE(socket_.close());
  }

 private:
  SeededRandom& dice_;
  TcpSocket socket_;
  std::deque<Buffer> kept_;
  bool is_done_ = false;
};

TEST(OwnedOctetsProperty, StreamsAreTheSameAsWithCopies) {
  for (std::uint64_t seed = 1; seed <= 24; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    SeededRandom dice(seed);
    HostPairOptions options;
    options.seed = seed;
    options.keep_whole_trace = false;
    options.check_with_libtins = false;
    options.offload = seed % 3 != 0;
    options.loss_per_mille = seed % 2 == 0 ? 20 : 0;
    options.reordering_per_mille = static_cast<std::uint32_t>(dice.below(50));
    options.server.tcp.send_buffer_octets = 1000 + dice.below(200'000);
    options.server.tcp.receive_buffer_octets = 1000 + dice.below(200'000);
    if (seed % 4 == 0) {  // everybody waits for memory
      options.server.memory_budget_octets = std::size_t{600} << 10U;
      options.client.memory_budget_octets = std::size_t{600} << 10U;
    }
    HostPair pair(options);

    int buffers_alive = 0;
    Writer writer(dice, buffers_alive);
    Echo echo(dice);
    auto listener = pair.server().sockets.listen({IpAddress(), 7});
    ASSERT_TRUE(listener);
    listener->on(events::connection, [&](TcpSocket socket) { echo.attach(socket); });
    auto client = pair.client().sockets.connect({pair.server().address, 7});
    ASSERT_TRUE(client);
    std::uint64_t received = 0;
    std::uint64_t wrong = 0;
    bool has_ended = false;
    client->on(events::connected, [&] { writer.write(*client); });
    client->on(events::drain, [&] { writer.write(*client); });
    client->on(events::data, [&](Bytes octets) {
      // Some of them by itself: what is shown then is what is left.
      const std::size_t most = static_cast<std::size_t>(dice.below(2 * octets.size()));
      if (dice.below(2) == 0 && most > 0) {
        const auto taken = client->take(most);
        ASSERT_TRUE(taken);
        ASSERT_EQ(taken->bytes().data(), octets.data());
      }
      for (const std::uint8_t octet : octets) {
        if (octet != stream_octet(1, received)) ++wrong;
        ++received;
      }
    });
    client->on(events::end, [&] { has_ended = true; });
    ASSERT_TRUE(pair.run_until([&] { return has_ended; }, 1h));
    EXPECT_EQ(received, kOctets);
    EXPECT_EQ(wrong, 0U);
    EXPECT_TRUE(listener->close());
    EXPECT_TRUE(pair.run_until_idle());
    EXPECT_EQ(buffers_alive, 0);
    expect_nothing_left(pair.client());
    expect_nothing_left(pair.server());
  }
}

}  // namespace
}  // namespace runnel::test
