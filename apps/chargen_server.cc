#include "apps/chargen_server.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace runnel::apps {
namespace {

constexpr std::size_t kPrintableCharacters = 95;  // space to tilde
constexpr std::size_t kCharactersPerLine = 72;
constexpr std::size_t kPeriodOctets = kPrintableCharacters * (kCharactersPerLine + 2);
// About as much as a super-packet takes: it is copied into the device from the cache each time.
constexpr std::size_t kPieceOctets = std::size_t{64} << 10U;

std::vector<std::uint8_t> make_pattern() {
  std::vector<std::uint8_t> pattern;
  pattern.reserve(kPeriodOctets + kPieceOctets + kCharactersPerLine + 2);
  for (std::size_t line = 0; pattern.size() < kPeriodOctets + kPieceOctets; ++line) {
    for (std::size_t column = 0; column < kCharactersPerLine; ++column) {
      pattern.push_back(static_cast<std::uint8_t>(' ' + (line + column) % kPrintableCharacters));
    }
    pattern.push_back('\r');
    pattern.push_back('\n');
  }
  return pattern;
}

// Outlives every stack, so that the send queues of all connections may refer to it.
Bytes pattern() {
  static const std::vector<std::uint8_t> octets = make_pattern();
  return octets;
}

class ChargenConnection final : public ServiceConnection {
 public:
  explicit ChargenConnection(TcpSocket peer) : ServiceConnection(peer), pattern_(pattern()) {
    // RFC 864: what the peer sends is thrown away, and the stream goes on until it terminates the
    // connection. That it has no more to send is not that yet.
    socket().allow_half_open(true);
    socket().on(events::data, [](Bytes) {});
    socket().on(events::drain, [this] { generate(); });
    socket().on(events::end, [this] {
      if (is_finishing_) (void)socket().close();
      has_peer_ended_ = true;
    });
    generate();
  }

  void finish() override {
    is_finishing_ = true;
    (void)socket().shutdown_write();
    if (has_peer_ended_) (void)socket().close();
  }

 private:
  // Writes until a write falls short, because only then `drain` follows.
  void generate() {
    while (!is_finishing_) {
      const Result<std::size_t> written =
          socket().write(Buffer::of_static(pattern_.subspan(at_, kPieceOctets)));
      if (!written) return;
      at_ = (at_ + *written) % kPeriodOctets;
      if (*written < kPieceOctets) return;
    }
  }

  Bytes pattern_;
  std::size_t at_ = 0;  // position in the first period
  bool has_peer_ended_ = false;
  bool is_finishing_ = false;
};

}  // namespace

ChargenServer::ChargenServer(Sockets& sockets, const Endpoint& local)
    : Service(sockets, "chargen", local) {}

std::unique_ptr<ServiceConnection> ChargenServer::make_connection(TcpSocket peer) {
  return std::make_unique<ChargenConnection>(peer);
}

}  // namespace runnel::apps
