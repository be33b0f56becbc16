// Two ends that write and close in every order, at every distance, with every one or two of the
// packets lost: RFC 9293 section 3.6.
#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/host_pair.h"
#include "tests/support/transfer.h"

namespace runnel::test {
namespace {

using namespace std::chrono_literals;

// One end of the connection: its socket, and everything that it was told.
struct End {
  TcpSocket socket;
  std::string received;
  int ends = 0;
  int closes = 0;
  std::error_code error;

  void attach(TcpSocket attached, bool reads) {
    socket = attached;
    socket.allow_half_open(true);
    if (reads) {
      socket.on(events::data, [this](Bytes octets) {
        for (const std::uint8_t octet : octets) received.push_back(static_cast<char>(octet));
      });
    }
    socket.on(events::end, [this] { ++ends; });
    socket.on(events::error, [this](std::error_code code) { error = code; });
    socket.on(events::close, [this] { ++closes; });
  }
};

// What may happen, twice for each end: A is the client, B the server.
enum class Act : std::uint8_t { CloseA, CloseB, DataA, DataB };
using Order = std::array<Act, 4>;

std::string name_of_order(const Order& order) {
  static constexpr std::array kNames = {"close A", "close B", "data A", "data B"};
  std::string text;
  for (const Act act : order) text += std::string(kNames[static_cast<std::size_t>(act)]) + ", ";
  return text;
}

std::vector<Order> every_order() {
  Order order = {Act::CloseA, Act::CloseB, Act::DataA, Act::DataB};
  std::vector<Order> orders;
  do {
    orders.push_back(order);
  } while (std::next_permutation(order.begin(), order.end()));
  return orders;
}

constexpr std::size_t kA = 0;
constexpr std::size_t kB = 1;

struct Life {
  explicit Life(bool reads) : pair(options()) {
    auto listening = pair.server().sockets.listen({pair.server().address, 5001});
    listener = *listening;
    listener.on(events::connection, [this, reads](TcpSocket s) { ends[kB].attach(s, reads); });
    ends[kA].attach(*pair.client().sockets.connect({pair.server().address, 5001}), reads);
    pair.run_for(100ms);
    EXPECT_TRUE(ends[kA].socket.is_open() && ends[kB].socket.is_open());
    first_move_a = pair.client().states.changes().size();
    first_move_b = pair.server().states.changes().size();
  }

  static HostPairOptions options() {
    HostPairOptions options;
    options.check_with_libtins = false;
    return options;
  }

  // Drops the packets with these numbers, counted from now on.
  void lose(const std::vector<std::size_t>& numbers) {
    pair.set_filter([this, numbers](Direction, std::vector<std::uint8_t>&) {
      return std::find(numbers.begin(), numbers.end(), packets++) == numbers.end();
    });
  }

  [[nodiscard]] std::vector<TcpState> moves(std::size_t end) {
    const auto& changes = (end == kA ? pair.client() : pair.server()).states.changes();
    const std::size_t first = end == kA ? first_move_a : first_move_b;
    std::vector<TcpState> states;
    for (std::size_t i = first; i < changes.size(); ++i) states.push_back(changes[i].to);
    return states;
  }

  void expect_nothing_left() {
    EXPECT_TRUE(listener.close());
    EXPECT_TRUE(pair.run_until_idle(1h));
    test::expect_nothing_left(pair.client());
    test::expect_nothing_left(pair.server());
  }

