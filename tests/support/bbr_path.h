// One BBR controller over a path of one bottleneck, in virtual time, with a transport around it
// that is as small as section 4.1 of draft-ietf-ccwg-bbr-06 permits.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <queue>
#include <vector>

#include "runnel/time.h"
#include "stack/tcp/congestion/any_congestion_control.h"
#include "stack/tcp/congestion/bbr/bbr.h"

namespace runnel::test {

// Theory of operation. The sender has packets of one segment each, and as much data as the
// application gives it. A packet waits in the queue before the bottleneck or is dropped there, and
// its acknowledgment is back one round trip after it has left the bottleneck:
//
//     sender ─▶ pacing, window ─▶ losses, policer ─▶ queue, rate ─▶ round trip ─▶ sender
//
// A packet is lost when one that was sent three later or more was acknowledged; when nothing comes
// for a second, all are. What is lost needs not be sent again, since packets carry no data. The
// delivery rate is measured as the draft has it, independently of the stack's own code for it.
class BbrPath {
 public:
  struct Options {
    std::uint64_t bits_per_second = 100'000'000;
    Duration round_trip = std::chrono::milliseconds(40);  // without any queue
    std::uint64_t queue_octets = UINT64_MAX;              // what waits at most
    std::uint32_t smss_octets = 1500;
    std::uint64_t initial_window_octets = 15'000;
    std::uint64_t seed = 1;
    bool has_selective_acks = true;
  };
  explicit BbrPath(const Options& options);

  // --- The path, which may change ----------------------------------------------------------------
  void set_bits_per_second(std::uint64_t rate) noexcept { options_.bits_per_second = rate; }
  void set_round_trip(Duration round_trip) noexcept { options_.round_trip = round_trip; }
  // Whether packet number `i` is lost, counted from 0.
  std::function<bool(std::uint64_t i)> loses = [](std::uint64_t) { return false; };
  // How much later than others its acknowledgment comes.
  std::function<Duration(std::uint64_t i)> delays = [](std::uint64_t) { return Duration{0}; };
  // Acknowledgments come at multiples of this, together.
  Duration aggregation{0};
  // A token bucket: what finds no tokens is dropped. 0: no policer.
  std::uint64_t policer_bits_per_second = 0;
  std::uint64_t policer_burst_octets = 0;
  // Whether packet number `i` arrives with CE. Without a count, as in RFC 3168, the sender only
  // hears that something was marked.
  std::function<bool(std::uint64_t i)> marks = [](std::uint64_t) { return false; };
  bool counts_marks = true;

  // --- The application ---------------------------------------------------------------------------
  // So many octets a second; nothing: as many as the controller takes. 0: it pauses.
  std::optional<std::uint64_t> application_rate;

  // --- Time --------------------------------------------------------------------------------------
  void run_for(Duration time);
  // Until it is true after some event; false when it is not within `most`.
  [[nodiscard]] bool run_until(const std::function<bool()>& is_reached, Duration most);
  [[nodiscard]] bool run_to(tcp::bbr::State state, Duration most) {
    return run_until([&] { return variables().state == state; }, most);
  }
  [[nodiscard]] Instant now() const noexcept { return now_; }

  // --- What is seen ------------------------------------------------------------------------------
  [[nodiscard]] tcp::Bbr& controller() noexcept { return bbr_; }
  [[nodiscard]] const tcp::bbr::Variables& variables() const noexcept { return bbr_.variables(); }
  [[nodiscard]] std::uint64_t delivered_octets() const noexcept { return delivered_; }
  [[nodiscard]] std::uint64_t lost_octets() const noexcept { return lost_; }
  [[nodiscard]] std::uint64_t inflight_octets() const noexcept { return inflight_; }
  [[nodiscard]] std::uint64_t packets_sent() const noexcept { return next_id_; }
  [[nodiscard]] std::uint64_t bdp_octets() const noexcept;
  [[nodiscard]] const tcp::RateSample& last_sample() const noexcept { return sample_; }
  [[nodiscard]] Duration last_round_trip() const noexcept { return last_round_trip_; }
  // Called after every acknowledgment.
  std::function<void()> observe = [] {};

 private:
  struct Packet {
    std::uint64_t id = 0;
    Instant sent_at{};
    tcp::DeliverySnapshot snapshot;
    enum class Fate : std::uint8_t { InFlight, Acked, Lost } fate = Fate::InFlight;
  };
  struct Arrival {
    Instant at;
    std::uint64_t id;
    friend bool operator<(const Arrival& a, const Arrival& b) noexcept {
      return a.at != b.at ? a.at > b.at : a.id > b.id;  // the earliest is on top of the queue
    }
  };

  void step(Instant limit);
  [[nodiscard]] bool has_room() const noexcept;
  void check_app_limited() noexcept;
  [[nodiscard]] bool may_send() noexcept;
  void send();
  void carry(const Packet& packet);
  void begin_departure();
  void depart();
  void acknowledge();
  void note_acked(Packet& packet, tcp::AckEvent& event);
  void detect_losses();
  void tell_marks(tcp::AckEvent& event, std::uint64_t octets);
  void time_out();
  void take_sample(tcp::AckEvent& event);
  [[nodiscard]] Packet* find(std::uint64_t id) noexcept;
  [[nodiscard]] Instant next_data() const noexcept;
  void earn_data() noexcept;

  Options options_;
  tcp::Bbr bbr_;
  Instant now_{std::chrono::seconds(1)};

  std::uint64_t next_id_ = 0;
  std::deque<Packet> packets_;  // from the oldest one that may still be heard of
  std::priority_queue<Arrival> arrivals_;
  Instant next_send_{};
  Instant last_progress_{};
  double data_octets_ = 0;  // what a limited application has given and was not sent
  Instant data_at_{};
  bool is_cwnd_limited_ = false;

  // The bottleneck.
  std::deque<std::uint64_t> queue_;  // its first one is being sent
  Instant departs_at_{};
  Instant last_arrival_{};
  double tokens_ = 0;
  Instant tokens_at_{};

  // Section 4.1.2 of the draft.
  std::uint64_t inflight_ = 0;
  std::uint64_t delivered_ = 0;
  std::uint64_t lost_ = 0;
  std::uint64_t app_limited_ = 0;
  Instant delivered_at_{};
  Instant first_sent_at_{};
  std::optional<Packet> newest_;
  tcp::RateSample sample_;
  Duration last_round_trip_{0};
  Duration minimum_round_trip_ = kForever;

  std::uint64_t highest_acked_ = 0;
  std::uint64_t undecided_from_ = 0;  // whether packets before it are lost is known
  std::uint64_t recovery_point_ = 0;
  std::optional<std::uint64_t> recovery_ends_;  // when this packet or a later one is acknowledged
  bool is_timeout_ = false;
  std::uint64_t next_mark_response_ = 0;  // by the packet that is acknowledged
};

}  // namespace runnel::test
