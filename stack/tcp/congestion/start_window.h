// The window that a connection starts with, and starts again with after an idle time: RFC 6928, and
// before it RFC 3390 in the words of RFC 5681 section 3.1.
#pragma once

#include <algorithm>
#include <cstdint>

#include "runnel/config.h"
#include "stack/wire/seq_num.h"

namespace runnel::tcp {

using wire::SeqNum;

// Two to four segments (RFC 5681 section 3.1).
[[nodiscard]] constexpr std::uint64_t initial_window_of_rfc3390(
    std::uint32_t smss_octets) noexcept {
  const std::uint64_t segments = smss_octets > 2190 ? 2 : smss_octets > 1095 ? 3 : 4;
  return segments * smss_octets;
}

// `segments` of them, which the RFC wants to be ten, and 1,460 octets for each unless two segments
// are more (RFC 6928 section 2, equation 1).
[[nodiscard]] constexpr std::uint64_t initial_window_of_rfc6928(std::uint32_t smss_octets,
                                                                std::uint8_t segments) noexcept {
  const std::uint64_t wanted = std::uint64_t{segments} * smss_octets;
  return std::min(wanted, std::max<std::uint64_t>(2 * std::uint64_t{smss_octets},
                                                  std::uint64_t{segments} * 1460));
}

// IW and RW of one connection. It watches over the octets that are sent by them: when more than 4
// KB were and some are lost, the path does not take as much at once, and RFC 3390 decides on the
// restart window from there on (RFC 6928 section 2).
class StartWindow {
 public:
  explicit StartWindow(const TcpConfig& config) noexcept
      : rule_(config.initial_window), segments_(config.initial_window_segments) {}

  // The handshake is over; `lost_syns` of ours had to be sent again. Data begin at `first`.
  //
  // One lost SYN may be chance to RFC 6928, two of them are congestion; RFC 5681 forgives none.
  void begin(SeqNum first, std::uint32_t smss_octets, unsigned lost_syns) noexcept {
    if (lost_syns > (rule_ == InitialWindow::Rfc6928 ? 1U : 0U)) is_one_segment_ = true;
    watch(first, initial_octets(smss_octets));
    is_initial_ = true;
  }
  // Transmission begins again at `nxt`.
  void restart(SeqNum nxt, std::uint64_t cwnd_octets) noexcept {
    watch(nxt, cwnd_octets);
    is_initial_ = false;
  }

  [[nodiscard]] std::uint64_t initial_octets(std::uint32_t smss_octets) const noexcept {
    if (is_one_segment_) return smss_octets;
    return rule_ == InitialWindow::Rfc3390 ? initial_window_of_rfc3390(smss_octets)
                                           : initial_window_of_rfc6928(smss_octets, segments_);
  }
  [[nodiscard]] std::uint64_t restart_octets(std::uint32_t smss_octets) const noexcept {
    const std::uint64_t initial = initial_octets(smss_octets);
    return is_careful_ ? std::min(initial, initial_window_of_rfc3390(smss_octets)) : initial;
  }

  // Everything before `una` has arrived.
  void on_acknowledged(SeqNum una) noexcept {
    if (end_ <= una) is_watching_ = false;
  }
  // The octet at `seq` was lost, with everything before `nxt` sent. Returns whether this is the
  // first loss of the initial window.
  bool on_lost(SeqNum seq, SeqNum nxt) noexcept {
    if (!is_watching_ || seq < begin_) return false;
    is_watching_ = false;
    if (end_ <= seq) return false;
    constexpr std::uint32_t kFourKilobytes = 4096;
    if (distance(begin_, min(end_, nxt)) > kFourKilobytes) is_careful_ = true;
    return is_initial_;
  }

  template <typename Archive>
  void archive(Archive& archive) {
    archive(is_one_segment_, is_initial_, is_watching_, is_careful_, begin_, end_);
  }

 private:
  void watch(SeqNum begin, std::uint64_t octets) noexcept {
    begin_ = begin;
    end_ = begin + static_cast<std::uint32_t>(std::min<std::uint64_t>(octets, INT32_MAX));
    is_watching_ = true;
  }

  InitialWindow rule_;
  std::uint8_t segments_;
  bool is_one_segment_ = false;
  bool is_initial_ = true;
  bool is_watching_ = false;  // nothing of it is known to be lost
  bool is_careful_ = false;
  SeqNum begin_;
  SeqNum end_;
};

}  // namespace runnel::tcp