  HostPair pair;
  TcpListener listener;
  std::array<End, 2> ends;
  std::size_t packets = 0;
  std::size_t first_move_a = 0;
  std::size_t first_move_b = 0;
};

// Each end ends its own stream: every octet written before arrives, whatever is lost.
void half_close(const Order& order, Duration gap, const std::vector<std::size_t>& lost) {
  Life run(true);
  run.lose(lost);
  std::array<bool, 2> is_closed{};
  std::array<std::string, 2> written;
  for (const Act act : order) {
    const std::size_t who = act == Act::CloseA || act == Act::DataA ? kA : kB;
    End& end = run.ends[who];
    if (act == Act::CloseA || act == Act::CloseB) {
      EXPECT_TRUE(end.socket.shutdown_write());
      is_closed[who] = true;
    } else {
      const auto taken = end.socket.write(as_bytes("some octets"));
      EXPECT_EQ(taken.has_value(), !is_closed[who]);
      if (taken) written[who] = "some octets";
    }
    if (gap > Duration{0}) run.pair.run_for(gap);
  }
  EXPECT_TRUE(run.pair.run_until_idle(1h));
  for (const std::size_t who : {kA, kB}) {
    EXPECT_EQ(run.ends[who].received, written[1 - who]);
    EXPECT_EQ(run.ends[who].ends, 1);
    EXPECT_EQ(run.ends[who].closes, 1);
    EXPECT_FALSE(run.ends[who].error) << run.ends[who].error.message();
    EXPECT_EQ(name_of(run.moves(who).back()), "CLOSED");
  }
  const auto waited = [&](std::size_t who) {
    const auto moves = run.moves(who);
    return std::find(moves.begin(), moves.end(), TcpState::TimeWait) != moves.end();
  };
  EXPECT_TRUE(waited(kA) || waited(kB)) << "somebody must remember the connection";
  run.expect_nothing_left();
}

constexpr std::array kGaps = {Duration{0}, Duration{500us}, Duration{50ms}};

TEST(ClosingInEveryOrder, R_9293_3_6_CLOSERX_HalfClosesLoseNothing) {
  for (const Order& order : every_order()) {
    for (const Duration gap : kGaps) {
      SCOPED_TRACE(name_of_order(order) + std::to_string(gap.count()) + " ns apart");
      half_close(order, gap, {});
      if (::testing::Test::HasFailure()) return;
    }
  }
}

TEST(ClosingInEveryOrder, R_9293_3_6_FINRETX__R_9293_3_6_CLOSERX_AnyPacketMayBeLost) {
  for (const Order& order : every_order()) {
    for (const Duration gap : kGaps) {
      for (std::size_t lost = 0; lost < 10; ++lost) {
        SCOPED_TRACE(name_of_order(order) + std::to_string(gap.count()) + " ns apart, lost " +
                     std::to_string(lost));
        half_close(order, gap, {lost});
        if (::testing::Test::HasFailure()) return;
      }
    }
  }
}

TEST(ClosingInEveryOrder, R_9293_3_6_FINRETX__R_9293_3_6_CLOSERX_AnyTwoPacketsMayBeLost) {
  for (const Order& order : every_order()) {
    for (std::size_t first = 0; first < 7; ++first) {
      for (std::size_t second = first + 1; second < 8; ++second) {
        for (const Duration gap : {Duration{0}, Duration{50ms}}) {
          SCOPED_TRACE(name_of_order(order) + std::to_string(gap.count()) + " ns apart, lost " +
                       std::to_string(first) + " and " + std::to_string(second));
          half_close(order, gap, {first, second});
          if (::testing::Test::HasFailure()) return;
        }
      }
    }
  }
}

TEST(ClosingInEveryOrder, R_9293_3_10_7_4_FIN_FW1__R_9293_3_10_7_4_FIN_FW2_TheWaysOfTheStates) {
  using S = TcpState;
  for (const Order& order : every_order()) {
    SCOPED_TRACE(name_of_order(order));
    const bool a_is_first = std::find(order.begin(), order.end(), Act::CloseA) <
                            std::find(order.begin(), order.end(), Act::CloseB);
    for (const Duration gap : {Duration{0}, Duration{50ms}}) {
      Life run(true);
      for (const Act act : order) {
        if (act == Act::CloseA) (void)run.ends[kA].socket.shutdown_write();
        if (act == Act::CloseB) (void)run.ends[kB].socket.shutdown_write();
        if (act == Act::DataA) (void)run.ends[kA].socket.write(as_bytes("a"));
        if (act == Act::DataB) (void)run.ends[kB].socket.write(as_bytes("b"));
        if (gap > Duration{0}) run.pair.run_for(gap);
      }
      EXPECT_TRUE(run.pair.run_until_idle());
      const std::vector<S> both = {S::FinWait1, S::Closing, S::TimeWait, S::Closed};
      const std::vector<S> first = {S::FinWait1, S::FinWait2, S::TimeWait, S::Closed};
      const std::vector<S> second = {S::CloseWait, S::LastAck, S::Closed};
      EXPECT_EQ(run.moves(a_is_first ? kA : kB), gap == Duration{0} ? both : first);
      EXPECT_EQ(run.moves(a_is_first ? kB : kA), gap == Duration{0} ? both : second);
    }
  }
}

// --- close(), which also gives up reading
// ----------------------------------------------------------

// What must happen when each act has been settled before the next: a reset as soon as octets are
// lost to an end that has closed, or that closes without having read them.
struct Model {
  std::array<bool, 2> is_closed{};
  std::array<bool, 2> has_unread{};
  std::array<bool, 2> sees_reset{};
  bool is_dead = false;

