// What the tests of reassembly share: a reassembler with everything that it needs, and a model that
// says what it should do.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "runnel/config.h"
#include "runnel/counters.h"
#include "stack/ip/reassembly.h"
#include "tests/unit/ip/packet_builder.h"

namespace runnel::ip {

// One fragment as a test writes it.
struct Piece {
  std::size_t begin = 0;  // octets, a multiple of 8
  Octets payload;
  bool more = false;
};

// The pieces of `datagram` when it is cut at `cuts` (ascending multiples of 8).
inline std::vector<Piece> cut(const Octets& datagram, const std::vector<std::size_t>& cuts) {
  std::vector<Piece> pieces;
  std::size_t begin = 0;
  const auto add = [&](std::size_t end) {
    const auto from = datagram.begin() + static_cast<std::ptrdiff_t>(begin);
    const auto to = datagram.begin() + static_cast<std::ptrdiff_t>(end);
    pieces.push_back({begin, Octets(from, to), end < datagram.size()});
    begin = end;
  };
  for (const std::size_t at : cuts) add(at);
  add(datagram.size());
  return pieces;
}

class ReassemblyTester {
 public:
  explicit ReassemblyTester(Config config = {}, std::size_t budget_octets = std::size_t{64} << 20U)
      : config_(config), budget_(budget_octets) {}

  // Gives the reassembler one whole packet.
  std::optional<buffer::Slice> add_packet(const Octets& packet, Instant now = Instant{}) {
    const auto view = wire::Ipv4View::parse(packet);
    EXPECT_TRUE(view);
    if (!view) return std::nullopt;
    auto whole = reassembler_.add(*view, now);
    EXPECT_LE(reassembler_.memory_octets(), config_.reassembly_memory_octets);
    return whole;
  }
  std::optional<buffer::Slice> add(const PacketSpec& spec, Instant now = Instant{}) {
    return add_packet(build(spec), now);
  }
  std::optional<buffer::Slice> add(const Piece& piece, Instant now = Instant{},
                                   std::uint16_t identification = 7) {
    PacketSpec spec;
    spec.identification = identification;
    spec.offset_octets = piece.begin;
    spec.more_fragments = piece.more;
    spec.payload = piece.payload;
    return add(spec, now);
  }

  // Whether nothing is held any more after every timeout.
  void expect_empty_after_timeout(Instant now) {
    (void)reassembler_.advance(now + config_.reassembly_timeout);
    EXPECT_EQ(reassembler_.datagram_count(), 0U);
    EXPECT_EQ(reassembler_.memory_octets(), 0U);
    EXPECT_EQ(reassembler_.next_deadline(), kNever);
    EXPECT_EQ(pool_.live_count(), 0U);
    EXPECT_EQ(budget_.used_octets(), 0U);
  }

  std::uint64_t dropped(DropReason reason) const { return counters_.dropped(reason); }

  Config config_;
  base::MemoryBudget budget_;
  buffer::SlabPool pool_{budget_};
  Counters counters_;
  Reassembler reassembler_{config_, pool_, counters_};
};

inline Octets payload_of(const buffer::Slice& packet) {
  const auto view = wire::Ipv4View::parse(packet.bytes());
  EXPECT_TRUE(view && view->has_valid_checksum() && !view->is_fragment());
  return view ? to_octets(view->payload()) : Octets{};
}

// The rules for the fragments of one key, octet by octet instead of by ranges: slow and plain.
class ReassemblyModel {
 public:
  // The datagram's payload when this fragment completes it.
  std::optional<Octets> add(const Piece& piece) {
    const std::size_t end = piece.begin + piece.payload.size();
    if (piece.payload.empty() || end > 65515) return std::nullopt;
    if (piece.more && piece.payload.size() % 8 != 0) return std::nullopt;
    if (is_condemned_) return std::nullopt;
    if (!accepted_.insert({piece.begin, piece.payload, piece.more}).second) return std::nullopt;
    if (octets_.size() < end) octets_.resize(end);
    for (std::size_t i = piece.begin; i < end; ++i) {
      if (octets_[i]) is_condemned_ = true;
      octets_[i] = piece.payload[i - piece.begin];
    }
    if (!piece.more && ends_.insert(end).second && ends_.size() > 1) is_condemned_ = true;
    if (!ends_.empty() && octets_.size() > *ends_.begin()) is_condemned_ = true;
    if (is_condemned_ || ends_.empty()) return std::nullopt;
    Octets whole;
    for (const auto& octet : octets_) {
      if (!octet) return std::nullopt;
      whole.push_back(*octet);
    }
    *this = {};
    return whole;
  }

  [[nodiscard]] bool is_condemned() const { return is_condemned_; }

 private:
  std::vector<std::optional<std::uint8_t>> octets_;
  std::set<std::tuple<std::size_t, Octets, bool>> accepted_;
  std::set<std::size_t> ends_;
  bool is_condemned_ = false;
};

}  // namespace runnel::ip
