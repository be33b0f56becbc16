// The variables of RFC 9293 section 3.3.1, under the RFC's names: data, no behaviour.
#pragma once

#include <cstdint>

#include "stack/wire/seq_num.h"

namespace runnel::tcp {

using wire::SeqNum;

// Send sequence variables (RFC 9293 figure 3).
//
//        una            nxt             una + wnd
//   ------|--------------|------------------|--------
//   acked   in flight        may be sent      may not
struct SendSequence {
  SeqNum iss;                 // initial send sequence number
  SeqNum una;                 // oldest unacknowledged
  SeqNum nxt;                 // next to be sent for the first time
  SeqNum wl1;                 // SEG.SEQ of the last window update
  SeqNum wl2;                 // SEG.ACK of the last window update
  std::uint32_t wnd = 0;      // the peer's window in octets, scale applied
  std::uint32_t max_wnd = 0;  // the largest it ever was: Max(SND.WND) of section 3.8.6.2.1
  std::uint8_t scale = 0;     // Snd.Wind.Shift of RFC 7323
  template <typename Archive>
  void archive(Archive& archive) {
    archive(iss, una, nxt, wl2, wl1, wnd, max_wnd, scale);
  }
};

// Receive sequence variables (RFC 9293 figure 4).
//
// RCV.WND is not kept: the window's right edge is, because an edge once announced must not move
// left (section 3.8.6.2.2) while RCV.NXT moves right under it.
struct ReceiveSequence {
  SeqNum irs;              // initial receive sequence number
  SeqNum nxt;              // next expected
  SeqNum edge;             // RCV.NXT + RCV.WND as the peer knows it
  std::uint8_t scale = 0;  // Rcv.Wind.Shift of RFC 7323

  // RCV.WND: what the peer may send, in octets.
  [[nodiscard]] std::uint32_t wnd() const noexcept {
    return edge - nxt > 0 ? distance(nxt, edge) : 0;
  }
  template <typename Archive>
  void archive(Archive& archive) {
    archive(irs, nxt, edge, scale);
  }
};

}  // namespace runnel::tcp
