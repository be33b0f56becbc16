#include "apps/ping.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <system_error>

#include "apps/host.h"
#include "apps/signals.h"
#include "runnel/icmp_echo.h"

namespace runnel::apps {
namespace {

// How long after the last request its reply may still come.
constexpr Duration kLastWait = std::chrono::seconds(1);

double milliseconds(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

// Round trips in milliseconds: what the last line of ping's output says of them.
class RoundTrips {
 public:
  void add(double sample) {
    smallest_ = count_ == 0 ? sample : std::min(smallest_, sample);
    largest_ = std::max(largest_, sample);
    sum_ += sample;
    sum_of_squares_ += sample * sample;
    ++count_;
  }
  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }

  void print() const {
    const double mean = sum_ / static_cast<double>(count_);
    const double variance = sum_of_squares_ / static_cast<double>(count_) - mean * mean;
    fmt::print("rtt min/avg/max/mdev = {:.3f}/{:.3f}/{:.3f}/{:.3f} ms\n", smallest_, mean, largest_,
               std::sqrt(std::max(variance, 0.0)));
  }

 private:
  std::uint64_t count_ = 0;
  double smallest_ = 0;
  double largest_ = 0;
  double sum_ = 0;
  double sum_of_squares_ = 0;
};

class Pinger {
 public:
  Pinger(Host& host, const PingCommand& command)
      : host_(host),
        command_(command),
        echo_(host.stack(), command.host, static_cast<std::uint16_t>(::getpid())),
        signals_(host.driver(), [this] { is_interrupted_ = true; }) {}

  int run() {
    fmt::print("PING {} {} octets of payload\n", command_.host.to_string(),
               command_.payload_octets);
    std::fflush(stdout);
    began_ = tun::monotonic_now();
    Instant next_send = began_;
    while (!is_interrupted_) {
      const Instant now = tun::monotonic_now();
      if (now >= next_send) {
        if (has_sent_all()) break;
        host_.stack().advance(now);
        send();
        next_send = std::max(next_send + command_.interval, now);
        if (has_sent_all()) next_send = now + kLastWait;
      }
      host_.driver().run_once(next_send - now);
      take_replies();
      if (has_sent_all() && answered_ == sent_) break;
    }
    summarize();
    return round_trips_.count() > 0 ? kExitDone : kExitRuntimeError;
  }

 private:
  [[nodiscard]] bool has_sent_all() const { return command_.count && sent_ >= *command_.count; }

  void send() {
    ++sent_;
    if (const auto sent = echo_.send(command_.payload_octets); !sent) {
      throw std::system_error(sent.error(), command_.host.to_string());
    }
  }

  void take_replies() {
    while (const auto reply = echo_.poll()) {
      ++answered_;
      const std::string from = reply->from.to_string();
      if (reply->error) {
        fmt::print("from {}: icmp_seq={} {}\n", from, reply->sequence, reply->error.message());
      } else {
        round_trips_.add(milliseconds(reply->round_trip));
        fmt::print("{} octets from {}: icmp_seq={} ttl={} time={:.3f} ms\n",
                   reply->payload_octets + 8, from, reply->sequence, reply->ttl,
                   milliseconds(reply->round_trip));
      }
      std::fflush(stdout);
    }
  }

  void summarize() const {
    const std::uint64_t received = round_trips_.count();
    const std::uint64_t lost = sent_ - std::min(sent_, received);
    fmt::print("--- {} ping statistics ---\n", command_.host.to_string());
    fmt::print("{} packets transmitted, {} received, {:.0f}% packet loss, time {:.0f}ms\n", sent_,
               received,
               sent_ == 0 ? 0.0 : 100.0 * static_cast<double>(lost) / static_cast<double>(sent_),
               milliseconds(tun::monotonic_now() - began_));
    if (received > 0) round_trips_.print();
  }

  Host& host_;
  const PingCommand& command_;
  IcmpEcho echo_;
  bool is_interrupted_ = false;
  SignalWatch signals_;
  Instant began_{};
  std::uint64_t sent_ = 0;
  std::uint64_t answered_ = 0;  // replies and errors
  RoundTrips round_trips_;
};

}  // namespace

int ping(const PingCommand& command) {
  Host host(command.link);
  return Pinger(host, command).run();
}

}  // namespace runnel::apps
