#include "runnel/icmp_echo.h"

namespace runnel {

IcmpEcho::IcmpEcho(Stack& stack, const IpAddress& destination, std::uint16_t identifier)
    : stack_(stack), destination_(destination), identifier_(identifier) {}

Result<std::uint16_t> IcmpEcho::send(std::size_t payload_octets) {
  std::vector<std::uint8_t> payload(payload_octets);
  for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<std::uint8_t>(i);
  const std::uint16_t sequence = next_sequence_;
  if (const auto sent = stack_.send_echo_request(destination_, identifier_, sequence, payload);
      !sent) {
    return sent.error();
  }
  ++next_sequence_;
  outstanding_[sequence] = stack_.now();
  return sequence;
}

std::optional<IcmpEcho::Reply> IcmpEcho::poll() {
  while (const auto reply = stack_.poll_echo_reply()) {
    if (reply->identifier != identifier_) continue;
    const auto request = outstanding_.find(reply->sequence);
    if (request == outstanding_.end()) continue;
    const Duration round_trip = reply->received_at - request->second;
    outstanding_.erase(request);
    return Reply{reply->sequence,       reply->from, reply->ttl,
                 reply->payload_octets, round_trip,  reply->error};
  }
  return std::nullopt;
}

}  // namespace runnel
