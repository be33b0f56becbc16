#include "stack/core/destination_cache.h"

namespace runnel::core {

DestinationCache::DestinationCache(std::size_t maximum_entries, Duration age, Random& random)
    : maximum_entries_(maximum_entries),
      age_(age),
      by_peer_(0, KeyedHash{base::SipHashKey::draw(random)}) {}

tcp::PathEstimate DestinationCache::find(const IpAddress& peer, Instant now) {
  const Entry* const found = look_up(peer);
  if (found == nullptr) return {};
  const Entry& entry = *found;
  tcp::PathEstimate known;
  // Only what is known is copied: that is little, as a rule, and every connection asks.
  const auto tell = [&](auto& to, const auto& figure) {
    if (is_fresh(figure, now)) to = *figure.value;
  };
  tell(known.rtt, entry.rtt);
  tell(known.ssthresh_octets, entry.ssthresh_octets);
  tell(known.path_mtu_octets, entry.path_mtu_octets);
  tell(known.peer_mss_octets, entry.peer_mss_octets);
  tell(known.fast_open_cookie, entry.fast_open_cookie);
  tell(known.fast_open_works, entry.fast_open_works);
  tell(known.fast_open_losses, entry.fast_open_losses);
  return known;
}

void DestinationCache::merge(const IpAddress& peer, const tcp::PathEstimate& learned, Instant now) {
  if (maximum_entries_ == 0 || learned == tcp::PathEstimate{}) return;
  Entry& entry = touch(peer);
  if (learned.rtt) {
    tcp::RttEstimate rtt = *learned.rtt;
    if (is_fresh(entry.rtt, now)) {
      rtt.smoothed = entry.rtt.value->smoothed / 2 + rtt.smoothed / 2;
      rtt.variation = entry.rtt.value->variation / 2 + rtt.variation / 2;
    }
    entry.rtt = {rtt, now};
  }
  if (learned.ssthresh_octets) {
    std::uint64_t ssthresh = *learned.ssthresh_octets;
    if (is_fresh(entry.ssthresh_octets, now)) {
      ssthresh = *entry.ssthresh_octets.value / 2 + ssthresh / 2;
    }
    entry.ssthresh_octets = {ssthresh, now};
  }
  replace(entry.path_mtu_octets, learned.path_mtu_octets, now);
  replace(entry.peer_mss_octets, learned.peer_mss_octets, now);
  replace(entry.fast_open_cookie, learned.fast_open_cookie, now);
  replace(entry.fast_open_works, learned.fast_open_works, now);
  replace(entry.fast_open_losses, learned.fast_open_losses, now);
}

DestinationCache::Entry* DestinationCache::look_up(const IpAddress& peer) {
  // Connections to one host tend to come one after the other: nothing needs to be hashed.
  if (!entries_.empty() && entries_.front().peer == peer) return &entries_.front();
  const auto found = by_peer_.find(peer);
  if (found == by_peer_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return &entries_.front();
}

DestinationCache::Entry& DestinationCache::touch(const IpAddress& peer) {
  if (Entry* const found = look_up(peer)) return *found;
  if (by_peer_.size() >= maximum_entries_) {
    by_peer_.erase(entries_.back().peer);
    entries_.pop_back();
  }
  entries_.emplace_front().peer = peer;
  by_peer_.emplace(peer, entries_.begin());
  return entries_.front();
}

std::size_t DestinationCache::KeyedHash::operator()(const IpAddress& address) const noexcept {
  return static_cast<std::size_t>(base::siphash_1_3(key, address.octets()));
}

}  // namespace runnel::core
