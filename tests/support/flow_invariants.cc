#include "tests/support/flow_invariants.h"

#include <algorithm>

#include "stack/wire/ipv4.h"
#include "stack/wire/tcp.h"

namespace runnel::test {
namespace {

// The signed distance from b to a in sequence space.
std::int32_t ahead(std::uint32_t a, std::uint32_t b) {
  return static_cast<std::int32_t>(a - b);
}

}  // namespace

// A SYN with another sequence number than the last one, which is more than a retransmission: a new
// connection of the same pair. The answer to a SYN may be one too, when the first is forgotten.
void FlowInvariants::begin_anew(const Endpoint& from, const Endpoint& to, std::uint32_t iss,
                                bool is_answer) {
  ends_[{from, to}] = End{};
  ends_[{from, to}].iss = iss;
  const auto other = ends_.find({to, from});
  if (other == ends_.end()) return;
  if (is_answer) {
    ends_[{from, to}].is_second_answer = other->second.has_acknowledged;
    other->second.has_acknowledged = false;
  } else {
    ends_.erase(other);
  }
}

std::optional<std::string> FlowInvariants::observe(Bytes packet) {
  const auto ip = wire::Ipv4View::parse(packet);
  if (!ip || ip->protocol() != wire::kProtocolTcp || ip->is_fragment()) return std::nullopt;
  const auto tcp = wire::TcpView::parse(ip->payload());
  if (!tcp || tcp->flags().rst) return std::nullopt;
  const wire::TcpFlags flags = tcp->flags();
  const Endpoint from{ip->source(), tcp->source_port()};
  const Endpoint to{ip->destination(), tcp->destination_port()};

  if (flags.syn && ends_[{from, to}].iss != tcp->seq().value()) {
    begin_anew(from, to, tcp->seq().value(), flags.ack);
  }
  End& end = ends_[{from, to}];
  const auto found = ends_.find({to, from});
  const End* const other = found != ends_.end() ? &found->second : nullptr;

  if (flags.syn) end.offered_scale = tcp->options().window_scale;
  const std::uint32_t seq = tcp->seq().value();
  const auto octets = static_cast<std::uint32_t>(tcp->payload().size());
  const std::uint32_t length = octets + (flags.syn ? 1U : 0U) + (flags.fin ? 1U : 0U);
  const std::uint32_t sent_end = seq + length;
  if (!end.has_sent || ahead(sent_end, end.sent_end) > 0) end.sent_end = sent_end;
  end.has_sent = true;

  if (other != nullptr && other->has_acknowledged && octets > 1 &&
      ahead(seq + octets, other->edge) > 0) {
    return "sent " + std::to_string(ahead(seq + octets, other->edge)) +
           " octets right of the offered window";
  }
  if (!flags.ack) return std::nullopt;

  const std::uint32_t ack = tcp->ack().value();
  if (other != nullptr && other->has_sent && !other->is_second_answer &&
      ahead(ack, other->sent_end) > 0) {
    return "acknowledges what was never sent";
  }
  const bool is_scaled =
      !flags.syn && end.offered_scale && other != nullptr && other->offered_scale.has_value();
  const std::uint32_t shift = is_scaled ? std::min<std::uint32_t>(*end.offered_scale, 14) : 0;
  const std::uint32_t edge = ack + (std::uint32_t{tcp->window()} << shift);
  if (end.has_acknowledged) {
    if (ahead(ack, end.ack) < 0) return "the acknowledgment number moves back";
    const std::int32_t rounding = (1 << shift) - 1;
    if (ahead(edge, end.edge) < -rounding) {
      return "the window's right edge moves left by " + std::to_string(-ahead(edge, end.edge));
    }
  }
  end.edge = !end.has_acknowledged || ahead(edge, end.edge) > 0 ? edge : end.edge;
  end.ack = ack;
  end.has_acknowledged = true;
  return std::nullopt;
}

}  // namespace runnel::test
