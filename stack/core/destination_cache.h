// What is remembered of the hosts that connections went to: RFC 9040, RFC 7413, RFC 1191.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <unordered_map>

#include "runnel/ip_address.h"
#include "runnel/random.h"
#include "runnel/time.h"
#include "stack/base/siphash.h"
#include "stack/tcp/path_estimate.h"

namespace runnel::core {

// A table of PathEstimates keyed by the peer's address, read when a connection opens and merged
// into when one has something to teach.
//
// Bounded: the entry that was used the longest time ago makes room for a new one. Aged: every
// figure carries the time at which it was learned and is forgotten `age` later by itself, so a
// busy host's round trip time does not keep an old threshold alive. The hash is keyed, so that
// nobody can choose addresses that collide. Never iterated, so no order shows.
class DestinationCache {
 public:
  // `maximum_entries` of 0 remembers nothing.
  DestinationCache(std::size_t maximum_entries, Duration age, Random& random);

  // What is known of `peer` and not too old.
  [[nodiscard]] tcp::PathEstimate find(const IpAddress& peer, Instant now);

  // Takes in what was learned; absent figures stay as they are. A connection's SRTT, RTTVAR and
  // ssthresh are averaged with the remembered ones, half and half: each is an average already, and
  // yet one connection may have met an unusual hour. Everything else replaces what was there.
  void merge(const IpAddress& peer, const tcp::PathEstimate& learned, Instant now);

  [[nodiscard]] std::size_t size() const noexcept { return by_peer_.size(); }

 private:
  // A figure and the time at which it was learned.
  template <typename T>
  struct Aged {
    std::optional<T> value;
    Instant learned_at{};
  };

  struct Entry {
    IpAddress peer;
    Aged<tcp::RttEstimate> rtt;
    Aged<std::uint64_t> ssthresh_octets;
    Aged<std::uint16_t> path_mtu_octets;
    Aged<std::uint16_t> peer_mss_octets;
    Aged<wire::TcpFastOpenCookie> fast_open_cookie;
    Aged<bool> fast_open_works;
    Aged<std::uint8_t> fast_open_losses;
  };

  struct KeyedHash {
    base::SipHashKey key;
    [[nodiscard]] std::size_t operator()(const IpAddress& address) const noexcept;
  };

  template <typename T>
  [[nodiscard]] bool is_fresh(const Aged<T>& figure, Instant now) const noexcept {
    return figure.value.has_value() && now - figure.learned_at < age_;
  }
  template <typename T>
  static void replace(Aged<T>& figure, const std::optional<T>& learned, Instant now) {
    if (learned) figure = {learned, now};
  }
  // The entry of `peer`, now the one that was used last; null if there is none.
  [[nodiscard]] Entry* look_up(const IpAddress& peer);
  // The same, made if need be.
  [[nodiscard]] Entry& touch(const IpAddress& peer);

  std::size_t maximum_entries_;
  Duration age_;
  std::list<Entry> entries_;  // the one that was used last comes first
  std::unordered_map<IpAddress, std::list<Entry>::iterator, KeyedHash> by_peer_;
};

}  // namespace runnel::core
