#include "stack/tcp/ecn/negotiation.h"

namespace runnel::tcp {

// --- Both sides ----------------------------------------------------------------------------------

bool uses_dctcp(const TcpConfig& config) noexcept {
  return config.is_controlled_network && config.congestion_control == CongestionAlgorithm::Dctcp;
}

EcnMode ecn_mode_of(const TcpConfig& config) noexcept {
  if (config.ecn == EcnMode::WhenAsked && uses_dctcp(config)) return EcnMode::Classic;
  return config.ecn;
}

Ecn handshake_codepoint(const TcpConfig& config) noexcept {
  return uses_dctcp(config) && config.ecn != EcnMode::Off ? Ecn::Ect0 : Ecn::NotEct;
}

// --- Client --------------------------------------------------------------------------------------

EcnBits bits_of_syn(const TcpConfig& config, unsigned syns_before) noexcept {
  if (syns_before >= config.ecn_syn_attempts) return kNoEcnBits;
  switch (ecn_mode_of(config)) {
    case EcnMode::Off:
    case EcnMode::WhenAsked:
      return kNoEcnBits;
    case EcnMode::Classic:
      return kClassicSyn;
    case EcnMode::Accurate:
      return kAccurateSyn;
  }
  return kNoEcnBits;
}

EcnAnswer read_syn_ack(EcnBits asked, EcnBits bits) noexcept {
  if (asked == kClassicSyn) {  // AE means nothing here
    return {(bits & 0b011U) == kClassicSynAck ? EcnFeedback::Classic : EcnFeedback::None, {}};
  }
  if (asked != kAccurateSyn) return {};
  switch (bits) {
    case 0b001:
      return {EcnFeedback::Classic, {}};
    case 0b010:
      return {EcnFeedback::Accurate, Ecn::NotEct};
    case 0b011:
      return {EcnFeedback::Accurate, Ecn::Ect1};
    case 0b100:
      return {EcnFeedback::Accurate, Ecn::Ect0};
    case 0b101:  // kept for the future: AccECN, and the SYN was not changed (section 3.1.3)
      return {EcnFeedback::Accurate, {}};
    case 0b110:
      return {EcnFeedback::Accurate, Ecn::Ce};
    default:  // no ECN; or a server that repeats what it does not understand
      return {};
  }
}

// --- Server --------------------------------------------------------------------------------------

EcnFeedback read_syn(EcnMode mode, EcnBits bits) noexcept {
  if (mode == EcnMode::Off || bits == kNoEcnBits) return EcnFeedback::None;
  // All combinations that mean nothing yet count as a wish for AccECN (section 3.1.3).
  return bits == kClassicSyn ? EcnFeedback::Classic : EcnFeedback::Accurate;
}

EcnHandshakeAck read_handshake_ack(EcnBits ace) noexcept {
  switch (ace) {
    case 0b000:
      return {false, 5, {}};
    case 0b010:
      return {true, 5, Ecn::NotEct};
    case 0b011:
      return {true, 5, Ecn::Ect1};
    case 0b100:
      return {true, 5, Ecn::Ect0};
    case 0b110:
      return {true, 6, Ecn::Ce};
    default:
      return {true, 5, {}};
  }
}

EcnHandshake EcnHandshake::from_syn(EcnMode mode, EcnBits bits, Ecn arrived_as) noexcept {
  EcnHandshake handshake;
  handshake.feedback = read_syn(mode, bits);
  handshake.syn_arrived_as = arrived_as;
  return handshake;
}

EcnHandshake EcnHandshake::from_cookie(EcnMode mode, EcnBits ace) noexcept {
  EcnHandshake handshake;
  if (mode != EcnMode::Off && ace > 0b001) handshake.feedback = EcnFeedback::Accurate;
  return handshake;
}

void EcnHandshake::forget_all_but_accurate() noexcept {
  if (feedback == EcnFeedback::Classic) feedback = EcnFeedback::None;
}

bool EcnHandshake::syn_again(EcnBits bits, Ecn arrived_as) noexcept {
  is_syn_repeated = true;
  if (feedback == EcnFeedback::None) return true;
  syn_arrived_as = arrived_as;
  if (bits == kNoEcnBits) {
    may_send_ect = false;
    return true;
  }
  return (bits == kClassicSyn) == (feedback == EcnFeedback::Classic);
}

EcnBits EcnHandshake::syn_ack_bits(unsigned retransmissions, unsigned attempts) const noexcept {
  switch (feedback) {
    case EcnFeedback::None:
      return kNoEcnBits;
    case EcnFeedback::Classic:  // a SYN that does not ask is answered in kind
      return may_send_ect ? kClassicSynAck : kNoEcnBits;
    case EcnFeedback::Accurate:
      return retransmissions < attempts ? handshake_bits(syn_arrived_as) : kNoEcnBits;
  }
  return kNoEcnBits;
}

}  // namespace runnel::tcp
