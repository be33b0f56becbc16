// A connection's part in explicit congestion notification: what its SYNs agree upon, what it tells
// the peer about the marks on what arrives, and what the peer tells about ours.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "runnel/config.h"
#include "runnel/counters.h"
#include "runnel/ecn.h"
#include "stack/tcp/ecn/accurate_receiver.h"
#include "stack/tcp/ecn/accurate_sender.h"
#include "stack/tcp/ecn/classic_ecn.h"
#include "stack/tcp/ecn/ecn_response.h"
#include "stack/tcp/ecn/negotiation.h"
#include "stack/tcp/segment.h"

namespace runnel::tcp {

// Theory of operation. A router that would have to drop a packet marks it instead, if the sender
// has said that it will listen:
//
//    sender ──── ECT ────▶ router ──── CE ────▶ receiver
//       ▲                                          │
//       ╰───────── ECE (classic), ACE and option (AccECN) in the ACKs ◀─╯
//
// The two directions are independent, except that one handshake decides about both: see
// negotiation.h. Each side is the receiver of the one and the sender of the other. Reports are
// given for what arrives whatever is known about the own packets (RFC 9768 section 3.1.5); whether
// these leave as ECT may change, once, to never again: when the handshake was ambiguous, or the
// path rewrites codepoints.
//
// Only new data leave as ECT. SYNs, pure ACKs, retransmissions and probes are Not-ECT (RFC 3168
// section 6.1, RFC 8311 section 4.3).
class ConnectionEcn {
 public:
  ConnectionEcn(const TcpConfig& config, Counters& counters) noexcept;

  // --- Handshake -------------------------------------------------------------------------------
  // AE, CWR and ECE of a SYN that leaves, and of a SYN,ACK.
  [[nodiscard]] EcnBits syn_bits(unsigned retransmissions) noexcept;
  [[nodiscard]] EcnBits syn_ack_bits(unsigned retransmissions) noexcept;
  // The option of that SYN,ACK.
  [[nodiscard]] bool has_syn_ack_option(unsigned retransmissions) const noexcept {
    return handshake_.has_option(retransmissions);
  }
  // A listener's record becomes this connection, after so many retransmissions of its SYN,ACK.
  void begin_passive(const EcnHandshake& handshake, unsigned retransmissions) noexcept;
  // The peer's SYN, in a simultaneous open; its SYN,ACK.
  void syn_arrived(const Segment& syn) noexcept;
  void syn_ack_arrived(const Segment& syn_ack) noexcept;
  // They come again. Returns false when the connection is to be reset.
  [[nodiscard]] bool syn_again(const Segment& syn) noexcept {
    return handshake_.syn_again(ecn_bits(syn.flags), syn.ecn);
  }
  void syn_ack_again(const Segment& syn_ack) noexcept;
  // The ACK of a SYN,ACK says how that has arrived, if it carries nothing else: before any data.
  [[nodiscard]] bool owes_handshake_ack() const noexcept { return syn_ack_arrived_as_.has_value(); }

  // --- Receiving: what goes back ---------------------------------------------------------------
  struct Advice {
    bool acknowledge_now = false;
    // DCTCP: what waits for an ACK is to have one of its own first, with the old ECE.
    bool acknowledge_before = false;
  };
  // An acceptable segment has arrived, before its text is taken.
  [[nodiscard]] Advice segment_arrived(const Segment& seg, bool is_text_waiting) noexcept;
  // The bits of a segment that leaves now, without SYN. `is_pure`: no text, FIN or SACK either.
  [[nodiscard]] EcnBits ack_bits(bool is_pure) const noexcept;
  // The AccECN option of an ACK that leaves now, in at most `space` octets. `is_first_data`: it
  // carries, or will be followed by, the first text of the stream.
  [[nodiscard]] std::optional<wire::TcpAccEcn> option(std::size_t space,
                                                      bool is_first_data) const noexcept;
  void ack_sent(bool with_option, bool with_handshake_bits) noexcept;
  // Whether an ACK has room for so many SACK blocks only if the option stays out: see option().
  static constexpr std::size_t kSackBlocksFirst = 2;

