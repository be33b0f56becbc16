// One segment that arrived, under the RFC's names, and whether it is acceptable.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>

#include "runnel/bytes.h"
#include "runnel/ecn.h"
#include "runnel/endpoint.h"
#include "stack/buffer/slab.h"
#include "stack/wire/tcp.h"

namespace runnel::tcp {

using wire::SeqNum;

// Which connection: the pair of endpoints, seen from this host.
struct FourTuple {
  Endpoint local;
  Endpoint remote;
  friend bool operator==(const FourTuple&, const FourTuple&) noexcept = default;
};

// A received segment. A super-packet is one segment that stands for `segment_count`.
struct Segment {
  SeqNum seq;         // moves as the segment is trimmed
  SeqNum header_seq;  // as it was sent: tells older segments from newer ones
  SeqNum ack;
  wire::TcpFlags flags;
  std::uint16_t window = 0;  // the header's field, not scaled
  std::uint16_t urgent_pointer = 0;
  wire::TcpOptions options;
  Bytes text;             // SEG.TEXT: the payload
  buffer::SlabRef block;  // what `text` lies in
  std::uint32_t segment_count = 1;
  std::uint32_t text_octets = 0;  // as it was sent
  Ecn ecn = Ecn::NotEct;          // the IP header's
  bool is_trimmed = false;        // part of it was old, or right of the window
  bool had_syn = false;           // as it was sent, unless it counts as without
  bool came_with_syn = false;     // as it was sent: its AE, CWR and ECE are those of a handshake

  // SEG.LEN: octets of sequence space, SYN and FIN counting one each (RFC 9293 section 3.4).
  [[nodiscard]] std::uint32_t len() const noexcept {
    return static_cast<std::uint32_t>(text.size()) + (flags.syn ? 1U : 0U) + (flags.fin ? 1U : 0U);
  }
  // The sequence number behind the segment.
  [[nodiscard]] SeqNum end() const noexcept { return seq + len(); }

  // The text as a slice of its block. REQUIRES: block.
  [[nodiscard]] buffer::Slice slice() const { return buffer::Slice::of(block, text); }

  // Cuts octets of sequence space off the front: SYN first, then text. REQUIRES: FIN is not
  // reached.
  void trim_front(std::uint32_t octets) noexcept {
    seq += octets;
    if (octets > 0 && flags.syn) {
      flags.syn = false;
      --octets;
    }
    assert(octets <= text.size());
    text = text.subspan(octets);
  }
  // Cuts octets of sequence space off the back: FIN first, then text.
  void trim_back(std::uint32_t octets) noexcept {
    if (octets > 0 && flags.fin) {
      flags.fin = false;
      --octets;
    }
    assert(octets <= text.size());
    text = text.first(text.size() - octets);
  }

  // Reads a segment from its view; no block.
  [[nodiscard]] static Segment from(const wire::TcpView& view) noexcept {
    Segment segment;
    segment.seq = segment.header_seq = view.seq();
    segment.ack = view.ack();
    segment.flags = view.flags();
    segment.had_syn = segment.came_with_syn = segment.flags.syn;
    segment.window = view.window();
    segment.urgent_pointer = view.urgent_pointer();
    segment.options.read(view.option_octets());
    segment.text = view.payload();
    segment.text_octets = static_cast<std::uint32_t>(segment.text.size());
    return segment;
  }
};

// The four cases of the acceptability test (RFC 9293 section 3.4, table 6), and a fifth that the
// table lacks: a segment that begins before the window and ends behind it covers all of it.
//
// All cases with a length and an open window are one: the segment begins in the window, or the
// window in the segment. Both are asked as distances modulo 2^32, because comparisons of SeqNum
// contradict each other between points half the sequence space apart.
[[nodiscard]] inline bool is_acceptable(SeqNum seq, std::uint32_t len, SeqNum rcv_nxt,
                                        std::uint32_t rcv_wnd) noexcept {
  if (len == 0 && rcv_wnd == 0) return seq == rcv_nxt;
  if (rcv_wnd == 0) return false;
  const std::uint32_t behind_rcv_nxt = seq.value() - rcv_nxt.value();
  const std::uint32_t before_rcv_nxt = rcv_nxt.value() - seq.value();
  return behind_rcv_nxt < rcv_wnd || before_rcv_nxt < len;
}

}  // namespace runnel::tcp
