#include "stack/tcp/reset.h"

#include "stack/tcp/header_writer.h"

namespace runnel::tcp {

std::optional<wire::TcpHeader> reset_answering(const FourTuple& tuple,
                                               const Segment& seg) noexcept {
  if (seg.flags.rst) return std::nullopt;
  if (seg.flags.ack) return reset_at(tuple, seg.ack);
  wire::TcpHeader header = header_for(tuple);
  header.flags.rst = true;
  header.flags.ack = true;
  header.ack = seg.end();
  return header;
}

wire::TcpHeader reset_at(const FourTuple& tuple, SeqNum snd_nxt) noexcept {
  wire::TcpHeader header = header_for(tuple);
  header.flags.rst = true;
  header.seq = snd_nxt;
  return header;
}

}  // namespace runnel::tcp
