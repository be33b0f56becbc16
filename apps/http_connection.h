// One connection of the HTTP server.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "apps/http_site.h"
#include "apps/service.h"
#include "runnel/bytes.h"
#include "runnel/stack.h"
#include "runnel/time.h"

namespace runnel::apps {

// Reads requests and sends responses, one at a time and in order.
//
//    Reading ──request──▶ Sending ──all written──▶ Reading          (keep-alive, pipelining)
//                                  └─────────────▶ Lingering ──peer's end──▶ closed
//
// Nothing grows: while a response is sent no request is read, so a peer that pipelines without
// reading closes its own window; a file is read in pieces as the send queue has room; of a request
// only an incomplete header is kept, up to kHeaderLimitOctets.
//
// Lingering. After the last response the stream is ended with FIN, and what the peer still sends is
// read and thrown away. Closing instead would answer those octets with RST, and a peer that is
// still uploading would lose the response (RFC 9112 section 9.6).
class HttpConnection final : public ServiceConnection {
 public:
  // Without a request, or with a response that the peer does not read.
  static constexpr Duration kIdleTimeout = std::chrono::seconds(60);
  // A request's header may take this long from its first octet, however busily it drips.
  static constexpr Duration kHeaderTimeout = std::chrono::seconds(60);
  static constexpr Duration kLingerTimeout = std::chrono::seconds(30);
  static constexpr Duration kLingerLimit = std::chrono::minutes(10);

  // All must outlive the connection. `scratch` is shared, and free between calls.
  HttpConnection(TcpSocket peer, Stack& stack, HttpSite& site, MutableBytes scratch);

  void finish() override;

 private:
  enum class Phase : std::uint8_t { Reading, Sending, Lingering };

  void run();
  [[nodiscard]] bool read_request();
  [[nodiscard]] bool take_header(std::string_view header, std::size_t kept_octets);
  void start(HttpReply reply);
  [[nodiscard]] bool send();
  [[nodiscard]] bool send_message();
  [[nodiscard]] bool send_file();
  void linger();
  void discard();
  void on_timeout();

  Stack& stack_;
  HttpSite& site_;
  MutableBytes scratch_;
  Phase phase_ = Phase::Reading;
  bool is_last_ = false;  // this response ends the connection

  std::string partial_;    // Reading: the header so far
  Instant phase_began_{};  // Reading: when `partial_` began; Lingering: when that did

  std::string message_;  // Sending: what the send queue had no room for
  std::size_t message_sent_ = 0;
  FileRange file_;
};

}  // namespace runnel::apps