  // --- Sending ---------------------------------------------------------------------------------
  [[nodiscard]] bool sends_ect() const noexcept;
  [[nodiscard]] Ecn data_codepoint() const noexcept {
    return sends_ect() ? Ecn::Ect0 : Ecn::NotEct;
  }
  // The next new data are to say that the window was reduced, in one segment.
  [[nodiscard]] bool owes_cwr() const noexcept { return owes_cwr_; }
  void cwr_sent() noexcept { owes_cwr_ = false; }

  // What an acknowledgment says about marks.
  struct Report {
    bool is_congestion = false;  // something was marked
    std::uint64_t packets = 0;   // ... so many, with AccECN
    std::uint64_t octets = 0;    // ... and of the octets that it delivers
  };
  // SND.UNA was `una_before`, and is `una` now.
  [[nodiscard]] Report on_ack(const Segment& seg, SeqNum una_before, SeqNum una,
                              std::uint64_t delivered_octets, std::uint32_t smss_octets) noexcept;
  // The client's: its SYN was marked.
  [[nodiscard]] bool take_syn_was_marked() noexcept {
    return std::exchange(syn_was_marked_, false);
  }

  [[nodiscard]] const EcnResponse& response() const noexcept { return response_; }
  // The window was reduced; SND.NXT was `nxt`.
  void reduced_for_mark(SeqNum nxt) noexcept;
  void reduced_for_loss(SeqNum nxt) noexcept;

  // --- Looking inside --------------------------------------------------------------------------
  [[nodiscard]] EcnFeedback feedback() const noexcept { return feedback_; }
  [[nodiscard]] std::uint64_t marks_received() const noexcept { return marks_received_; }
  [[nodiscard]] std::uint64_t marks_reported() const noexcept { return marks_reported_; }
  [[nodiscard]] std::uint32_t responses() const noexcept { return responses_; }

  template <typename Archive>
  void archive(Archive& archive) {
    archive(feedback_, asked_, has_sent_plain_syn_, may_send_ect_, handshake_);
    archive(syn_ack_arrived_as_, syn_was_marked_, awaits_handshake_ack_, awaits_option_);
    archive(classic_receiver_, accurate_receiver_, accurate_sender_, response_, owes_cwr_);
    archive(tests_option_, newest_seq_, newest_tsval_);
    archive(marks_received_, marks_reported_, responses_);
  }

 private:
  void stop_ect() noexcept;
  [[nodiscard]] bool was_overtaken(const Segment& seg, SeqNum una,
                                   std::uint64_t delivered_octets) noexcept;
  [[nodiscard]] Report on_accurate_ack(const Segment& seg, std::uint64_t delivered_octets,
                                       std::uint32_t smss_octets) noexcept;

  const TcpConfig& config_;
  Counters& counters_;
  EcnFeedback feedback_ = EcnFeedback::None;
  EcnBits asked_ = kNoEcnBits;       // the first SYN's
  bool has_sent_plain_syn_ = false;  // ... and then one that did not ask
  bool may_send_ect_ = true;
  EcnHandshake handshake_;                 // as a server
  std::optional<Ecn> syn_ack_arrived_as_;  // and the peer has not been told
  bool syn_was_marked_ = false;
  bool awaits_handshake_ack_ = false;  // as a server: the next ACK is read by table 4
  bool awaits_option_ = true;

  ClassicEcnReceiver classic_receiver_;
  AccurateEcnReceiver accurate_receiver_;
  AccurateEcnSender accurate_sender_;
  EcnResponse response_;
  bool owes_cwr_ = false;
  bool tests_option_ = false;  // as a client: until the first data have carried it
  // Of the newest segment that was read (see was_overtaken()).
  std::optional<SeqNum> newest_seq_;
  std::optional<std::uint32_t> newest_tsval_;

  std::uint64_t marks_received_ = 0;
  std::uint64_t marks_reported_ = 0;
  std::uint32_t responses_ = 0;
};

}  // namespace runnel::tcp