  void die(std::size_t cause) {
    is_dead = true;
    sees_reset[1 - cause] = true;  // in FIN-WAIT-2 too (RFC 9293 section 3.10.7.4)
  }
  void close(std::size_t who) {
    const bool may_reset = !is_dead && !is_closed[who];
    is_closed[who] = true;
    if (may_reset && has_unread[who]) die(who);
  }
  void write(std::size_t who, bool peer_reads) {
    if (is_dead || is_closed[who]) return;
    if (is_closed[1 - who]) {
      die(1 - who);
    } else if (!peer_reads) {
      has_unread[1 - who] = true;
    }
  }
};

TEST(ClosingInEveryOrder, R_9293_SHLD_3_OctetsThatNobodyReadsReset) {
  for (const bool reads : {false, true}) {
    for (const Order& order : every_order()) {
      SCOPED_TRACE(name_of_order(order) + (reads ? "reading" : "not reading"));
      Life run(reads);
      Model model;
      for (const Act act : order) {
        const std::size_t who = act == Act::CloseA || act == Act::DataA ? kA : kB;
        if (act == Act::CloseA || act == Act::CloseB) {
          (void)run.ends[who].socket.close();
          model.close(who);
        } else {
          (void)run.ends[who].socket.write(as_bytes("some octets"));
          model.write(who, reads);
        }
        run.pair.run_for(50ms);
      }
      EXPECT_TRUE(run.pair.run_until_idle());
      for (const std::size_t who : {kA, kB}) {
        EXPECT_EQ(run.ends[who].error, model.sees_reset[who]
                                           ? make_error_code(Errc::connection_reset)
                                           : std::error_code())
            << "end " << who;
        EXPECT_EQ(run.ends[who].closes, 1) << "end " << who;
      }
      run.expect_nothing_left();
      if (::testing::Test::HasFailure()) return;
    }
  }
}

TEST(ClosingInEveryOrder, AnEndThatNeverClosesIsLeftAfterFinWait2) {
  Life run(true);
  EXPECT_TRUE(run.ends[kA].socket.close());
  run.pair.run_for(59s);
  EXPECT_EQ(run.pair.client().stack.connection_count(), 1U);
  run.pair.run_for(2s);
  EXPECT_EQ(run.pair.client().stack.connection_count(), 0U);
  EXPECT_TRUE(run.ends[kB].socket.write(as_bytes("is anybody there?")));
  EXPECT_TRUE(run.pair.run_until_idle());
  EXPECT_EQ(run.ends[kB].error, Errc::connection_reset);
  run.expect_nothing_left();
}

TEST(ClosingInEveryOrder, R_9293_3_10_4_CLOSE_LISTEN_AListenerThatClosesLeavesItsConnectionsAlone) {
  Life run(true);
  EXPECT_TRUE(run.listener.close());
  run.pair.run_for(1s);
  EXPECT_TRUE(run.ends[kA].socket.write(as_bytes("still here")));
  run.pair.run_for(1s);
  EXPECT_EQ(run.ends[kB].received, "still here");
  EXPECT_TRUE(run.ends[kA].socket.close());
  EXPECT_TRUE(run.ends[kB].socket.close());
  EXPECT_TRUE(run.pair.run_until_idle());
  EXPECT_FALSE(run.ends[kA].error || run.ends[kB].error);
  expect_nothing_left(run.pair.client());
  expect_nothing_left(run.pair.server());
}

}  // namespace
}  // namespace runnel::test
