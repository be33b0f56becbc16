#include "stack/tcp/loss/rack.h"

#include <algorithm>

namespace runnel::tcp {

namespace {

constexpr std::uint32_t kDuplicateThreshold = 3;  // DupThresh
constexpr std::uint32_t kWindowPersistRecoveries = 16;

}  // namespace

void Rack::on_delivered(const SentRange& sent, bool echoes_older, Instant now) noexcept {
  const Duration rtt = now - sent.sent_at;
  // Step 2: of a range that was sent twice, was it the second transmission that arrived?
  if (sent.is_retransmitted) {
    const bool is_too_soon = min_rtt_.minimum() && rtt < *min_rtt_.minimum();
    if (echoes_older || is_too_soon) return;
  }
  if (!sent.is_retransmitted) min_rtt_.add(rtt, now);

  // Step 3: something that was sent once arrives behind what was sent after it.
  if (!fack_ || *fack_ < sent.range.end) {
    fack_ = sent.range.end;
  } else if (sent.range.end < *fack_ && !sent.is_retransmitted) {
    reordering_seen_ = true;
  }

  const bool left_later = !has_delivered_ || xmit_ts_ < sent.sent_at ||
                          (xmit_ts_ == sent.sent_at && end_seq_ < sent.range.end);
  if (!left_later) return;
  has_delivered_ = true;
  xmit_ts_ = sent.sent_at;
  end_seq_ = sent.range.end;
  rtt_ = rtt;
}

void Rack::on_duplicate_report(SeqNum una, SeqNum nxt) noexcept {
  if (dsack_round_ && una < *dsack_round_) return;  // one step a round trip
  dsack_round_ = nxt;
  ++reo_wnd_mult_;
  reo_wnd_persist_ = kWindowPersistRecoveries;
}

void Rack::on_recovered() noexcept {
  if (reo_wnd_persist_ > 0 && --reo_wnd_persist_ == 0) reo_wnd_mult_ = 1;
}

void Rack::on_retransmit(const SeqRange& range, Instant now) noexcept {
  // Without memory for it, this transmission is left to the retransmission timer.
  (void)resent_.push_back({range, now});
}

// Without any sign of reordering three segments behind a gap are as good as three duplicate ACKs,
// and in recovery nothing is waited for.
Duration Rack::window_for(const Scoreboard& board, bool in_recovery, Duration srtt) const noexcept {
  if (!reordering_seen_ && (in_recovery || board.sacked_segments() >= kDuplicateThreshold)) {
    return Duration{0};
  }
  const Duration min_rtt = min_rtt_.minimum().value_or(Duration{0});
  return std::min(reo_wnd_mult_ * min_rtt / 4, srtt);
}

bool Rack::left_before_newest(const SentRange& sent) const noexcept {
  return sent.sent_at < xmit_ts_ || (sent.sent_at == xmit_ts_ && sent.range.end < end_seq_);
}

Rack::Losses Rack::detect(Scoreboard& board, bool in_recovery, Duration srtt,
                          Instant now) noexcept {
  Losses losses;
  if (!has_delivered_ || board.empty()) return losses;
  // What lies behind SND.UNA says nothing any more, and would look like the future after 2 GiB.
  const SeqNum una = board[0].range.begin;
  if (undecided_from_ && *undecided_from_ <= una) undecided_from_.reset();
  if (dsack_round_ && *dsack_round_ <= una) dsack_round_.reset();
  reo_wnd_ = window_for(board, in_recovery, srtt);
  detect_sent_once(board, now, losses);
  detect_sent_again(board, now, losses);
  return losses;
}

void Rack::judge(Scoreboard& board, std::size_t index, Instant now, Losses& losses) const noexcept {
  const SentRange& sent = board[index];
  const Instant deadline = sent.sent_at + rtt_ + reo_wnd_;
  if (now < deadline) {
    // The latest of them: one look then decides all.
    losses.look_again =
        losses.look_again == kNever ? deadline : std::max(losses.look_again, deadline);
    return;
  }
  losses.lost_octets += sent.octets();
  if (sent.is_retransmitted) {
    losses.retransmission_lost = true;
    losses.last_retransmission_lost = std::max(losses.last_retransmission_lost, sent.sent_at);
  }
  board.set_fate(index, SentRange::Fate::Lost);
}

void Rack::detect_sent_once(Scoreboard& board, Instant now, Losses& losses) noexcept {
  std::size_t i = undecided_from_ ? board.first_reaching(*undecided_from_) : 0;
  bool all_decided = true;
  for (; i < board.count(); ++i) {
    const SentRange& sent = board[i];
    const bool is_candidate = sent.fate == SentRange::Fate::InFlight && !sent.is_retransmitted;
    if (is_candidate) {
      if (!left_before_newest(sent)) break;
      judge(board, i, now, losses);
    }
    all_decided = all_decided && !(is_candidate && board[i].fate == SentRange::Fate::InFlight);
    if (all_decided) undecided_from_ = board[i].range.end;
  }
}

void Rack::detect_sent_again(Scoreboard& board, Instant now, Losses& losses) noexcept {
  while (!resent_.empty()) {
    const Resent& oldest = resent_.front();
    bool is_decided = true;
    for (std::size_t i = board.first_reaching(oldest.range.begin);
         i < board.count() && board[i].range.begin < oldest.range.end; ++i) {
      const SentRange& sent = board[i];
      if (sent.fate != SentRange::Fate::InFlight || sent.sent_at != oldest.sent_at) continue;
      if (left_before_newest(sent)) judge(board, i, now, losses);
      if (board[i].fate == SentRange::Fate::InFlight) is_decided = false;
    }
    if (!is_decided) return;  // and what was sent after it has even more time left
    resent_.pop_front();
  }
}

std::uint32_t Rack::mark_on_timeout(Scoreboard& board, Instant now) noexcept {
  std::uint32_t lost = 0;
  for (std::size_t i = 0; i < board.count(); ++i) {
    const SentRange& sent = board[i];
    if (sent.fate != SentRange::Fate::InFlight) continue;
    if (i > 0 && now < sent.sent_at + rtt_ + reo_wnd_) continue;
    lost += sent.octets();
    board.set_fate(i, SentRange::Fate::Lost);
  }
  return lost;
}

}  // namespace runnel::tcp
