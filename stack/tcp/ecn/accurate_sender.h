// AccECN, the side that sends data: how many of its packets were marked, as the peer's counters
// say. RFC 9768 sections 3.2.2.2 to 3.2.2.5, 3.2.3.1, 3.2.3.2 and appendix A.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "stack/tcp/ecn/negotiation.h"
#include "stack/wire/seq_num.h"
#include "stack/wire/tcp_options.h"

namespace runnel::tcp {

// s.cep, s.ceb, s.e0b and s.e1b follow the peer's counters. ACE has three bits, so eight marks more
// look like none:
//
//    ACE 5 ── an ACK of 20 packets ── ACE 6      1 mark, or 9, or 17
//
// The option knows better, as far as the marked octets fill whole segments. Without it the most
// that an ACK of so many packets allows is assumed, unless nothing was marked lately.
//
// An ACK that was overtaken by a later one has nothing to say (appendix A.1).
class AccurateEcnSender {
 public:
  struct Ack {
    EcnBits ace = 0;
    const std::optional<wire::TcpAccEcn>* option = nullptr;
    std::uint64_t delivered_octets = 0;  // by this ACK, for the first time
    std::uint32_t smss_octets = 1;
  };
  struct Marks {
    std::uint64_t packets = 0;
    std::uint64_t octets = 0;
  };

  // The handshake's last ACK has told how the SYN,ACK arrived (table 4).
  void on_handshake_ack(const EcnHandshakeAck& ack) noexcept {
    cep_ = ack.ce_packets;
    is_usable_ = ack.is_usable;
  }
  // The first option that the peer sends has a counter of zero: something clears it, so that no
  // option can be trusted (section 3.2.3.2.4).
  void on_first_option(const wire::TcpAccEcn& option) noexcept;

  // What an ACK tells that was not overtaken.
  [[nodiscard]] Marks on_ack(const Ack& ack) noexcept;
  // ... and one that was: its octets count with the next.
  void on_overtaken(std::uint64_t delivered_octets) noexcept { unread_octets_ += delivered_octets; }

  // False: the feedback is mangled, so nothing should be sent that can be marked, and what comes is
  // not answered.
  [[nodiscard]] bool is_usable() const noexcept { return is_usable_; }
  // The feedback contradicts itself: nothing may be sent that can be marked (section 3.2.3.2.5).
  [[nodiscard]] bool is_contradictory() const noexcept { return is_contradictory_; }

  // s.cep, for tests.
  [[nodiscard]] std::uint64_t cep() const noexcept { return cep_; }

  template <typename Archive>
  void archive(Archive& archive) {
    archive(cep_, ceb_, e0b_, e1b_, unread_octets_, estimated_octets_, is_first_ack_);
    archive(had_marks_, trusts_options_, is_usable_, is_contradictory_);
  }

 private:
  // By how much the counters of an option have grown; none when it is older than what is known.
  struct Growth {
    std::uint64_t ce = 0;
    std::uint64_t others = 0;
  };
  [[nodiscard]] std::optional<Growth> read(const wire::TcpAccEcn& option) noexcept;
  [[nodiscard]] std::uint64_t safest_likely(std::uint64_t least, std::uint64_t packets,
                                            const std::optional<Growth>& growth,
                                            std::uint32_t smss_octets) const noexcept;

  std::uint64_t cep_ = 5;
  std::uint32_t ceb_ = 0;  // 24 bits, as on the wire
  std::uint32_t e0b_ = 1;
  std::uint32_t e1b_ = 1;
  std::uint64_t unread_octets_ = 0;     // delivered by ACKs that were not read
  std::uint64_t estimated_octets_ = 0;  // reported as marked before an option has told the number
  bool is_first_ack_ = true;
  bool had_marks_ = false;  // in the ACK before
  bool trusts_options_ = true;
  bool is_usable_ = true;
  bool is_contradictory_ = false;
};

}  // namespace runnel::tcp
