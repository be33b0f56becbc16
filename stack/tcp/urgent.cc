#include "stack/tcp/urgent.h"

#include <algorithm>

#include "stack/tcp/connection.h"

namespace runnel::tcp {

// --- The values ----------------------------------------------------------------------------------

void UrgentSender::announce(wire::TcpHeader& header) const noexcept {
  if (!is_urgent(header.seq)) return;
  const std::uint32_t behind = distance(header.seq, *mark_);
  const std::uint32_t pointer = reading_ == UrgentPointer::Rfc1011 ? behind - 1 : behind;
  header.flags.urg = true;
  header.urgent_pointer = static_cast<std::uint16_t>(std::min<std::uint32_t>(pointer, UINT16_MAX));
}

bool UrgentReceiver::mark_arrives(std::uint64_t mark, std::uint64_t read,
                                  std::uint64_t received) noexcept {
  if (mark <= read || mark <= mark_) return false;
  mark_ = mark;
  // An octet that is in the queue already stays there, and one that was waited for stays in the
  // stream when the mark moves on, as in BSD.
  gap_.reset();
  awaited_.reset();
  if (!is_inline_ && received < mark) {
    gap_ = awaited_ = mark - 1;
    octet_.reset();
  }
  return true;
}

void UrgentReceiver::text_arrives(std::uint64_t offset, Bytes text) noexcept {
  if (!awaited_ || *awaited_ < offset || *awaited_ - offset >= text.size()) return;
  octet_ = text[static_cast<std::size_t>(*awaited_ - offset)];
  awaited_.reset();
}

std::optional<std::uint8_t> UrgentReceiver::take_octet() noexcept {
  return std::exchange(octet_, std::nullopt);
}

// --- The connection ------------------------------------------------------------------------------

Result<std::size_t> Connection::write_urgent(Bytes data, Instant now) {
  auto taken = write(data, now);
  if (!taken || *taken == 0) return taken;
  urgent_sender_.set_mark(data_end());
  // The peer's window may be closed for the octets, but not for the news.
  if (may_send_data() && usable_window() == 0) acknowledge_now();
  return taken;
}

Result<std::uint8_t> Connection::read_urgent() {
  if (const auto octet = urgent_receiver_.take_octet()) return *octet;
  if (is_given_up_) return Errc::broken_pipe;
  if (error_) return error_;
  return Errc::would_block;
}

// Sixth step. The pointer counts from the sequence number that the segment was sent with.
void Connection::process_urgent(const Segment& seg) {
  const bool may_have_more =
      state_ == State::Established || state_ == State::FinWait1 || state_ == State::FinWait2;
  if (!seg.flags.urg || !may_have_more || is_given_up_) return;
  const SeqNum mark = urgent_receiver_.mark_of(seg.header_seq, seg.urgent_pointer);
  if (mark <= rcv_.nxt - static_cast<std::uint32_t>(receive_queue_.size())) return;  // was read
  const std::int32_t ahead = mark - rcv_.nxt;
  const std::uint64_t offset = received_offset_ + static_cast<std::uint64_t>(std::int64_t{ahead});
  if (urgent_receiver_.mark_arrives(offset, read_offset(), received_offset_)) {
    report_once(EventKind::Urgent);
  }
}

// What can be read before the octet that is not for this queue.
std::size_t Connection::octets_before_gap() const noexcept {
  const auto gap = urgent_receiver_.gap();
  if (!gap || *gap >= received_offset_) return receive_queue_.size();
  return static_cast<std::size_t>(*gap - read_offset());
}

// Takes the octet out of line from the queue, once everything before it was read.
bool Connection::skip_urgent_octet() noexcept {
  if (urgent_receiver_.gap() != read_offset() || receive_queue_.empty()) return false;
  receive_queue_.consume(1);
  urgent_receiver_.skipped();
  return true;
}

}  // namespace runnel::tcp
