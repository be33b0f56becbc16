#include "apps/http_connection.h"

#include <algorithm>
#include <utility>

namespace runnel::apps {

HttpConnection::HttpConnection(TcpSocket peer, Stack& stack, HttpSite& site, MutableBytes scratch)
    : ServiceConnection(peer), stack_(stack), site_(site), scratch_(scratch) {
  // A peer that ends its stream behind its request still wants the response.
  socket().allow_half_open(true);
  // Responses are written in one piece, so a short last segment has nothing to wait for.
  (void)socket().set_nagle(false);
  (void)socket().set_timeout(kIdleTimeout);
  socket().on(events::readable, [this] { run(); });
  socket().on(events::drain, [this] { run(); });
  socket().on(events::end, [this] { run(); });
  socket().on(events::timeout, [this] { on_timeout(); });
  run();
}

void HttpConnection::run() {
  for (;;) {
    switch (phase_) {
      case Phase::Reading:
        if (!read_request()) return;
        break;
      case Phase::Sending:
        if (!send()) return;
        break;
      case Phase::Lingering:
        discard();
        return;
    }
  }
}

// Returns false when there is nothing more to do now.
bool HttpConnection::read_request() {
  const Result<Bytes> arrived = socket().peek();
  if (!arrived) return false;
  if (arrived->empty()) {  // the peer has ended, between requests or within one
    (void)socket().close();
    return false;
  }
  const std::string_view text = as_text(*arrived);
  if (partial_.empty()) return take_header(text, 0);

  if (stack_.now() - phase_began_ > kHeaderTimeout) {
    start(site_.refuse(408));
    return true;
  }
  const std::size_t kept_octets = partial_.size();
  partial_.append(text.substr(0, kHeaderLimitOctets + 1 - kept_octets));
  return take_header(partial_, kept_octets);
}

// Reads a request from `header`, whose first `kept_octets` have left the receive queue before.
bool HttpConnection::take_header(std::string_view header, std::size_t kept_octets) {
  HttpRequest request;
  const ParseOutcome outcome = parse_request(header, request);
  switch (outcome.status) {
    case ParseStatus::Refused:
      partial_.clear();
      start(site_.refuse(outcome.refusal));
      return true;
    case ParseStatus::NeedMore: {
      const std::size_t arrived_octets = header.size() - kept_octets;
      if (kept_octets == 0) {
        partial_ = header.substr(outcome.used);
        phase_began_ = stack_.now();
      } else {
        partial_.erase(0, outcome.used);
      }
      const bool consumed = socket().consume(arrived_octets).has_value();
      // More may have arrived that did not lie together with this.
      return consumed && socket().readable_octets() > 0;
    }
    case ParseStatus::Complete:
      break;
  }
  (void)socket().consume(outcome.used - kept_octets);
  partial_.clear();
  start(site_.answer(request, socket()));
  return true;
}

void HttpConnection::start(HttpReply reply) {
  phase_ = Phase::Sending;
  if (!reply.keep_alive) is_last_ = true;
  file_ = std::move(reply.file);
  const std::size_t written = socket().write(as_bytes(reply.message)).value_or(0);
  message_ = reply.message.substr(written);
  message_sent_ = 0;
}

// Returns true when the whole response was taken by the send queue; else `drain` follows.
bool HttpConnection::send() {
  if (!send_message() || !send_file()) return false;
  if (is_last_) {
    linger();
  } else {
    phase_ = Phase::Reading;
  }
  return true;
}

bool HttpConnection::send_message() {
  while (message_sent_ < message_.size()) {
    const Result<std::size_t> written = socket().write(as_bytes(message_).subspan(message_sent_));
    if (!written) return false;
    message_sent_ += *written;
  }
  return true;
}

bool HttpConnection::send_file() {
  while (file_.remaining > 0) {
    // One octet more than there is room for: only a write that falls short is followed by `drain`.
    const std::size_t piece = std::min(scratch_.size(), socket().writable_octets() + 1);
    const std::size_t count = file_.read(scratch_.first(piece));
    if (count == 0) {  // truncated under our hands: the length that was promised is out of reach
      (void)socket().abort();
      return false;
    }
    const Result<std::size_t> written = socket().write(scratch_.first(count));
    if (!written) return false;
    file_.advance(*written);
    if (*written < count) return false;
  }
  file_ = {};
  return true;
}

void HttpConnection::linger() {
  phase_ = Phase::Lingering;
  phase_began_ = stack_.now();
  (void)socket().set_timeout(kLingerTimeout);
  (void)socket().shutdown_write();
}

void HttpConnection::discard() {
  for (;;) {
    const Result<Bytes> arrived = socket().peek();
    if (!arrived) return;
    if (arrived->empty()) {
      (void)socket().close();
      return;
    }
    if (stack_.now() - phase_began_ > kLingerLimit) {
      (void)socket().abort();
      return;
    }
    if (!socket().consume(arrived->size())) return;
  }
}

void HttpConnection::on_timeout() {
  switch (phase_) {
    case Phase::Reading:
      if (partial_.empty()) {
        linger();
      } else {
        partial_.clear();
        start(site_.refuse(408));
      }
      run();
      break;
    case Phase::Sending:
      (void)socket().abort();
      break;
    case Phase::Lingering:
      (void)socket().close();
      break;
  }
}

void HttpConnection::finish() {
  is_last_ = true;
  if (phase_ == Phase::Reading) linger();
  run();
}

}  // namespace runnel::apps
