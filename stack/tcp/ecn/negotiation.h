// What the flags of SYN, SYN,ACK and the ACK behind them say about ECN: the tables of RFC 9768
// sections 3.1 and 3.2.2.1, in which those of RFC 3168 section 6.1.1 are contained.
#pragma once

#include <cstdint>
#include <optional>

#include "runnel/config.h"
#include "runnel/ecn.h"
#include "stack/wire/tcp.h"

namespace runnel::tcp {

// AE, CWR and ECE as one number of three bits, AE the highest; behind the handshake of AccECN it is
// the ACE field. RFC 3540's nonce, which once had AE's place, is Historic (RFC 8311 section 3).
using EcnBits = std::uint8_t;

inline constexpr EcnBits kNoEcnBits = 0b000;
inline constexpr EcnBits kClassicSyn = 0b011;
inline constexpr EcnBits kClassicSynAck = 0b001;
inline constexpr EcnBits kAccurateSyn = 0b111;

[[nodiscard]] constexpr EcnBits ecn_bits(const wire::TcpFlags& flags) noexcept {
  return static_cast<EcnBits>((flags.ae ? 4U : 0U) | (flags.cwr ? 2U : 0U) | (flags.ece ? 1U : 0U));
}
constexpr void set_ecn_bits(wire::TcpFlags& flags, EcnBits bits) noexcept {
  flags.ae = (bits & 4U) != 0;
  flags.cwr = (bits & 2U) != 0;
  flags.ece = (bits & 1U) != 0;
}

// --- Both sides ----------------------------------------------------------------------------------

// Whether the connection is DCTCP's.
[[nodiscard]] bool uses_dctcp(const TcpConfig& config) noexcept;

// How these parameters ask for ECN.
[[nodiscard]] EcnMode ecn_mode_of(const TcpConfig& config) noexcept;

// The codepoint of SYN, SYN,ACK and RST: ECT under DCTCP alone (RFC 8257 section 3.6). All other
// segments without new data are Not-ECT always (RFC 3168 section 6.1, RFC 8311 section 4.3).
[[nodiscard]] Ecn handshake_codepoint(const TcpConfig& config) noexcept;

// How a SYN or SYN,ACK has arrived, as AccECN tells whoever sent it (tables 2 and 3).
[[nodiscard]] constexpr EcnBits handshake_bits(Ecn arrived_as) noexcept {
  constexpr EcnBits kTable[] = {0b010, 0b011, 0b100, 0b110};
  return kTable[static_cast<unsigned>(arrived_as)];
}

// Whether routers that keep to RFC 3168 section 18 may have made the one of the other.
[[nodiscard]] constexpr bool is_valid_transition(Ecn left_as, Ecn arrived_as) noexcept {
  return left_as == arrived_as || (left_as != Ecn::NotEct && arrived_as == Ecn::Ce);
}

// --- Client --------------------------------------------------------------------------------------

// The bits of a SYN of which `syns_before` have been sent already: asking ends at some point, and
// is never done in two ways.
[[nodiscard]] EcnBits bits_of_syn(const TcpConfig& config, unsigned syns_before) noexcept;

// What a SYN,ACK answers.
struct EcnAnswer {
  EcnFeedback feedback = EcnFeedback::None;
  std::optional<Ecn> syn_arrived_as;  // with AccECN, unless the server did not say
  friend bool operator==(const EcnAnswer&, const EcnAnswer&) noexcept = default;
};

// `asked`: the bits of the first SYN.
[[nodiscard]] EcnAnswer read_syn_ack(EcnBits asked, EcnBits bits) noexcept;

// --- Server --------------------------------------------------------------------------------------

// What a server that has `mode` agrees to upon a SYN with `bits`.
[[nodiscard]] EcnFeedback read_syn(EcnMode mode, EcnBits bits) noexcept;

// What a server in SYN-RECEIVED learns from a pure ACK (table 4).
struct EcnHandshakeAck {
  bool is_usable = true;        // false: no ECT is to be sent, and no feedback to be answered
  std::uint8_t ce_packets = 5;  // s.cep
  std::optional<Ecn> syn_ack_arrived_as;
  friend bool operator==(const EcnHandshakeAck&, const EcnHandshakeAck&) noexcept = default;
};
[[nodiscard]] EcnHandshakeAck read_handshake_ack(EcnBits ace) noexcept;

// What a server remembers of a handshake: one octet, because peers decide how many there are.
//
// The feedback that the first SYN has chosen stays (RFC 9768 section 3.1.5). A SYN that does not
// ask any more shows that the peer may not know what was agreed upon: then nothing leaves as ECT,
// though what arrives is reported.
struct EcnHandshake {
  EcnFeedback feedback : 2 = EcnFeedback::None;
  Ecn syn_arrived_as : 2 = Ecn::NotEct;  // the latest one
  bool may_send_ect : 1 = true;
  bool is_syn_repeated : 1 = false;

  [[nodiscard]] static EcnHandshake from_syn(EcnMode mode, EcnBits bits, Ecn arrived_as) noexcept;
  // Of a SYN cookie: the ACK shows by itself whether AccECN was agreed upon (section 5.1). Classic
  // ECN it could not show, so a SYN,ACK with a cookie does not agree to that.
  [[nodiscard]] static EcnHandshake from_cookie(EcnMode mode, EcnBits ace) noexcept;
  void forget_all_but_accurate() noexcept;

  // The SYN comes again. Returns false when it asks for another kind of ECN than the first: then
  // neither side could know what the other believes, and the connection is to be reset.
  [[nodiscard]] bool syn_again(EcnBits bits, Ecn arrived_as) noexcept;

  // The bits of the SYN,ACK that was retransmitted so many times.
  [[nodiscard]] EcnBits syn_ack_bits(unsigned retransmissions, unsigned attempts) const noexcept;
  // Whether it carries the AccECN option: once, in case it is why there was no answer (section
  // 3.2.3.2.2).
  [[nodiscard]] bool has_option(unsigned retransmissions) const noexcept {
    return feedback == EcnFeedback::Accurate && retransmissions == 0 && !is_syn_repeated;
  }
  friend bool operator==(const EcnHandshake&, const EcnHandshake&) noexcept = default;
  template <typename Archive>
  void archive(Archive& archive) {
    EcnFeedback kind = feedback;
    Ecn arrived_as = syn_arrived_as;
    bool may_send = may_send_ect;
    bool is_repeated = is_syn_repeated;
    archive(kind, arrived_as, may_send, is_repeated);
    feedback = kind;
    syn_arrived_as = arrived_as;
    may_send_ect = may_send;
    is_syn_repeated = is_repeated;
  }
};

}  // namespace runnel::tcp
