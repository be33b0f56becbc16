// How fast the path delivers: one measurement per ACK. draft-ietf-ccwg-bbr-06 section 4.1, which
// took it over from draft-cheng-iccrg-delivery-rate-estimation.
#pragma once

#include <cstdint>
#include <optional>

#include "runnel/time.h"
#include "stack/base/optional_time.h"
#include "stack/tcp/loss/seq_range.h"

namespace runnel::tcp {

struct SentRange;

// What was known when a range of octets was sent. It travels with the range in the scoreboard.
struct DeliverySnapshot {
  std::uint64_t delivered_octets = 0;  // P.delivered: of the connection so far
  std::uint64_t lost_octets = 0;       // P.lost
  std::uint64_t in_flight_octets = 0;  // P.tx_in_flight, this range included
  Instant delivered_at{};              // P.delivered_time: when that was
  Instant first_sent_at{};             // P.first_send_time: the beginning of the send interval
  bool is_app_limited = false;
};

// What one ACK says about the delivery rate.
struct RateSample {
  std::uint64_t delivered_octets = 0;        // RS.delivered: between the two ends of the interval
  Duration interval{0};                      // RS.interval
  std::uint64_t octets_per_second = 0;       // RS.delivery_rate; 0: too short to tell
  std::uint64_t prior_delivered_octets = 0;  // RS.prior_delivered: when the newest of it was sent
  std::uint64_t lost_octets = 0;             // RS.lost: since then
  std::uint64_t tx_in_flight_octets = 0;     // RS.tx_in_flight: then
  bool is_app_limited = false;
  base::OptionalDuration rtt;  // RS.rtt: of the newest of it, unless it was sent more than once
};

// Theory of operation. Of the ranges that an ACK reports as delivered, the one that was sent last
// spans two intervals: while its flight was sent, and while the ACKs for that flight came in. What
// was delivered meanwhile, over the longer of the two, is how fast the path was: bursts of data or
// of ACKs make one of them short, but not both.
//
//      sent       |-- first_sent_at ... sent_at --|
//      delivered            |-- delivered_at ... now --|
//
// A sample of a flight that had a gap because the application had nothing to send shows less than
// the path can do, and is marked for it.
class DeliveryRate {
 public:
  // Octets leave, for the first time or again: fills in what the scoreboard keeps for them.
  // `in_flight_octets` counts what is in flight before them, `octets` them.
  [[nodiscard]] DeliverySnapshot on_transmit(std::uint64_t in_flight_octets, std::uint64_t octets,
                                             Instant now) noexcept;
  // The application has nothing to send, and nothing else holds it back.
  void on_app_limited(std::uint64_t in_flight_octets) noexcept;

  // A range was delivered that was not known to be; all of one ACK, then take_sample().
  void on_delivered(const SentRange& sent, Instant now) noexcept;
  void on_lost(std::uint64_t octets) noexcept { lost_ += octets; }
  // What the ACK has shown; leaves `result` empty when it delivered nothing. An interval below
  // `minimum_rtt` gives no rate: it is an artifact of ACKs for what was sent long before.
  void take_sample(base::OptionalDuration minimum_rtt, std::optional<RateSample>& result) noexcept;

  // C.delivered and C.lost, in octets since the connection began.
  [[nodiscard]] std::uint64_t delivered_octets() const noexcept { return delivered_; }
  [[nodiscard]] std::uint64_t lost_octets() const noexcept { return lost_; }
  [[nodiscard]] bool is_app_limited() const noexcept { return app_limited_until_ != 0; }

  template <typename Archive>
  void archive(Archive& archive) {
    archive(delivered_, lost_, app_limited_until_, delivered_at_, first_sent_at_);
  }

 private:
  // Of the range that was sent last among those that the present ACK delivers.
  struct Newest {
    bool is_known = false;
    bool is_retransmitted = false;
    SeqNum end;
    Instant sent_at;
    DeliverySnapshot snapshot;
  };

  std::uint64_t delivered_ = 0;          // C.delivered
  std::uint64_t lost_ = 0;               // C.lost
  std::uint64_t app_limited_until_ = 0;  // C.app_limited: until so much is delivered; 0: not
  Instant delivered_at_{};               // C.delivered_time
  Instant first_sent_at_{};              // C.first_send_time
  Newest newest_;
};

}  // namespace runnel::tcp
