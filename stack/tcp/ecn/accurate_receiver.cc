#include "stack/tcp/ecn/accurate_receiver.h"

#include <limits>

namespace runnel::tcp {

namespace {

// Marks after which an ACK is due: with text that waits for one, and without (RFC 9768 section
// 3.2.2.5.1).
constexpr std::uint32_t kMarksWithText = 2;
constexpr std::uint32_t kMarksWithoutText = 3;

}  // namespace

void AccurateEcnReceiver::count_octets(Ecn ecn, std::uint32_t octets) noexcept {
  switch (ecn) {
    case Ecn::NotEct:
      return;
    case Ecn::Ect1:
      e1b_ += octets;
      break;
    case Ecn::Ect0:
      e0b_ += octets;
      break;
    case Ecn::Ce:
      ceb_ += octets;
      break;
  }
  if (octets > 0) has_news_ = true;
}

bool AccurateEcnReceiver::arrived(const Arrival& arrival) noexcept {
  const bool is_ce = arrival.ecn == Ecn::Ce;
  const bool has_text = arrival.octets > 0;
  const bool is_first_of_row = is_ce && !was_ce_;
  was_ce_ = is_ce;
  count_octets(arrival.ecn, arrival.octets);
  if (!is_ce) return false;
  cep_ += arrival.segments;
  ce_since_ack_ += arrival.segments;
  const std::uint32_t limit =
      has_text || arrival.is_text_waiting ? kMarksWithText : kMarksWithoutText;
  return (is_first_of_row && has_text) || ce_since_ack_ >= limit;
}

std::optional<wire::TcpAccEcn> AccurateEcnReceiver::option(std::size_t space,
                                                           bool test) const noexcept {
  if (!sends_options_ || (!has_news_ && !test)) return std::nullopt;
  const bool has_e0b = e0b_ != kInitialOctets;
  const bool has_ceb = ceb_ != 0;
  const bool has_e1b = e1b_ != kInitialOctets;
  wire::TcpAccEcn option;
  option.is_order_1 = has_e1b && !has_e0b;
  const std::uint64_t first = option.is_order_1 ? e1b_ : e0b_;
  const std::uint64_t last = option.is_order_1 ? e0b_ : e1b_;
  for (const std::uint64_t counter : {first, ceb_, last}) {
    option.counters[option.count++] = static_cast<std::uint32_t>(counter & 0xffffffU);
  }
  std::uint8_t needed = 1;
  if (has_ceb) needed = 2;
  if (has_e0b && has_e1b) needed = 3;
  const bool has_moved = has_e0b || has_ceb || has_e1b;
  if (has_moved) {
    option.count = needed;
  } else {
    needed = 0;
  }
  while (option.count > needed && acc_ecn_option_octets(option) > space) --option.count;
  if (acc_ecn_option_octets(option) > space) return std::nullopt;
  return option;
}

wire::TcpAccEcn initial_acc_ecn() noexcept {
  return AccurateEcnReceiver()
      .option(std::numeric_limits<std::size_t>::max(), true)
      .value_or(wire::TcpAccEcn{});
}

void trim_acc_ecn(wire::TcpOptions& options) noexcept {
  while (options.acc_ecn && !options.fits()) {
    if (options.acc_ecn->count == 0) {
      options.acc_ecn.reset();
    } else {
      --options.acc_ecn->count;
    }
  }
}

}  // namespace runnel::tcp
