#include "tests/support/simulation/link.h"

#include <algorithm>

#include "tests/support/simulation/offload.h"

namespace runnel::test {

void Link::send(const TxFrame& frame, Instant now, Link& reverse) {
  if (frame.meta.gso_size_octets > 0) {
    cut(frame, now, reverse);
    return;
  }
  auto packet = pool_.take(frame.size());
  frame.copy_to(packet->octets());
  // Nothing flips a bit between the host and the link: a sum that the link would finish is right.
  if (frame.meta.checksum == ChecksumStatus::Partial) {
    packet->meta.checksum = ChecksumStatus::Verified;
  }
  (void)carry(std::move(packet), now, reverse);
}

void Link::cut(const TxFrame& frame, Instant now, Link& reverse) {
  auto whole = pool_.take(frame.size());
  frame.copy_to(whole->octets());
  const std::size_t segments = segment_count(whole->octets(), frame.meta.gso_size_octets);
  for (std::size_t i = 0; i < segments; ++i) {
    auto packet = pool_.take(0);
    write_segment(whole->octets(), frame.meta.gso_size_octets, i, *packet);
    packet->meta.checksum = ChecksumStatus::Verified;
    if (!carry(std::move(packet), now, reverse)) break;  // the others are as large
  }
  pool_.give_back(std::move(whole));
}

bool Link::carry(std::unique_ptr<SimPacket> packet, Instant now, Link& reverse) {
  ++counters_.sent;
  if (packet->size > mtu_octets(now)) {
    ++counters_.too_big;
    if (options_.reports_too_big) report_too_big(*packet, now, reverse);
    pool_.give_back(std::move(packet));
    return false;
  }
  if (!pass_policer(packet->size, now)) {
    ++counters_.policed;
    pool_.give_back(std::move(packet));
    return true;
  }
  const bool is_marked =
      chance(options_.mark_ppm) ||
      (options_.mark_above_octets != SIZE_MAX && queued_octets(now) > options_.mark_above_octets);
  if (!enter_queue(packet->size, now)) {
    ++counters_.tail_drops;
    pool_.give_back(std::move(packet));
    return true;
  }
  if (is_marked && mark_congestion(*packet)) ++counters_.ce_marks;
  const Instant departure = options_.bits_per_second == 0 ? now : busy_until_;
  if (is_lost(departure)) {
    ++counters_.losses;
    pool_.give_back(std::move(packet));
    return true;
  }
  if (chance(options_.duplicates_ppm)) {
    ++counters_.duplicates;
    auto copy = pool_.take(packet->size);
    std::copy_n(packet->storage.begin(), packet->size, copy->storage.begin());
    copy->meta = packet->meta;
    launch(std::move(copy), departure);
  }
  if (chance(options_.corruption_ppm)) corrupt(*packet);
  if (chance(options_.forgery_ppm)) forge(*packet);
  launch(std::move(packet), departure);
  return true;
}

bool Link::pass_policer(std::size_t octets, Instant now) {
  const Policer& policer = options_.policer;
  if (policer.bits_per_second == 0) return true;
  const double seconds = std::chrono::duration<double>(now - policer_filled_at_).count();
  policer_filled_at_ = now;
  policer_octets_ =
      std::min(static_cast<double>(policer.burst_octets),
               policer_octets_ + seconds * static_cast<double>(policer.bits_per_second) / 8);
  const auto wanted = static_cast<double>(octets);
  if (policer_octets_ < wanted) return false;
  policer_octets_ -= wanted;
  return true;
}

std::size_t Link::queued_octets(Instant now) {
  while (!queue_.empty() && queue_.front().departure <= now) {
    queue_octets_ -= queue_.front().octets;
    queue_.pop_front();
  }
  return queue_.empty() ? 0 : queue_octets_ - queue_.front().octets;
}

// Moves busy_until_ to when this packet's last bit leaves; false when the queue is full.
bool Link::enter_queue(std::size_t octets, Instant now) {
  if (options_.bits_per_second == 0) return true;
  const std::size_t waiting_octets = queued_octets(now);
  const std::size_t waiting = queue_.empty() ? 0 : queue_.size() - 1;
  if (!queue_.empty() &&
      (waiting >= options_.queue_packets || waiting_octets + octets > options_.queue_octets)) {
    return false;
  }
  busy_until_ = departure_of(octets, std::max(busy_until_, now));
  queue_.push_back({busy_until_, octets});
  queue_octets_ += octets;
  return true;
}

// When the last bit of a packet leaves of which the first one leaves at `begin`.
Instant Link::departure_of(std::size_t octets, Instant begin) const {
  constexpr std::uint64_t kNanoseconds = 1'000'000'000;
  const auto at = [](Instant from, std::uint64_t nanoseconds) {
    return from + Duration(static_cast<Duration::rep>(nanoseconds));
  };
  std::uint64_t bits = octets * 8;
  std::uint64_t rate = options_.bits_per_second;
  for (const PathChange& change : options_.path_changes) {
    const Instant changes_at = start_ + change.after;
    if (changes_at > begin) {
      const Instant departure = at(begin, bits * kNanoseconds / rate);
      if (departure <= changes_at) return departure;
      bits -= rate * static_cast<std::uint64_t>((changes_at - begin).count()) / kNanoseconds;
      begin = changes_at;
    }
    rate = change.bits_per_second;
  }
  return at(begin, bits * kNanoseconds / rate);
}

Duration Link::delay_at(Instant when) const {
  Duration delay = options_.delay;
  for (const PathChange& change : options_.path_changes) {
    if (start_ + change.after <= when) delay = change.delay;
  }
  return delay;
}

bool Link::is_lost(Instant departure) {
  if (options_.burst_begins_ppm != 0) {
    is_in_burst_ =
        is_in_burst_ ? !chance(options_.burst_ends_ppm) : chance(options_.burst_begins_ppm);
  }
  const bool lost_in_burst = is_in_burst_ && chance(options_.burst_loss_ppm);
  const bool is_down =
      std::any_of(options_.outages.begin(), options_.outages.end(), [&](const Outage& outage) {
        const Instant begin = start_ + outage.after;
        return begin <= departure && departure < begin + outage.lasts;
      });
  return chance(options_.loss_ppm) || lost_in_burst || !is_up_ || is_down;
}

// A flipped bit changes the one's complement sum by a power of two, and two of different weight by
// a number that is no multiple of 65,535, so that the checksum over them cannot be right any more.
void Link::corrupt(SimPacket& packet) {
  ++counters_.corruptions;
  finish_checksum(packet);
  packet.meta = {};  // nobody vouches for it
  const std::uint64_t bits = packet.size * 8;
  const std::uint64_t first = random_.below(bits);
  const std::uint64_t second = random_.below(bits);
  const auto flip = [&](std::uint64_t bit) {
    packet.storage[bit / 8] = static_cast<std::uint8_t>(packet.storage[bit / 8] ^ (1U << bit % 8));
  };
  flip(first);
  if (second % 16 != first % 16) flip(second);
}

void Link::forge(SimPacket& packet) {
  constexpr std::size_t kMostHeaderOctets = 20 + 60;
  if (packet.size <= kMostHeaderOctets || packet.meta.checksum == ChecksumStatus::Partial) return;
  packet.storage[packet.size - 1] ^= 1U;
  packet.meta.checksum = ChecksumStatus::Verified;
}

void Link::launch(std::unique_ptr<SimPacket> packet, Instant departure) {
  Instant arrival = departure + delay_at(departure) + random_up_to(options_.jitter);
  const bool overtaken = chance(options_.reordering_ppm);
  if (overtaken) {
    arrival += random_up_to(options_.reordering_delay);
  } else {
    arrival = std::max(arrival, last_arrival_);
    last_arrival_ = arrival;
    if (options_.aggregation.interval > Duration{0}) arrival = gather(arrival);
  }
  packet->arrival = at_interrupt(arrival);
  packet->order = next_order_++;
  if (overtaken) {
    disordered_.push_back(std::move(packet));
    std::push_heap(disordered_.begin(), disordered_.end(), ArrivesLater());
  } else {
    in_order_.push_back(std::move(packet));
  }
}

// Adds a packet that could arrive at `arrival` to the aggregate, and says when it does arrive.
Instant Link::gather(Instant arrival) {
  const Aggregation& aggregation = options_.aggregation;
  if (gathered_ == aggregation.packets || arrival > release_) {
    gathered_ = 0;
    release_ = arrival + aggregation.interval;
  }
  if (++gathered_ == aggregation.packets) {
    release_ = arrival;
    const std::size_t others = std::min(gathered_ - 1, in_order_.size());
    for (std::size_t i = 1; i <= others; ++i) {
      in_order_[in_order_.size() - i]->arrival = at_interrupt(release_);
    }
  }
  return release_;
}

Instant Link::at_interrupt(Instant arrival) const {
  if (options_.batching == Duration{0}) return arrival;
  const auto tick = options_.batching.count();
  const auto ticks = (arrival.time_since_epoch().count() + tick - 1) / tick;
  return Instant(Duration(ticks * tick));
}

// The router that cannot pass the packet on is as far away as the other host.
void Link::report_too_big(const SimPacket& packet, Instant now, Link& reverse) {
  if (reverse.is_lost(now)) return;
  auto message = pool_.take(0);
  write_fragmentation_needed(packet.octets(), mtu_octets(now), *message);
  message->arrival = now + delay_at(now) + reverse.delay_at(now);
  message->order = reverse.next_order_++;
  reverse.disordered_.push_back(std::move(message));
  std::push_heap(reverse.disordered_.begin(), reverse.disordered_.end(), ArrivesLater());
}

Instant Link::next_arrival() const noexcept {
  const Instant in_order = in_order_.empty() ? kNever : in_order_.front()->arrival;
  const Instant disordered = disordered_.empty() ? kNever : disordered_.front()->arrival;
  return std::min(in_order, disordered);
}

std::unique_ptr<SimPacket> Link::take_from_disordered() {
  std::pop_heap(disordered_.begin(), disordered_.end(), ArrivesLater());
  auto packet = std::move(disordered_.back());
  disordered_.pop_back();
  return packet;
}

std::unique_ptr<SimPacket> Link::take_next(Instant now) {
  const bool has_disordered = !disordered_.empty() && disordered_.front()->arrival <= now;
  if (in_order_.empty() || in_order_.front()->arrival > now) {
    return has_disordered ? take_from_disordered() : nullptr;
  }
  if (has_disordered && ArrivesLater()(in_order_.front(), disordered_.front())) {
    return take_from_disordered();
  }
  auto packet = std::move(in_order_.front());
  in_order_.pop_front();
  return packet;
}

std::unique_ptr<SimPacket> Link::receive(Instant now) {
  auto packet = take_next(now);
  if (packet == nullptr || !options_.coalesces) return packet;
  while (!in_order_.empty() && in_order_.front()->arrival <= now &&
         (disordered_.empty() || disordered_.front()->arrival > now) &&
         coalesce(*packet, *in_order_.front())) {
    pool_.give_back(std::move(in_order_.front()));
    in_order_.pop_front();
  }
  return packet;
}

std::uint16_t Link::mtu_octets(Instant now) const noexcept {
  std::uint16_t mtu = options_.mtu_octets;
  for (const MtuChange& change : options_.mtu_changes) {
    if (start_ + change.after <= now) mtu = change.mtu_octets;
  }
  return mtu;
}

Duration Link::random_up_to(Duration most) {
  if (most <= Duration{0}) return Duration{0};
  return Duration(
      static_cast<Duration::rep>(random_.below(static_cast<std::uint64_t>(most.count()) + 1)));
}

}  // namespace runnel::test
