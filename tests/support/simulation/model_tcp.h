// A small TCP connection that has nothing in common with the stack: the other opinion.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "runnel/bytes.h"
#include "runnel/time.h"
#include "tests/support/simulation/application.h"
#include "tests/support/simulation/model_ecn.h"

namespace runnel::test {

// What a segment says, as far as the model listens.
struct ModelSegment {
  std::uint32_t seq = 0;
  std::uint32_t ack = 0;
  std::uint16_t window = 0;
  bool has_ack = false;
  bool syn = false;
  bool fin = false;
  bool rst = false;
  std::optional<std::uint16_t> mss;
  std::vector<std::uint8_t> text;
  ModelEcnField ecn;

  // SEG.LEN
  [[nodiscard]] std::uint32_t length() const noexcept {
    return static_cast<std::uint32_t>(text.size()) + (syn ? 1U : 0U) + (fin ? 1U : 0U);
  }
};

// Theory of operation. RFC 9293 section 3.10 step by step, and nothing else: no options but MSS,
// no congestion control though it listens to ECN (model_ecn.h), a fixed number of segments in
// flight, one timer of a fixed length that doubles, and after it everything is sent again (go back
// N). What comes out of order is dropped and every text is acknowledged at once. It is as slow as
// that sounds, and needs no speed.
//
// Octets that are not acknowledged yet are kept from SND.UNA on:
//
//    unacknowledged_ = | sent, once or more | not sent yet |
//                    una        nxt   max          data_end
class ModelTcp final : public TcpCalls {
 public:
  enum class State : std::uint8_t {
    Closed,
    Listen,
    SynSent,
    SynReceived,
    Established,
    FinWait1,
    FinWait2,
    CloseWait,
    Closing,
    LastAck,
    TimeWait,
  };

  struct Options {
    std::uint16_t mss = 536;               // that it offers, and the most that it sends
    std::uint32_t segments_in_flight = 1;  // 1: stop and wait
    std::uint32_t receive_octets = 8192;   // its buffer, and so the window; below 65,536
    std::uint32_t isn_base = 0;
    EcnMode ecn = EcnMode::Off;
  };

  ModelTcp(Application& application, const Options& options)
      : application_(application), options_(options), ecn_(options.ecn), send_mss_(kDefaultMss) {}

  // --- The user's calls ----------------------------------------------------------------------
  void listen() noexcept { state_ = State::Listen; }
  void stop_listening() noexcept {
    if (state_ == State::Listen) state_ = State::Closed;
  }
  void open(Instant now);
  [[nodiscard]] std::size_t write(Bytes octets) override;
  [[nodiscard]] Bytes received() override { return received_; }
  void consume(std::size_t octets) override;
  [[nodiscard]] bool is_at_end() override { return has_peer_fin_ && received_.empty(); }
  void shutdown_write() override { is_fin_queued_ = true; }
  void close() override;
  void abort() override;

  // --- The network's -------------------------------------------------------------------------
  // REQUIRES: not CLOSED, which answers by itself (see answer_from_closed()).
  void segment_arrives(ModelSegment segment, Instant now);
  // The path takes packets of so many octets only.
  void path_mtu_is(std::uint16_t octets) noexcept;
  [[nodiscard]] bool poll(ModelSegment& out, Instant now);
  void advance(Instant now);
  [[nodiscard]] Instant next_deadline() const noexcept;
  // Tells the application what has happened; false when nothing has.
  bool tell_application(Instant now);

  [[nodiscard]] State state() const noexcept { return state_; }
  [[nodiscard]] const ModelEcn& ecn() const noexcept { return ecn_; }
  // The reset that answers a segment for which there is no connection (section 3.10.7.1).
  [[nodiscard]] static std::optional<ModelSegment> answer_from_closed(const ModelSegment& segment);

 private:
  static constexpr std::uint16_t kDefaultMss = 536;
  static constexpr std::size_t kSendOctets = 65536;
  static constexpr Duration kTimeout = std::chrono::seconds(1);
  static constexpr Duration kLongestTimeout = std::chrono::seconds(60);
  static constexpr Duration kTwoMsl = std::chrono::seconds(60);
  static constexpr Duration kFinWait2 = std::chrono::hours(1);  // once the user has closed

  void arrives_in_listen(const ModelSegment& segment, Instant now);
  void arrives_in_syn_sent(const ModelSegment& segment, Instant now);
  [[nodiscard]] bool is_acceptable(ModelSegment& segment);
  [[nodiscard]] bool passes_rst_and_syn(const ModelSegment& segment);
  [[nodiscard]] bool process_ack(const ModelSegment& segment, Instant now);
  void process_text(const ModelSegment& segment);
  void process_fin(const ModelSegment& segment, Instant now);

  void choose_isn(Instant now) noexcept;
  void take_peer_mss(const ModelSegment& segment) noexcept;
  void become_connected() noexcept;
  void become_closed(bool with_error) noexcept;
  void enter_time_wait(Instant now) noexcept;
  void reply(const ModelSegment& segment) { replies_.push_back(segment); }
  [[nodiscard]] ModelSegment bare_ack();
  [[nodiscard]] std::uint16_t window();
  [[nodiscard]] bool poll_handshake(ModelSegment& out, Instant now);
  [[nodiscard]] bool poll_stream(ModelSegment& out, Instant now);
  [[nodiscard]] std::uint32_t octets_to_send() noexcept;
  void sent(const ModelSegment& segment, Instant now);
  void fin_was_sent() noexcept;
  void start_timer(Instant now) noexcept { timer_ = now + timeout_; }
  [[nodiscard]] std::uint32_t data_end() const noexcept;
  [[nodiscard]] std::uint32_t unsent() const noexcept;
  [[nodiscard]] bool is_fin_due() const noexcept;

  Application& application_;
  Options options_;
  ModelEcn ecn_;
  State state_ = State::Closed;
  bool is_passive_ = false;

  std::uint32_t iss_ = 0;
  std::uint32_t snd_una_ = 0;
  std::uint32_t snd_nxt_ = 0;
  std::uint32_t snd_max_ = 0;  // behind everything that was ever sent
  std::uint32_t snd_wnd_ = 0;
  std::uint32_t snd_wl1_ = 0;
  std::uint32_t snd_wl2_ = 0;
  std::uint32_t max_snd_wnd_ = 0;
  std::uint16_t send_mss_;
  std::vector<std::uint8_t> unacknowledged_;
  bool is_fin_queued_ = false;

  std::uint32_t rcv_nxt_ = 0;
  std::uint32_t rcv_edge_ = 0;  // right of the window that was announced
  std::vector<std::uint8_t> received_;
  bool has_peer_fin_ = false;

  Duration timeout_ = kTimeout;
  Instant timer_ = kNever;
  Instant two_msl_ = kNever;  // or the end of FIN-WAIT-2
  bool is_forced_ = false;    // the timer has run out: something must be sent
  bool sends_syn_ = false;
  bool ack_now_ = false;
  std::vector<ModelSegment> replies_;

  bool is_user_gone_ = false;
  bool wants_to_write_ = false;
  bool tell_connected_ = false;
  bool tell_readable_ = false;
  bool tell_writable_ = false;
  bool tell_ended_ = false;
  bool tell_reset_ = false;
  bool tell_closed_ = false;
};

}  // namespace runnel::test
