#include "tests/support/simulation/model_ecn.h"

namespace runnel::test {
namespace {

// How the field of a SYN or SYN,ACK is sent back: by codepoint, RFC 9768 tables 2 and 3.
unsigned reflection_of(unsigned ip) {
  if (ip == 0) return 2;
  if (ip == 1) return 3;
  return ip == 2 ? 4 : 6;
}

}  // namespace

// --- Handshake -----------------------------------------------------------------------------------

unsigned ModelEcn::syn_bits() {
  ++syns_sent_;
  const bool asks = mode_ == EcnMode::Classic || mode_ == EcnMode::Accurate;
  if (!asks) return 0;
  if (syns_sent_ > 2) {
    has_sent_plain_syn_ = true;
    return 0;
  }
  has_asked_ = true;
  return mode_ == EcnMode::Accurate ? 7 : 3;
}

void ModelEcn::syn_came(const ModelEcnField& field) {
  if (field.ip == 1) complain("a SYN is ECT(1)");  // ECT(0) it may be under DCTCP (RFC 8257)
  if (field.has_option) complain("a SYN has the AccECN option");
  if (field.flags != 0 && field.flags != 3 && field.flags != 7)
    complain("a SYN asks for nothing known");
  syn_ip_ = field.ip;
  if (is_server_) {  // it comes again, and changes nothing but this (RFC 9768 section 3.1.5)
    if (field.flags == 0) may_send_ect_ = false;
    return;
  }
  is_server_ = true;
  if (mode_ == EcnMode::Off || field.flags == 0) return;
  kind_ = field.flags == 3 ? Kind::Classic : Kind::Accurate;
  awaits_handshake_bits_ = kind_ == Kind::Accurate;
}

unsigned ModelEcn::syn_ack_bits() const {
  if (kind_ == Kind::None) return 0;
  return kind_ == Kind::Classic ? 1 : reflection_of(syn_ip_);
}

void ModelEcn::syn_ack_came(const ModelEcnField& field) {
  if (field.ip == 1) complain("a SYN,ACK is ECT(1)");
  if (!has_asked_) {
    if (field.flags != 0) complain("a SYN,ACK agrees to what nobody asked for");
    return;
  }
  if (mode_ == EcnMode::Classic) {
    if ((field.flags & 3) == 1) kind_ = Kind::Classic;
    return;
  }
  switch (field.flags) {
    case 1:
      kind_ = Kind::Classic;
      return;
    case 2:
    case 3:
    case 4:
    case 6:
      kind_ = Kind::Accurate;
      // Our SYN was Not-ECT, and nothing here rewrites that.
      if (field.flags != 2) complain("a SYN,ACK says that the SYN was ECN-capable");
      syn_ack_ip_ = field.ip;
      owes_handshake_bits_ = true;
      return;
    case 0:
      return;
    default:
      complain("a SYN,ACK has a combination that no server may send");
  }
}

// --- What comes ----------------------------------------------------------------------------------

void ModelEcn::came(const ModelEcnField& field, std::size_t octets, bool is_news) {
  if (field.ip == 1) complain("ECT(1) is for an experiment that nobody has chosen");
  if (field.ip != 0 && octets == 0) complain("a segment without text is ECN-capable");
  if (field.ip != 0 && kind_ == Kind::None) complain("ECN-capable without an agreement");
  if (field.ip == 3 && (kind_ == Kind::Accurate || octets > 0)) {
    ++marks_seen_;
    ++ce_count_;
  }
  switch (kind_) {
    case Kind::None:
      // A server that fell back to a SYN,ACK without them does not know whether we saw another.
      if (field.flags != 0 && (is_server_ || !has_asked_)) {
        complain("AE, CWR or ECE without an agreement");
      }
      return;
    case Kind::Classic:
      if ((field.flags & 4) != 0) complain("AE has no meaning in classic ECN");
      if ((field.flags & 2) != 0 && octets == 0) complain("CWR without text");
      if ((field.flags & 2) != 0) echoes_ = false;
      if (field.ip == 3) echoes_ = true;
      if ((field.flags & 1) != 0) {
        if (!heard_echo_) {
          says_cwr_ = true;
          ++marks_heard_;
        }
        heard_echo_ = true;
      } else {
        heard_echo_ = false;
      }
      return;
    case Kind::Accurate:
      break;
  }
  if (field.has_option) hear_option(field);
  if (awaits_handshake_bits_) {
    awaits_handshake_bits_ = false;
    if (octets == 0) {
      // It may have been lost: then this is the counter.
      if (field.flags == 3 || field.flags == 4) complain("our SYN,ACK was Not-ECT");
      return;
    }
  }
  if (!is_news) return;
  const unsigned more = (field.flags - heard_ce_) % 8;
  heard_ce_ += more;
  marks_heard_ += more;
}

// A counter can only have grown, and not beyond what was sent; what the network has duplicated may
// count twice.
void ModelEcn::hear_option(const ModelEcnField& field) {
  if (field.e0b && *field.e0b == 0) complain("EE0B begins above zero");
  if (field.e1b && *field.e1b != 1) complain("octets came as ECT(1) that left otherwise");
  const std::uint64_t most = 1 + 4 * ect_octets_sent_;
  if (most < (1U << 24U)) {
    if (field.ceb && *field.ceb > most) complain("more octets were marked than left");
    if (field.e0b && *field.e0b > most) complain("more octets came as ECT(0) than left");
  }
  if (field.ceb) octets_heard_ = *field.ceb;
}

// --- What leaves ---------------------------------------------------------------------------------

void ModelEcn::leaves(ModelEcnField& field, std::size_t octets, bool is_new, bool is_pure) {
  const bool may = kind_ == Kind::Accurate || (kind_ == Kind::Classic && !has_sent_plain_syn_);
  if (may && may_send_ect_ && is_new && octets > 0) {
    field.ip = 2;
    ect_octets_sent_ += octets;
  }
  if (kind_ == Kind::Classic) {
    field.flags = echoes_ ? 1 : 0;
    if (is_new && octets > 0 && says_cwr_) {
      field.flags |= 2;
      says_cwr_ = false;
    }
  } else if (kind_ == Kind::Accurate) {
    field.flags = ce_count_ % 8;
    if (owes_handshake_bits_ && is_pure) {
      field.flags = reflection_of(syn_ack_ip_);
      owes_handshake_bits_ = false;
    }
  }
}

}  // namespace runnel::test
