#include "stack/tcp/hibernation.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <new>
#include <span>
#include <utility>

#include "stack/base/archive.h"
#include "stack/tcp/connection.h"

namespace runnel::tcp {

bool IdleRecord::assign(Bytes octets, const Header& header) noexcept {
  if (octets.size() <= kRoom) {
    longer_.reset();
  } else if (longer_ == nullptr || header_.size_octets != octets.size()) {
    std::unique_ptr<std::uint8_t[]> longer(new (std::nothrow) std::uint8_t[octets.size()]);
    if (longer == nullptr) return false;
    longer_ = std::move(longer);
  }
  header_ = header;
  header_.size_octets = static_cast<std::uint16_t>(octets.size());
  std::memcpy(longer_ != nullptr ? longer_.get() : room_.data(), octets.data(), octets.size());
  return true;
}

Bytes IdleRecord::octets() const noexcept {
  return {longer_ != nullptr ? longer_.get() : room_.data(), header_.size_octets};
}

// Timers may run: the stack's wheel keeps them. A soft error stays with the connection until it is
// over, in an error code that is no number; there are few of those.
bool Connection::may_hibernate() const noexcept {
  return is_synchronized(state_) && state_ != State::TimeWait && is_syn_acked_ &&
         snd_.una == snd_.nxt && send_queue_.empty() && receive_queue_.empty() &&
         out_of_order_.empty() && recovery_.board().empty() && !ack_now_ && !error_ &&
         !soft_error_ && !has_path_report() && !fast_open_reply_;
}

// Every variable but those that may_hibernate() knows, that the constructor sets for good, or that
// matter during the handshake alone.
template <typename Archive>
void Connection::archive(Archive& archive) {
  archive(state_, rcv_, peer_fin_, timestamps_, snd_, smss_, peer_mss_);
  archive(is_active_open_, is_sack_permitted_, is_handshake_pending_, is_syn_sent_);
  archive(is_fast_open_, is_syn_acked_, is_fin_queued_, is_fin_acked_, is_fin_received_);
  archive(is_given_up_, nagle_, wants_to_write_, ack_now_, delayed_ack_, window_probe_);
  archive(last_heard_, last_sent_, last_moved_, rto_started_at_, probe_base_, look_again_);
  archive(keepalive_, override_sws_, probe_tail_now_, is_cwnd_limited_, retransmissions_);
  archive(unanswered_since_, user_timeout_, linger_, inactivity_, ip_fields_.dscp);
  archive(urgent_sender_, urgent_receiver_, syn_sent_at_, is_syn_ack_repeated_);
  archive(shared_ssthresh_octets_, told_path_mtu_octets_);
  archive(path_mtu_, mtu_search_, black_hole_, too_big_pause_);
  archive(rtt_, start_window_, recovery_, pacer_, ecn_);
  archive(timers_, challenge_acks_, sack_reporter_, send_buffer_, receive_buffer_);
  archive(received_offset_, counted_round_, pending_events_);
  archive(octets_retransmitted_, segments_retransmitted_, timeouts_count_, fast_retransmits_);
  archive(tail_loss_probes_, spurious_recoveries_, duplicates_reported_);

  std::uint64_t sent_offset = send_queue_.begin_offset();
  archive(sent_offset);
  if constexpr (!Archive::is_writer()) send_queue_.begin_at(sent_offset);

  archive(delivery_rate_octets_, is_delivery_app_limited_);
  congestion_.archive(archive, *config_, congestion_parameters(Instant{}));
  archive(validation_, fast_open_);
}

[[gnu::flatten]] std::size_t Connection::compare(const RestPatterns::Words& pattern,
                                                 Instant reference,
                                                 base::WordDifferences& differences) {
  base::ArchiveWriter writer(pattern.data(), reference, differences);
  archive<base::Archive<base::ArchiveWriter>>(writer);
  return writer.size();
}

[[gnu::flatten]] void Connection::restore(const RestPatterns::Words& words, Instant reference) {
  base::ArchiveReader reader(words.data(), reference);
  archive<base::Archive<base::ArchiveReader>>(reader);
}

bool Connection::hibernate(IdleRecord& record) {
  RestPatterns& patterns = environment_.rest_patterns;
  IdleRecord::Header header = record.header();
  const std::uint8_t before =
      std::exchange(header.pattern, patterns.expected_after(header.pattern));
  header.reference = last_heard_;
  base::WordDifferences differences;
  const std::size_t size = compare(patterns.words(header.pattern), header.reference, differences);
  if (RestPatterns::is_far(differences, header.accepted_differences)) {
    header.pattern = patterns.choose(before, size, differences);
    header.accepted_differences =
        static_cast<std::uint8_t>(std::min<std::size_t>(differences.count(), UINT8_MAX));
  }
  header.word_count = static_cast<std::uint16_t>(size);
  header.difference_count = static_cast<std::uint16_t>(differences.count());
  const Bytes octets = differences.finish();
  if (!record.assign(octets, header)) {
    wake_to(octets, header);
    return false;
  }
  patterns.acquire(header.pattern);
  return true;
}

void Connection::leave_to([[maybe_unused]] const IdleRecord& record) noexcept {
  const IdleRecord::Header& header = record.header();
  base::WordDifferences differences;
  (void)compare(environment_.rest_patterns.words(header.pattern), header.reference, differences);
  assert(std::ranges::equal(differences.finish(), record.octets()));
  environment_.rest_patterns.acquire(header.pattern);
}

void Connection::wake(const IdleRecord& record) {
  const IdleRecord::Header& header = record.header();
  wake_to(record.octets(), header);
  environment_.rest_patterns.release(header.pattern);
}

void Connection::wake_to(Bytes octets, const IdleRecord::Header& header) {
  const RestPatterns::Words& pattern = environment_.rest_patterns.words(header.pattern);
  RestPatterns::Words words;
  std::copy_n(pattern.begin(), header.word_count, words.begin());
  base::apply_differences(octets, header.difference_count, std::span(words));
  restore(words, header.reference);
}

}  // namespace runnel::tcp
