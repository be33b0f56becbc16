#include "stack/tcp/loss/scoreboard.h"

#include <algorithm>
#include <cassert>

namespace runnel::tcp {

namespace {

using Fate = SentRange::Fate;

}  // namespace

bool Scoreboard::on_transmit(const SeqRange& range, std::uint16_t segment_octets, Instant now,
                             const DeliverySnapshot& delivery) noexcept {
  assert(ranges_.empty() || ranges_.back().range.end == range.begin);
  if (SentRange* const sent = ranges_.add_back()) {
    sent->range = range;
    sent->sent_at = now;
    sent->segment_octets = std::max<std::uint16_t>(segment_octets, 1);
    sent->delivery = delivery;
    enter(*sent);
    return true;
  }
  if (ranges_.empty() || ranges_.back().fate != Fate::InFlight) return false;
  // Without memory for another range the last one grows; all of it then counts as sent now.
  SentRange& last = ranges_.back();
  leave(last);
  last.range.end = range.end;
  last.sent_at = now;
  last.delivery = delivery;
  enter(last);
  return true;
}

void Scoreboard::on_retransmit(const SeqRange& range, std::uint16_t segment_octets, Instant now,
                               const DeliverySnapshot& delivery) noexcept {
  std::size_t i = first_reaching(range.begin);
  if (i < ranges_.count() && ranges_[i].range.begin < range.begin && split(i, range.begin)) ++i;
  const std::size_t first = i;
  bool is_one_frame = true;
  for (; i < ranges_.count() && ranges_[i].range.begin < range.end; ++i) {
    if (range.end < ranges_[i].range.end) (void)split(i, range.end);
    SentRange& sent = ranges_[i];
    leave(sent);
    sent.sent_at = now;
    sent.delivery = delivery;
    sent.is_retransmitted = true;
    sent.segment_octets = std::max<std::uint16_t>(segment_octets, 1);
    if (sent.fate == Fate::Lost) sent.fate = Fate::InFlight;
    is_one_frame = is_one_frame && sent.fate == Fate::InFlight;
    enter(sent);
  }
  // What left together is one range again: its segments are cut from its beginning, and need not
  // end where those of the first transmission did.
  if (is_one_frame && i > first + 1) merge(first, i);
  if (range.begin <= lost_from_ && lost_from_ < range.end) lost_from_ = range.end;
}

void Scoreboard::merge(std::size_t first, std::size_t end) noexcept {
  const std::size_t surplus = end - first - 1;
  ranges_[first].range.end = ranges_[end - 1].range.end;
  for (std::size_t i = end; i < ranges_.count(); ++i) ranges_[i - surplus] = ranges_[i];
  for (std::size_t i = 0; i < surplus; ++i) ranges_.pop_back();
}

void Scoreboard::set_fate(std::size_t index, Fate fate) noexcept {
  SentRange& sent = ranges_[index];
  leave(sent);
  sent.fate = fate;
  enter(sent);
  if (fate != Fate::Lost) return;
  (void)newly_lost_.push_back(SentRange(sent));
  const bool is_only_one = lost_ == sent.octets();
  if (is_only_one || sent.range.begin < lost_from_) lost_from_ = sent.range.begin;
}

void Scoreboard::forget_sacks() noexcept {
  for (std::size_t i = 0; i < ranges_.count(); ++i) {
    if (ranges_[i].fate == Fate::Sacked) set_fate(i, Fate::InFlight);
  }
}

void Scoreboard::clear() noexcept {
  ranges_.clear();
  newly_lost_.clear();
  in_flight_ = sacked_ = sacked_segments_ = lost_ = 0;
}

std::size_t Scoreboard::first_reaching(SeqNum seq) const noexcept {
  std::size_t low = 0;
  std::size_t high = ranges_.count();
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    if (ranges_[middle].range.end <= seq) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

std::optional<SeqRange> Scoreboard::first_lost() const noexcept {
  if (lost_ == 0) return std::nullopt;
  const SeqNum from = max(lost_from_, ranges_.front().range.begin);
  for (std::size_t i = first_reaching(from); i < ranges_.count(); ++i) {
    if (ranges_[i].fate != Fate::Lost) continue;
    SeqRange lost = ranges_[i].range;
    while (++i < ranges_.count() && ranges_[i].fate == Fate::Lost) lost.end = ranges_[i].range.end;
    return lost;
  }
  return std::nullopt;
}

void Scoreboard::enter(const SentRange& range) noexcept {
  switch (range.fate) {
    case Fate::InFlight:
      in_flight_ += range.octets();
      break;
    case Fate::Sacked:
      sacked_ += range.octets();
      sacked_segments_ += range.segments();
      break;
    case Fate::Lost:
      lost_ += range.octets();
      break;
  }
}

void Scoreboard::leave(const SentRange& range) noexcept {
  switch (range.fate) {
    case Fate::InFlight:
      in_flight_ -= range.octets();
      break;
    case Fate::Sacked:
      sacked_ -= range.octets();
      sacked_segments_ -= std::min(sacked_segments_, range.segments());
      break;
    case Fate::Lost:
      lost_ -= range.octets();
      break;
  }
}

bool Scoreboard::split(std::size_t i, SeqNum at) noexcept {
  SentRange second = ranges_[i];
  second.range.begin = at;
  if (!ranges_.insert(i + 1, std::move(second))) return false;
  ranges_[i].range.end = at;
  return true;
}

std::size_t Scoreboard::split_up(std::size_t i, SeqNum at) noexcept {
  const SentRange& sent = ranges_[i];
  const std::uint32_t before = distance(sent.range.begin, at);
  const std::uint32_t whole =
      (before + sent.segment_octets - 1U) / sent.segment_octets * sent.segment_octets;
  if (whole < sent.octets()) (void)split(i, sent.range.begin + whole);
  return i + 1;
}

bool Scoreboard::split_down(std::size_t i, SeqNum at) noexcept {
  const SentRange& sent = ranges_[i];
  const std::uint32_t before = distance(sent.range.begin, at);
  const std::uint32_t whole = before - before % sent.segment_octets;
  return whole > 0 && split(i, sent.range.begin + whole);
}

}  // namespace runnel::tcp
