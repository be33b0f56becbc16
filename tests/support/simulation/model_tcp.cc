#include "tests/support/simulation/model_tcp.h"

#include <algorithm>
#include <utility>

namespace runnel::test {
namespace {

// Comparisons modulo 2^32 (RFC 9293 section 3.4).
bool less(std::uint32_t a, std::uint32_t b) {
  return static_cast<std::int32_t>(a - b) < 0;
}
bool less_or_equal(std::uint32_t a, std::uint32_t b) {
  return !less(b, a);
}

}  // namespace

// --- The user's calls ----------------------------------------------------------------------------

void ModelTcp::choose_isn(Instant now) noexcept {
  const auto ticks = now.time_since_epoch() / std::chrono::microseconds(4);
  iss_ = options_.isn_base + static_cast<std::uint32_t>(ticks);
  snd_una_ = snd_nxt_ = snd_max_ = iss_;
}

void ModelTcp::open(Instant now) {
  choose_isn(now);
  state_ = State::SynSent;
  sends_syn_ = true;
}

std::size_t ModelTcp::write(Bytes octets) {
  const std::size_t room = kSendOctets - std::min(kSendOctets, unacknowledged_.size());
  const std::size_t taken = state_ == State::Closed ? 0 : std::min(room, octets.size());
  unacknowledged_.insert(unacknowledged_.end(), octets.begin(),
                         octets.begin() + static_cast<std::ptrdiff_t>(taken));
  wants_to_write_ = taken < octets.size();
  return taken;
}

void ModelTcp::consume(std::size_t octets) {
  received_.erase(received_.begin(), received_.begin() + static_cast<std::ptrdiff_t>(octets));
  const std::uint32_t before = rcv_edge_;
  (void)window();
  if (rcv_edge_ != before) ack_now_ = true;  // tells of the larger window
}

void ModelTcp::close() {
  is_user_gone_ = true;
  if (state_ == State::Closed) return;
  if (state_ == State::Listen || state_ == State::SynSent) {
    become_closed(false);
  } else if (!received_.empty()) {
    abort();  // section 3.6.1: the peer is to know that data were lost
  } else {
    is_fin_queued_ = true;
  }
}

void ModelTcp::abort() {
  is_user_gone_ = true;
  if (state_ != State::Closed && state_ != State::Listen && state_ != State::SynSent &&
      state_ != State::TimeWait) {
    ModelSegment reset;
    reset.seq = snd_nxt_;
    reset.rst = true;
    reply(reset);
  }
  if (state_ != State::Closed) become_closed(false);
}

// --- SEGMENT ARRIVES, section 3.10.7 -------------------------------------------------------------

std::optional<ModelSegment> ModelTcp::answer_from_closed(const ModelSegment& segment) {
  if (segment.rst) return std::nullopt;
  ModelSegment reset;
  reset.rst = true;
  if (segment.has_ack) {
    reset.seq = segment.ack;
  } else {
    reset.ack = segment.seq + segment.length();
    reset.has_ack = true;
  }
  return reset;
}

void ModelTcp::segment_arrives(ModelSegment segment, Instant now) {
  if (state_ == State::Listen) return arrives_in_listen(segment, now);
  if (state_ == State::SynSent) return arrives_in_syn_sent(segment, now);
  const std::size_t octets = segment.text.size();
  if (!is_acceptable(segment)) return;
  if (!passes_rst_and_syn(segment)) return;
  const bool is_news = segment.has_ack && less(snd_una_, segment.ack);
  const bool completes = state_ == State::SynReceived;
  if (!process_ack(segment, now)) return;
  if (!segment.syn) ecn_.came(segment.ecn, octets, is_news || completes);
  process_text(segment);
  process_fin(segment, now);
}

void ModelTcp::arrives_in_listen(const ModelSegment& segment, Instant now) {
  if (segment.rst) return;
  if (segment.has_ack) return reply(*answer_from_closed(segment));
  if (!segment.syn) return;
  is_passive_ = true;
  ecn_.syn_came(segment.ecn);
  rcv_nxt_ = rcv_edge_ = segment.seq + 1;
  take_peer_mss(segment);
  choose_isn(now);
  state_ = State::SynReceived;
  sends_syn_ = true;
}

void ModelTcp::arrives_in_syn_sent(const ModelSegment& segment, Instant) {
  if (segment.has_ack && (less_or_equal(segment.ack, iss_) || less(snd_max_, segment.ack))) {
    if (const auto reset = answer_from_closed(segment)) reply(*reset);
    return;
  }
  if (segment.rst) {
    if (segment.has_ack) become_closed(true);
    return;
  }
  if (!segment.syn) return;
  rcv_nxt_ = rcv_edge_ = segment.seq + 1;
  take_peer_mss(segment);
  if (!segment.has_ack) {  // simultaneous open
    ecn_.syn_came(segment.ecn);
    state_ = State::SynReceived;
    sends_syn_ = true;
    return;
  }
  ecn_.syn_ack_came(segment.ecn);
  snd_una_ = snd_nxt_ = segment.ack;
  snd_wnd_ = max_snd_wnd_ = segment.window;
  snd_wl1_ = segment.seq;
  snd_wl2_ = segment.ack;
  ack_now_ = true;
  become_connected();
}

// First: the sequence number. Cuts off what lies outside the window.
bool ModelTcp::is_acceptable(ModelSegment& segment) {
  const std::uint32_t wnd = rcv_edge_ - rcv_nxt_;
  const std::uint32_t length = segment.length();
  const auto is_inside = [&](std::uint32_t seq) {
    return less_or_equal(rcv_nxt_, seq) && less(seq, rcv_nxt_ + wnd);
  };
  bool acceptable = false;
  if (length == 0) {
    acceptable = wnd == 0 ? segment.seq == rcv_nxt_ : is_inside(segment.seq);
  } else {
    acceptable = wnd > 0 && (is_inside(segment.seq) || is_inside(segment.seq + length - 1));
  }
  if (!acceptable && length > 0 && wnd == 0 && segment.seq == rcv_nxt_) {
    // A closed window: ACK and RST count nevertheless.
    segment.text.clear();
    segment.fin = false;
    ack_now_ = acceptable = true;
  }
  if (!acceptable) {
    if (state_ == State::SynReceived && segment.syn && segment.seq + 1 == rcv_nxt_) {
      ecn_.syn_came(segment.ecn);
      sends_syn_ = true;  // the peer has not seen ours, and its own ACK would not help it
      return false;
    }
    if (!segment.rst) ack_now_ = true;
    if (state_ == State::TimeWait && segment.fin) ack_now_ = true;
    return false;
  }
  if (less(segment.seq, rcv_nxt_) && !segment.syn) {
    const std::size_t old = std::min<std::size_t>(rcv_nxt_ - segment.seq, segment.text.size());
    segment.text.erase(segment.text.begin(),
                       segment.text.begin() + static_cast<std::ptrdiff_t>(old));
    segment.seq += static_cast<std::uint32_t>(old);
    ack_now_ = true;
  }
  if (!segment.text.empty() && !segment.syn) {
    const std::uint32_t room = rcv_edge_ - segment.seq;
    if (segment.text.size() > room) segment.text.resize(room);
    if (less_or_equal(rcv_edge_, segment.seq + segment.length() - 1)) segment.fin = false;
  }
  return true;
}

// Second and fourth, as RFC 5961 has them.
bool ModelTcp::passes_rst_and_syn(const ModelSegment& segment) {
  if (segment.rst) {
    if (segment.seq != rcv_nxt_) {
      ack_now_ = true;
    } else if (state_ == State::SynReceived && is_passive_) {
      state_ = State::Listen;
      timer_ = kNever;
      sends_syn_ = ack_now_ = false;
    } else {
      const bool is_expected =
          state_ == State::Closing || state_ == State::LastAck || state_ == State::TimeWait;
      become_closed(!is_expected);
    }
    return false;
  }
  if (segment.syn) {
    ack_now_ = true;
    return false;
  }
  return true;
}

// Fifth.
bool ModelTcp::process_ack(const ModelSegment& segment, Instant now) {
  if (!segment.has_ack) return false;
  if (state_ == State::SynReceived) {
    if (!less(snd_una_, segment.ack) || less(snd_max_, segment.ack)) {
      reply(*answer_from_closed(segment));
      return false;
    }
    snd_una_ = snd_nxt_ = iss_ + 1;
    snd_wnd_ = max_snd_wnd_ = segment.window;
    snd_wl1_ = segment.seq;
    snd_wl2_ = segment.ack;
    become_connected();
  }
  if (less(snd_max_, segment.ack)) {
    ack_now_ = true;
    return false;
  }
  if (less(snd_una_, segment.ack)) {
    const std::size_t octets =
        std::min<std::size_t>(segment.ack - snd_una_, unacknowledged_.size());
    const bool acks_fin = segment.ack - snd_una_ > octets;
    unacknowledged_.erase(unacknowledged_.begin(),
                          unacknowledged_.begin() + static_cast<std::ptrdiff_t>(octets));
    // The right edge stays where it is, until a segment that is newer by SND.WL1 and SND.WL2 moves
    // it: a retransmission, of old sequence numbers, may bring a new ACK and an unheard window.
    snd_wnd_ -= std::min(snd_wnd_, segment.ack - snd_una_);
    snd_una_ = segment.ack;
    if (less(snd_nxt_, snd_una_)) snd_nxt_ = snd_una_;
    timeout_ = kTimeout;
    is_forced_ = false;
    timer_ = kNever;
    if (snd_una_ != snd_max_) start_timer(now);
    if (wants_to_write_) tell_writable_ = true;
    if (acks_fin) {
      if (state_ == State::FinWait1) {
        state_ = State::FinWait2;
        if (is_user_gone_) two_msl_ = now + kFinWait2;
      } else if (state_ == State::Closing) {
        enter_time_wait(now);
      } else if (state_ == State::LastAck) {
        become_closed(false);
        return false;
      }
    }
  }
  const bool is_newer = less(snd_wl1_, segment.seq) ||
                        (snd_wl1_ == segment.seq && less_or_equal(snd_wl2_, segment.ack));
  if (less_or_equal(snd_una_, segment.ack) && is_newer) {
    snd_wnd_ = segment.window;
    max_snd_wnd_ = std::max(max_snd_wnd_, snd_wnd_);
    snd_wl1_ = segment.seq;
    snd_wl2_ = segment.ack;
  }
  return true;
}

// Seventh. Out of order is as if it had not come.
void ModelTcp::process_text(const ModelSegment& segment) {
  if (segment.text.empty()) return;
  ack_now_ = true;
  const bool may_receive =
      state_ == State::Established || state_ == State::FinWait1 || state_ == State::FinWait2;
  if (!may_receive || segment.seq != rcv_nxt_) return;
  if (is_user_gone_) return abort();  // nobody will read it
  received_.insert(received_.end(), segment.text.begin(), segment.text.end());
  rcv_nxt_ += static_cast<std::uint32_t>(segment.text.size());
  tell_readable_ = true;
}

// Eighth.
void ModelTcp::process_fin(const ModelSegment& segment, Instant now) {
  if (!segment.fin || state_ == State::Closed) return;
  ack_now_ = true;
  const std::uint32_t fin = segment.seq + static_cast<std::uint32_t>(segment.text.size());
  if (state_ == State::TimeWait) two_msl_ = now + kTwoMsl;
  if (fin != rcv_nxt_ || has_peer_fin_) return;
  rcv_nxt_ = fin + 1;
  if (less(rcv_edge_, rcv_nxt_)) rcv_edge_ = rcv_nxt_;
  has_peer_fin_ = tell_ended_ = true;
  if (state_ == State::Established) {
    state_ = State::CloseWait;
  } else if (state_ == State::FinWait1) {
    state_ = State::Closing;
  } else if (state_ == State::FinWait2) {
    enter_time_wait(now);
  }
}

// --- What to send --------------------------------------------------------------------------------

bool ModelTcp::poll(ModelSegment& out, Instant now) {
  if (!replies_.empty()) {
    out = replies_.front();
    replies_.erase(replies_.begin());
    return true;
  }
  if (state_ == State::Closed || state_ == State::Listen) return false;
  const bool is_alone = ack_now_ && ecn_.owes_handshake_ack();
  if (poll_handshake(out, now) || (!is_alone && poll_stream(out, now))) return true;
  if (!ack_now_ || state_ == State::SynSent) return false;
  ack_now_ = false;
  out = bare_ack();
  ecn_.leaves(out.ecn, 0, false, true);
  return true;
}

bool ModelTcp::poll_handshake(ModelSegment& out, Instant now) {
  if (!sends_syn_ || (state_ != State::SynSent && state_ != State::SynReceived)) return false;
  sends_syn_ = false;
  out = state_ == State::SynReceived ? bare_ack() : ModelSegment{};
  if (state_ == State::SynSent) out.window = static_cast<std::uint16_t>(options_.receive_octets);
  out.seq = iss_;
  out.syn = true;
  out.mss = options_.mss;
  out.ecn = {};
  out.ecn.flags = state_ == State::SynSent ? ecn_.syn_bits() : ecn_.syn_ack_bits();
  snd_nxt_ = iss_;
  sent(out, now);
  return true;
}

bool ModelTcp::poll_stream(ModelSegment& out, Instant now) {
  if (state_ == State::SynSent || state_ == State::SynReceived || state_ == State::FinWait2 ||
      state_ == State::TimeWait) {
    return false;
  }
  const std::uint32_t octets = octets_to_send();
  const std::uint32_t usable = snd_una_ + snd_wnd_ - snd_nxt_;
  const bool fin = is_fin_due() && octets == unsent() &&
                   (static_cast<std::int32_t>(usable) > static_cast<std::int32_t>(octets) ||
                    (is_forced_ && octets == 0));
  if (octets == 0 && !fin) {
    // A closed window, or too little to be worth a segment: asks again, or overrides.
    const bool waits = unsent() > 0 || is_fin_due();
    if (waits && timer_ == kNever) start_timer(now);
    return false;
  }
  is_forced_ = false;
  ack_now_ = false;
  out = bare_ack();
  const auto first = unacknowledged_.begin() + static_cast<std::ptrdiff_t>(snd_nxt_ - snd_una_);
  out.text.assign(first, first + static_cast<std::ptrdiff_t>(octets));
  out.fin = fin;
  ecn_.leaves(out.ecn, out.text.size(), snd_nxt_ == snd_max_, false);
  sent(out, now);
  if (fin) fin_was_sent();
  return true;
}

// The sender's algorithm against silly windows, section 3.8.6.2.1.
std::uint32_t ModelTcp::octets_to_send() noexcept {
  const std::uint32_t most_in_flight = std::min(snd_wnd_, options_.segments_in_flight * send_mss_);
  const std::uint32_t in_flight = snd_nxt_ - snd_una_;
  const std::uint32_t usable = most_in_flight - std::min(most_in_flight, in_flight);
  const std::uint32_t data = unsent();
  const std::uint32_t octets = std::min({data, usable, std::uint32_t{send_mss_}});
  if (octets >= send_mss_) return octets;
  if (is_forced_) return std::min(data, std::max(1U, octets));
  const bool is_idle = in_flight == 0;
  if (is_idle && octets > 0 && (octets == data || octets >= std::max(1U, max_snd_wnd_ / 2))) {
    return octets;
  }
  return 0;
}

void ModelTcp::sent(const ModelSegment& segment, Instant now) {
  snd_nxt_ += segment.length();
  if (less(snd_max_, snd_nxt_)) snd_max_ = snd_nxt_;
  if (timer_ == kNever) start_timer(now);
}

void ModelTcp::fin_was_sent() noexcept {
  if (state_ == State::Established) {
    state_ = State::FinWait1;
  } else if (state_ == State::CloseWait) {
    state_ = State::LastAck;
  }
}

ModelSegment ModelTcp::bare_ack() {
  ModelSegment segment;
  segment.seq = snd_nxt_;
  if (state_ == State::FinWait2 || state_ == State::TimeWait) segment.seq = snd_max_;
  segment.ack = rcv_nxt_;
  segment.has_ack = true;
  segment.window = window();
  return segment;
}

// The receiver's algorithm against silly windows, section 3.8.6.2.2: the right edge moves by a
// segment, or by half of the buffer.
std::uint16_t ModelTcp::window() {
  const auto held = static_cast<std::uint32_t>(received_.size());
  const std::uint32_t edge = rcv_nxt_ + options_.receive_octets - held;
  const std::uint32_t step = std::min<std::uint32_t>(options_.receive_octets / 2, options_.mss);
  if (less_or_equal(rcv_edge_ + step, edge) && !has_peer_fin_) rcv_edge_ = edge;
  return static_cast<std::uint16_t>(rcv_edge_ - rcv_nxt_);
}

std::uint32_t ModelTcp::data_end() const noexcept {
  const std::uint32_t first = snd_una_ == iss_ ? iss_ + 1 : snd_una_;
  return first + static_cast<std::uint32_t>(unacknowledged_.size());
}

// Octets that were not sent, or are to be sent again.
std::uint32_t ModelTcp::unsent() const noexcept {
  return less(snd_nxt_, data_end()) ? data_end() - snd_nxt_ : 0;
}

bool ModelTcp::is_fin_due() const noexcept {
  return is_fin_queued_ && less_or_equal(snd_nxt_, data_end());
}

// --- Time ----------------------------------------------------------------------------------------

void ModelTcp::advance(Instant now) {
  if (two_msl_ <= now) become_closed(false);
  if (timer_ > now) return;
  timer_ = kNever;
  timeout_ = std::min(timeout_ * 2, kLongestTimeout);
  if (state_ == State::SynSent || state_ == State::SynReceived) {
    sends_syn_ = true;
  } else {
    snd_nxt_ = snd_una_;  // go back
    is_forced_ = true;
  }
}

Instant ModelTcp::next_deadline() const noexcept {
  return std::min(timer_, two_msl_);
}

// --- Changes of state ----------------------------------------------------------------------------

void ModelTcp::take_peer_mss(const ModelSegment& segment) noexcept {
  send_mss_ = std::min(segment.mss.value_or(kDefaultMss), options_.mss);
}

void ModelTcp::path_mtu_is(std::uint16_t octets) noexcept {
  if (octets < 68 || octets - 40 >= send_mss_) return;
  send_mss_ = static_cast<std::uint16_t>(octets - 40);
  snd_nxt_ = snd_una_;
  is_forced_ = true;
}

void ModelTcp::become_connected() noexcept {
  state_ = State::Established;
  sends_syn_ = false;
  timer_ = kNever;
  timeout_ = kTimeout;
  tell_connected_ = true;
}

void ModelTcp::become_closed(bool with_error) noexcept {
  state_ = State::Closed;
  timer_ = two_msl_ = kNever;
  ack_now_ = sends_syn_ = false;
  if (with_error) tell_reset_ = true;
  tell_closed_ = true;
}

void ModelTcp::enter_time_wait(Instant now) noexcept {
  state_ = State::TimeWait;
  timer_ = kNever;
  two_msl_ = now + kTwoMsl;
}

// --- Events --------------------------------------------------------------------------------------

bool ModelTcp::tell_application(Instant now) {
  const auto take = [](bool& flag) { return std::exchange(flag, false); };
  bool any = false;
  if (take(tell_connected_)) {
    application_.on_connected(*this, now);
    any = true;
  }
  if (take(tell_readable_)) {
    application_.on_readable();
    any = true;
  }
  if (take(tell_writable_)) {
    application_.on_writable();
    any = true;
  }
  if (take(tell_ended_)) {
    application_.on_ended();
    any = true;
  }
  if (take(tell_reset_)) {
    application_.on_error(std::make_error_code(std::errc::connection_reset));
    any = true;
  }
  if (take(tell_closed_)) {
    application_.on_closed();
    any = true;
  }
  return any;
}

}  // namespace runnel::test
