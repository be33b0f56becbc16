// What an application of the simulated network does with its connection, and what it expects.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <system_error>

#include "runnel/bytes.h"
#include "runnel/congestion_algorithm.h"
#include "runnel/time.h"

namespace runnel::test {

// Octets of a stream that repeats only after a prime number of them, so that no segment, window or
// buffer looks like its neighbour.
class Pattern {
 public:
  static constexpr std::size_t kPeriod = 65521;
  static constexpr std::size_t kMostAtOnce = 65536;

  // Up to kMostAtOnce octets of stream `stream` from `offset` on.
  [[nodiscard]] static Bytes at(std::uint32_t stream, std::uint64_t offset, std::size_t octets);
};

// The calls that an application has on one connection of whatever TCP is below it.
class TcpCalls {
 public:
  TcpCalls() = default;
  TcpCalls(const TcpCalls&) = delete;
  TcpCalls& operator=(const TcpCalls&) = delete;
  virtual ~TcpCalls() = default;

  // Returns how many octets were taken; fewer than offered: on_writable() follows.
  [[nodiscard]] virtual std::size_t write(Bytes octets) = 0;
  // Received octets that lie together; empty: none.
  [[nodiscard]] virtual Bytes received() = 0;
  virtual void consume(std::size_t octets) = 0;
  // Everything was read, and the peer has ended its stream.
  [[nodiscard]] virtual bool is_at_end() = 0;
  virtual void shutdown_write() = 0;
  virtual void close() = 0;
  virtual void abort() = 0;
  virtual void set_congestion_control(CongestionAlgorithm) {}  // where there is a choice
};

// How an application ends.
enum class Ending : std::uint8_t {
  ShutdownThenClose,  // half-closes when all is written, closes when the peer's end was read
  CloseAtEnd,         // waits for the peer's end first, then closes: the other order
  CloseWhenDone,      // closes when all is written and all that is expected was read
  CloseWithUnread,    // stops reading at `ending_at` octets, and closes at `ending_after`
  Abort,              // aborts at `ending_at` octets received, at the latest at `ending_after`
};
[[nodiscard]] constexpr bool is_orderly(Ending ending) noexcept {
  return ending != Ending::CloseWithUnread && ending != Ending::Abort;
}

struct ApplicationScript {
  std::uint64_t octets = 0;            // to be written in all
  std::uint32_t write_octets = 65536;  // by one call at most
  Duration write_interval{0};          // between two calls
  std::uint64_t turn_octets = 0;       // request and response: so many, then it is the other's turn
  std::uint64_t peer_turn_octets = 0;  // ... which takes so many
  bool speaks_first = true;
  std::uint32_t read_octets = 0;  // by one call; 0: everything
  Duration read_interval{0};
  std::uint64_t pause_at = 0;  // stops reading at so many octets ...
  Duration pause{0};           // ... for so long
  Ending ending = Ending::ShutdownThenClose;
  std::uint64_t ending_at = 0;
  Duration ending_after{0};
  bool nagle = true;
  bool keepalive = false;
  // Instead of the host's; and from so many octets written on, another one.
  std::optional<CongestionAlgorithm> congestion_control;
  std::optional<CongestionAlgorithm> next_congestion_control;
  std::uint64_t next_congestion_control_at = 0;
};

// One end of a simulated connection.
//
// Theory of operation. The host tells it what happened (on_...) and then lets it work(). It trusts
// events and never polls: it writes again only after on_writable(), and looks for octets only after
// on_readable(), so an event that is missing shows as a run that does not end.
class Application {
 public:
  // Writes stream `outgoing`, expects `incoming`, of which the peer sends `expected` octets.
  Application(const ApplicationScript& script, std::uint32_t outgoing, std::uint32_t incoming,
              std::uint64_t expected)
      : script_(script), outgoing_(outgoing), incoming_(incoming), expected_(expected) {}

  void on_connected(TcpCalls& tcp, Instant now);
  void on_readable() noexcept { may_read_ = true; }
  void on_writable() noexcept { may_write_ = true; }
  void on_ended() noexcept { may_read_ = has_seen_end_event_ = true; }
  void on_error(std::error_code error) noexcept { error_ = error; }
  void on_closed();

  // Does what may be done now. Throws SimulationFailure when the stream is not what it should be.
  void work(Instant now);
  // When it wants to work again, whatever the connection does.
  [[nodiscard]] Instant next_deadline() const noexcept { return deadline_; }
  // Nothing else will happen: an application whose peer has vanished gives up.
  void give_up();

  [[nodiscard]] bool was_connected() const noexcept { return tcp_ != nullptr; }
  [[nodiscard]] bool is_closed() const noexcept { return is_closed_; }
  [[nodiscard]] bool has_everything() const noexcept {
    return written_ == script_.octets && received_ == expected_;
  }
  [[nodiscard]] std::uint64_t received() const noexcept { return received_; }
  [[nodiscard]] std::uint64_t written() const noexcept { return written_; }
  [[nodiscard]] std::error_code error() const noexcept { return error_; }
  [[nodiscard]] const ApplicationScript& script() const noexcept { return script_; }
  [[nodiscard]] std::string describe() const;

 private:
  void read(Instant now);
  void write(Instant now);
  void change_control();
  void end(Instant now);
  void end_in_disorder(Instant now);
  void take(std::size_t most);
  void give_connection_up(bool reset);
  [[nodiscard]] std::uint64_t write_limit() const noexcept;
  void wake_at(Instant when) noexcept { deadline_ = when < deadline_ ? when : deadline_; }

  ApplicationScript script_;
  std::uint32_t outgoing_;
  std::uint32_t incoming_;
  std::uint64_t expected_;
  TcpCalls* tcp_ = nullptr;

  std::uint64_t written_ = 0;
  std::uint64_t received_ = 0;
  Instant connected_at_{};
  Instant deadline_ = kNever;
  Instant next_write_{};
  Instant next_read_{};
  bool has_paused_ = false;
  bool may_read_ = false;
  bool may_write_ = false;
  bool has_seen_end_event_ = false;
  bool has_read_end_ = false;
  bool is_shut_down_ = false;
  bool is_given_up_ = false;
  bool is_closed_ = false;
  bool has_changed_control_ = false;
  std::error_code error_;
};

}  // namespace runnel::test
