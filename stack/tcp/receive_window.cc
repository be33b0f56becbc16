// When to acknowledge, and how much to let the peer send: RFC 9293 sections 3.8.6.2.2 and 3.8.6.3,
// RFC 5681 section 4.2.
#include <algorithm>

#include "stack/tcp/connection.h"
#include "stack/tcp/handshake.h"

namespace runnel::tcp {

void Connection::acknowledge_text(const Segment& seg, Instant now) {
  const auto round_trip = receive_buffer_.rtt().get();
  if (delayed_ack_.text_arrived(static_cast<std::uint32_t>(seg.text.size()), seg.segment_count,
                                rtt_.timeout(), now, round_trip ? 2 * *round_trip : kForever)) {
    acknowledge_now();
  } else if (rcv_.wnd() < largest_segment() && best_edge() != rcv_.edge) {
    acknowledge_now();  // a peer with so small a window has nothing else to wait for
  } else if (!timers_.is_set(TimerKind::DelayedAck)) {
    timers_.set(TimerKind::DelayedAck, now + config_->delayed_ack);
  }
}

// The right edge moves by at least a segment or half the buffer, or not at all: small steps would
// have the peer send small segments (silly window syndrome).
SeqNum Connection::best_edge() const noexcept {
  const std::size_t buffer = receive_buffer_.octets();
  const std::size_t unit = std::size_t{1} << rcv_.scale;
  const std::size_t reserve = unit == 1 ? 0 : std::max(buffer / 32, unit);  // see announce_window()
  const std::size_t free = free_octets() - std::min(free_octets(), reserve);
  const std::size_t most =
      std::min(std::size_t{kMaxUnscaledWindow} << rcv_.scale, most_to_announce());
  const SeqNum candidate = rcv_.nxt + static_cast<std::uint32_t>(std::min(free, most));
  const auto step =
      static_cast<std::int32_t>(std::min<std::size_t>(buffer / 2, delayed_ack_.full_segment()));
  const std::int32_t growth = candidate - rcv_.edge;
  // Where the share is the limit, and not the buffer, a small step may lead to a whole segment.
  const bool is_too_small = most < free && growth > 0 && rcv_.wnd() < largest_segment();
  return growth >= step || is_too_small ? candidate : rcv_.edge;
}

// A window that was closed, or nearly, is opened at once; one that is open is updated by a segment
// of its own only when that gives the peer a quarter of the buffer more.
void Connection::application_has_read(std::size_t octets, Instant now) {
  payload_moved(now);
  if (rtt_.has_sample()) receive_buffer_.rtt().take_sample(rtt_.smoothed());
  receive_buffer_.application_has_read(octets, std::size_t{kMaxUnscaledWindow} << rcv_.scale, now);
  if (is_fin_received_ || !is_synchronized(state_)) return;
  const std::int32_t growth = best_edge() - rcv_.edge;
  if (growth <= 0) return;
  const bool was_nearly_closed = rcv_.wnd() < 2U * delayed_ack_.full_segment();
  const std::size_t whole = std::min(receive_buffer_.octets(), most_to_announce());
  const bool is_large = static_cast<std::size_t>(growth) >= whole / 4;
  if (was_nearly_closed || is_large) acknowledge_now();
}

// The scaled field cannot name every edge. Rounding down would move an edge left that the peer has
// seen (RFC 7323 section 2.4), so it rounds up, into a part of the buffer that best_edge() holds
// back for this. When that is used up too, it rounds down: what was announced once stays
// acceptable here all the same.
std::uint16_t Connection::announce_window() noexcept {
  const SeqNum edge = max(best_edge(), rcv_.nxt);
  const std::uint32_t unit = 1U << rcv_.scale;
  const std::uint32_t window = std::min(distance(rcv_.nxt, edge), kMaxUnscaledWindow * unit);
  std::uint32_t field = (window + unit - 1) / unit;
  if (std::size_t{field} * unit > free_octets()) field = window / unit;
  rcv_.edge = max(rcv_.edge, rcv_.nxt + field * unit);
  return static_cast<std::uint16_t>(field);
}

// Never scaled. Less than the whole buffer when data came with the peer's SYN.
std::uint16_t Connection::announce_syn_window() noexcept {
  const std::uint16_t window = syn_window(free_octets());
  rcv_.edge = max(rcv_.edge, rcv_.nxt + window);
  return window;
}

// This connection's share of what the link's queue holds, and a segment at least; whole segments,
// where few are allowed: what is left over would be a packet too.
std::size_t Connection::most_to_announce() const noexcept {
  constexpr std::size_t kFewSegments = 4;
  const std::size_t share = environment_.window_share.octets();
  const std::size_t segment = largest_segment();
  if (share >= kFewSegments * segment) return share;
  return std::max<std::size_t>(share / segment, 1) * segment;
}

std::uint16_t Connection::largest_segment() const noexcept {
  return less_options(offered_mss(environment_.link.receive_mtu_octets),
                      timestamps_.option_octets());
}

std::size_t Connection::free_octets() const noexcept {
  const std::size_t buffer = receive_buffer_.octets();
  return buffer - std::min(buffer, receive_queue_.size());
}

}  // namespace runnel::tcp
