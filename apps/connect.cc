#include "apps/connect.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include "apps/host.h"
#include "apps/readiness.h"
#include "apps/signals.h"
#include "runnel/tcp_socket.h"

namespace runnel::apps {
namespace {

// Moves octets both ways, each direction only as fast as its receiving side takes them.
//
//    stdin ──read──▶ outgoing_ ──write──▶ connection ──peek, consume──▶ stdout
//
// The end of standard input becomes FIN, and the other direction goes on until the peer has ended
// too.
class Pipe {
 public:
  Pipe(Host& host, const Endpoint& remote)
      : driver_(host.driver()),
        input_(driver_, STDIN_FILENO, Readiness::Direction::Read),
        output_(driver_, STDOUT_FILENO, Readiness::Direction::Write),
        remote_(remote) {
    const Result<TcpSocket> socket = host.sockets().connect(remote);
    if (!socket) throw std::system_error(socket.error(), remote.to_string());
    socket_ = *socket;
    socket_.allow_half_open(true);
    socket_.on(events::connected, [this] { send(); });
    socket_.on(events::drain, [this] { send(); });
    socket_.on(events::readable, [this] { receive(); });
    socket_.on(events::end, [this] { receive(); });
    socket_.on(events::error, [this](std::error_code error) { fail(remote_.to_string(), error); });
    socket_.on(events::close, [this] { driver_.stop(); });
  }

  // Ends both directions at once, with RST.
  void interrupt() {
    fail("interrupted");
    (void)socket_.abort();
    driver_.stop();
  }

  // Throws what went wrong, if anything did.
  void check() const {
    if (!failure_.empty()) throw std::runtime_error(failure_);
  }

 private:
  void send() {
    while (!has_input_ended_) {
      while (!outgoing_.empty()) {
        const Result<std::size_t> written = socket_.write(outgoing_);
        if (!written) return;  // drain follows, or error
        outgoing_ = outgoing_.subspan(*written);
      }
      if (!input_.is_ready()) {
        input_.when_ready([this] { send(); });
        return;
      }
      read_input();
    }
  }

  void read_input() {
    const ssize_t count = ::read(STDIN_FILENO, buffer_.data(), buffer_.size());
    if (count > 0) {
      outgoing_ = Bytes(buffer_.data(), static_cast<std::size_t>(count));
    } else if (count == 0) {
      has_input_ended_ = true;
      (void)socket_.shutdown_write();
      close_when_both_ended();
    } else if (errno != EINTR && errno != EAGAIN) {
      has_input_ended_ = true;
      fail("standard input", {errno, std::generic_category()});
      (void)socket_.abort();
    }
  }

  void receive() {
    while (!has_peer_ended_) {
      const Result<Bytes> arrived = socket_.peek();
      if (!arrived) return;  // readable follows, or error
      if (arrived->empty()) {
        has_peer_ended_ = true;
        close_when_both_ended();
        return;
      }
      if (!output_.is_ready()) {
        output_.when_ready([this] { receive(); });
        return;
      }
      if (!write_output(*arrived)) return;
    }
  }

  [[nodiscard]] bool write_output(Bytes octets) {
    // A pipe that is ready has room for PIPE_BUF octets: no more can be written without blocking.
    const std::size_t most = output_.never_blocks() ? octets.size() : PIPE_BUF;
    const std::size_t piece = std::min(octets.size(), most);
    const ssize_t count = ::write(STDOUT_FILENO, octets.data(), piece);
    if (count >= 0) return socket_.consume(static_cast<std::size_t>(count)).has_value();
    if (errno == EINTR || errno == EAGAIN) return true;
    fail("standard output", {errno, std::generic_category()});
    (void)socket_.abort();
    return false;
  }

  void close_when_both_ended() {
    if (has_input_ended_ && has_peer_ended_) (void)socket_.close();
  }

  void fail(const std::string& what, std::error_code error) { fail(what + ": " + error.message()); }
  void fail(std::string failure) {
    if (failure_.empty()) failure_ = std::move(failure);  // the first cause is the one to tell
  }

  tun::Driver& driver_;
  Readiness input_;
  Readiness output_;
  Endpoint remote_;
  TcpSocket socket_;
  std::array<std::uint8_t, 65536> buffer_{};
  Bytes outgoing_;  // the part of buffer_ that has not been written
  bool has_input_ended_ = false;
  bool has_peer_ended_ = false;
  std::string failure_;
};

}  // namespace

int connect(const ConnectCommand& command) {
  Host host(command.link);
  Pipe pipe(host, command.remote);
  const SignalWatch signals(host.driver(), [&pipe] { pipe.interrupt(); });
  host.driver().run();
  pipe.check();
  return kExitDone;
}

}  // namespace runnel::apps
