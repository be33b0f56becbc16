// The table of legal moves between states: RFC 9293 figure 5, sections 3.10 and 3.6.1 (the return
// to TIME-WAIT), nothing else.
#pragma once

#include <array>
#include <string>

#include "runnel/tcp_state.h"

namespace runnel::tcp {

using State = TcpState;

struct Transition {
  State from;
  State to;
  const char* cause;  // a few words for the diagram
  friend constexpr bool operator==(const Transition& a, const Transition& b) noexcept {
    return a.from == b.from && a.to == b.to;
  }
};

// Every move that set_state() and the compact records of LISTEN, SYN-RECEIVED and TIME-WAIT make.
inline constexpr std::array kLegalTransitions = {
    Transition{State::Closed, State::Listen, "passive OPEN"},
    Transition{State::Closed, State::SynSent, "active OPEN / SYN"},
    Transition{State::Listen, State::SynReceived, "SYN / SYN,ACK"},
    Transition{State::Listen, State::Closed, "CLOSE"},
    Transition{State::SynSent, State::SynReceived, "SYN / SYN,ACK"},
    Transition{State::SynSent, State::Established, "SYN,ACK / ACK"},
    Transition{State::SynSent, State::Closed, "CLOSE, RST or timeout"},
    Transition{State::SynReceived, State::Established, "ACK of SYN"},
    Transition{State::SynReceived, State::FinWait1, "CLOSE / FIN"},
    Transition{State::SynReceived, State::Listen, "RST, after a passive OPEN"},
    Transition{State::SynReceived, State::TimeWait, "RST or timeout, after TIME-WAIT"},
    Transition{State::SynReceived, State::Closed, "ABORT, RST or timeout"},
    Transition{State::Established, State::FinWait1, "CLOSE / FIN"},
    Transition{State::Established, State::CloseWait, "FIN / ACK"},
    Transition{State::Established, State::Closed, "ABORT, RST or timeout"},
    Transition{State::FinWait1, State::FinWait2, "ACK of FIN"},
    Transition{State::FinWait1, State::Closing, "FIN / ACK"},
    Transition{State::FinWait1, State::Closed, "ABORT, RST or timeout"},
    Transition{State::FinWait2, State::TimeWait, "FIN / ACK"},
    Transition{State::FinWait2, State::Closed, "ABORT, RST or timeout"},
    Transition{State::CloseWait, State::LastAck, "CLOSE / FIN"},
    Transition{State::CloseWait, State::Closed, "ABORT, RST or timeout"},
    Transition{State::Closing, State::TimeWait, "ACK of FIN"},
    Transition{State::Closing, State::Closed, "ABORT, RST or timeout"},
    Transition{State::LastAck, State::Closed, "ACK of FIN, ABORT, RST or timeout"},
    Transition{State::TimeWait, State::Closed, "2 MSL, or RST"},
    Transition{State::TimeWait, State::Listen, "SYN of a new connection"},
};

[[nodiscard]] constexpr bool is_legal(State from, State to) noexcept {
  for (const Transition& move : kLegalTransitions) {
    if (move.from == from && move.to == to) return true;
  }
  return false;
}

// Whether SYNs have been exchanged: ESTABLISHED and all that follow it (RFC 9293 section 3.5).
[[nodiscard]] constexpr bool is_synchronized(State state) noexcept {
  return state >= State::Established;
}

// The table as a Mermaid state diagram, for documents.
[[nodiscard]] std::string draw_transitions();

}  // namespace runnel::tcp
