// ECN with one signal a round trip: RFC 3168 sections 6.1.2 and 6.1.3, and DCTCP's receiver, which
// makes more of the same two flags (RFC 8257 section 3.2).
#pragma once

#include <utility>

#include "runnel/ecn.h"

namespace runnel::tcp {

// What goes back to the peer.
//
//    RFC 3168   CE ───▶ ECE on every ACK ───▶ until the peer says CWR: it has reduced its window
//    DCTCP      CE ───▶ ECE ───▶ until a segment comes without CE; an ACK at every change, so that
//               the peer can tell which of its octets were marked
class ClassicEcnReceiver {
 public:
  explicit ClassicEcnReceiver(bool is_dctcp) noexcept : is_dctcp_(is_dctcp) {}

  // A segment with text has arrived. Returns whether its ECE differs from that of what came before
  // it: DCTCP then acknowledges both, at once and one by one.
  [[nodiscard]] bool text_arrived(Ecn ecn, bool cwr) noexcept {
    const bool is_marked = ecn == Ecn::Ce;
    if (is_dctcp_) return std::exchange(echoes_, is_marked) != is_marked;
    if (cwr) echoes_ = false;
    if (is_marked) echoes_ = true;  // a mark on the very segment with CWR is a new one
    return false;
  }

  // ECE of an ACK that leaves now.
  [[nodiscard]] bool echoes() const noexcept { return echoes_; }
  [[nodiscard]] bool is_dctcp() const noexcept { return is_dctcp_; }

  template <typename Archive>
  void archive(Archive& archive) {
    archive(echoes_);
  }

 private:
  bool is_dctcp_;
  bool echoes_ = false;
};

}  // namespace runnel::tcp
