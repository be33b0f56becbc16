// AccECN, the side that receives data: what it counts, when it says so, and how. RFC 9768 sections
// 3.2.1, 3.2.2.5.1 and 3.2.3.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "runnel/ecn.h"
#include "stack/tcp/ecn/negotiation.h"
#include "stack/wire/tcp_options.h"

namespace runnel::tcp {

// Four counters, under the RFC's names:
//
//    r.cep   packets that came as CE, all of them    ─▶ ACE: three bits of every header
//    r.ceb   octets of text that came as CE          ╮
//    r.e0b   ... as ECT(0)                           ├▶ the AccECN option: 24 bits each
//    r.e1b   ... as ECT(1)                           ╯
//
// They never stop counting, so that a report that was lost is contained in the next one. All but
// r.ceb begin above zero, which betrays a path that clears what it does not understand.
class AccurateEcnReceiver {
 public:
  // A packet, or a super-packet of `segments`, with `octets` of text; none in a control packet.
  struct Arrival {
    Ecn ecn = Ecn::NotEct;
    std::uint32_t octets = 0;
    std::uint32_t segments = 1;
    bool is_text_waiting = false;  // text before it was not acknowledged yet
  };
  // Returns whether to acknowledge at once: the peer is to hear of the first mark of a row, and
  // before ACE can have turned round.
  [[nodiscard]] bool arrived(const Arrival& arrival) noexcept;
  // The SYN,ACK was marked: counts once, however often it comes.
  void syn_ack_was_marked() noexcept {
    if (cep_ == kInitialCep) ++cep_;
  }
  // Text that came with a SYN,ACK.
  void count_octets(Ecn ecn, std::uint32_t octets) noexcept;

  [[nodiscard]] EcnBits ace() const noexcept { return static_cast<EcnBits>(cep_ & 7U); }

  // The option of an ACK that leaves now, of at most `space` octets: when a counter has moved since
  // the last one, or to `test` whether the path lets it pass. With every counter that ever moved,
  // or not at all.
  [[nodiscard]] std::optional<wire::TcpAccEcn> option(std::size_t space, bool test) const noexcept;
  // The path has lost a packet with the option: no more of them.
  void stop_options() noexcept { sends_options_ = false; }
  // An ACK has left.
  void ack_sent(bool with_option) noexcept {
    ce_since_ack_ = 0;
    if (with_option) has_news_ = false;
  }

  // Packets that were marked.
  [[nodiscard]] std::uint64_t marks() const noexcept { return cep_ - kInitialCep; }

  template <typename Archive>
  void archive(Archive& archive) {
    archive(cep_, ceb_, e0b_, e1b_, ce_since_ack_, was_ce_, has_news_, sends_options_);
  }

 private:
  static constexpr std::uint64_t kInitialCep = 5;
  static constexpr std::uint64_t kInitialOctets = 1;

  std::uint64_t cep_ = kInitialCep;
  std::uint64_t ceb_ = 0;
  std::uint64_t e0b_ = kInitialOctets;
  std::uint64_t e1b_ = kInitialOctets;
  std::uint32_t ce_since_ack_ = 0;
  bool was_ce_ = false;    // the packet before
  bool has_news_ = false;  // since the last option
  bool sends_options_ = true;
};

// What the option takes of a header, with padding.
[[nodiscard]] constexpr std::size_t acc_ecn_option_octets(const wire::TcpAccEcn& option) noexcept {
  return (2U + 3U * option.count + 3U) / 4U * 4U;
}

// Has `options` of a SYN,ACK fit into a header again: the AccECN option, which tests the path there
// and reports nothing yet, gives way field by field.
void trim_acc_ecn(wire::TcpOptions& options) noexcept;

// The option of a server's first SYN,ACK.
[[nodiscard]] wire::TcpAccEcn initial_acc_ecn() noexcept;

}  // namespace runnel::tcp
