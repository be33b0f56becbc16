#include "stack/tcp/hibernation.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <new>
#include <utility>

#include "stack/base/archive.h"
#include "stack/tcp/connection.h"

namespace runnel::tcp {

bool IdleRecord::assign(Bytes octets, Instant reference) noexcept {
  const std::size_t needed = block_octets(octets.size());
  if (block_ == nullptr || block_octets(this->octets().size()) != needed) {
    std::unique_ptr<std::uint8_t[]> block(new (std::nothrow) std::uint8_t[needed]);
    if (block == nullptr) return false;
    block_ = std::move(block);
  }
  const auto size = static_cast<std::uint16_t>(octets.size());
  std::memcpy(block_.get(), &reference, sizeof(reference));
  std::memcpy(block_.get() + sizeof(reference), &size, sizeof(size));
  std::memcpy(block_.get() + kHeaderOctets, octets.data(), octets.size());
  return true;
}

Bytes IdleRecord::octets() const noexcept {
  std::uint16_t size = 0;
  std::memcpy(&size, block_.get() + sizeof(Instant), sizeof(size));
  return {block_.get() + kHeaderOctets, size};
}

Instant IdleRecord::reference() const noexcept {
  Instant reference;
  std::memcpy(&reference, block_.get(), sizeof(reference));
  return reference;
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
  archive(shared_ssthresh_octets_, told_path_mtu_octets_, fast_open_);
  archive(path_mtu_, mtu_search_, black_hole_, too_big_pause_);
  archive(rtt_, start_window_, recovery_, validation_, pacer_, ecn_);
  congestion_.archive(archive, *config_, congestion_parameters(Instant{}));
  archive(timers_, challenge_acks_, sack_reporter_, send_buffer_, receive_buffer_);
  archive(received_offset_, counted_round_, pending_events_);
  archive(octets_retransmitted_, segments_retransmitted_, timeouts_count_, fast_retransmits_);
  archive(tail_loss_probes_, spurious_recoveries_, duplicates_reported_);

  std::uint64_t sent_offset = send_queue_.begin_offset();
  archive(sent_offset);
  if constexpr (!Archive::is_writer()) send_queue_.begin_at(sent_offset);

  archive(delivery_rate_octets_, is_delivery_app_limited_);
}

bool Connection::hibernate(IdleRecord& record) {
  const Instant reference = last_heard_;
  base::ArchiveWriter writer(reference);
  archive<base::Archive<base::ArchiveWriter>>(writer);
  const Bytes octets = writer.finish();
  if (record.assign(octets, reference)) return true;
  base::ArchiveReader reader(octets, reference);
  archive<base::Archive<base::ArchiveReader>>(reader);
  return false;
}

void Connection::leave_to([[maybe_unused]] const IdleRecord& record) noexcept {
  base::ArchiveWriter writer(last_heard_);
  archive<base::Archive<base::ArchiveWriter>>(writer);
  assert(std::ranges::equal(writer.finish(), record.octets()));
}

void Connection::wake(const IdleRecord& record) {
  base::ArchiveReader reader(record.octets(), record.reference());
  archive<base::Archive<base::ArchiveReader>>(reader);
}

}  // namespace runnel::tcp
