// The model peer's explicit congestion notification: a second opinion on RFC 3168 and RFC 9768.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "runnel/ecn.h"

namespace runnel::test {

// What a segment says about ECN.
struct ModelEcnField {
  unsigned flags = 0;  // AE * 4 + CWR * 2 + ECE
  unsigned ip = 0;     // 0 Not-ECT, 1 ECT(1), 2 ECT(0), 3 CE
  // The counters of an AccECN option by name, of 24 bits, as far as it has them.
  bool has_option = false;
  std::optional<std::uint32_t> e0b;
  std::optional<std::uint32_t> ceb;
  std::optional<std::uint32_t> e1b;
};

// Theory of operation. It knows three modes, and each segment that comes or goes passes through it.
// As a receiver it counts; as a sender it believes what it hears, and complains of what cannot be:
// failure() then says what. It reduces nothing, because the model has a fixed window: to a classic
// receiver it says CWR all the same, once for each new mark that it hears of.
//
// Its AccECN has the three bits of the header, and of the option only the reading: what a peer says
// of octets is held against the octets that were sent.
class ModelEcn {
 public:
  explicit ModelEcn(EcnMode mode) : mode_(mode) {}

  enum class Kind : std::uint8_t { None, Classic, Accurate };

  // --- Handshake: the bits of what leaves, and what came ---
  [[nodiscard]] unsigned syn_bits();
  [[nodiscard]] unsigned syn_ack_bits() const;
  void syn_came(const ModelEcnField& field);
  void syn_ack_came(const ModelEcnField& field);

  // --- Segments without SYN ---
  // An acceptable one that came with so many octets of text. `is_news`: it acknowledges something
  // new, so that no later one has come before it.
  void came(const ModelEcnField& field, std::size_t octets, bool is_news);
  // One that leaves: with new text, or again, or none. `is_pure`: an ACK alone.
  void leaves(ModelEcnField& field, std::size_t octets, bool is_new, bool is_pure);

  // The ACK of a SYN,ACK goes alone, before any text.
  [[nodiscard]] bool owes_handshake_ack() const noexcept { return owes_handshake_bits_; }

  [[nodiscard]] Kind kind() const noexcept { return kind_; }
  [[nodiscard]] std::uint64_t marks_seen() const noexcept { return marks_seen_; }
  // As the peer counts ours: modulo eight.
  [[nodiscard]] std::uint64_t marks_heard() const noexcept { return marks_heard_; }
  // Marked octets of ours by the peer's options.
  [[nodiscard]] std::uint32_t octets_heard() const noexcept { return octets_heard_; }
  [[nodiscard]] const std::string& failure() const noexcept { return failure_; }

 private:
  void complain(const char* what) {
    if (failure_.empty()) failure_ = what;
  }
  void hear_option(const ModelEcnField& field);

  EcnMode mode_;
  Kind kind_ = Kind::None;
  int syns_sent_ = 0;
  bool has_asked_ = false;
  bool has_sent_plain_syn_ = false;
  bool may_send_ect_ = true;
  bool is_server_ = false;
  unsigned syn_ip_ = 0;      // as the peer's SYN came
  unsigned syn_ack_ip_ = 0;  // ... and its SYN,ACK
  bool owes_handshake_bits_ = false;
  bool awaits_handshake_bits_ = false;

  // Receiving.
  unsigned ce_count_ = 5;
  bool echoes_ = false;
  std::uint64_t marks_seen_ = 0;
  // Sending.
  unsigned heard_ce_ = 5;
  bool says_cwr_ = false;
  bool heard_echo_ = false;
  std::uint64_t marks_heard_ = 0;
  std::uint32_t octets_heard_ = 0;
  std::uint64_t ect_octets_sent_ = 0;
  std::string failure_;
};

}  // namespace runnel::test
