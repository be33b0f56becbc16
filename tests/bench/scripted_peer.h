// The other end of one connection, made of single packets: it costs next to nothing, so what is
// measured is the one stack.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "runnel/stack.h"
#include "stack/wire/seq_num.h"
#include "stack/wire/tcp.h"

namespace runnel::bench {

// A stack (192.0.2.2, port 7) and a peer (192.0.2.1) with an established connection between them,
// in virtual time, over a link with offloads. The peer has window scaling, SACK and timestamps.
class ScriptedPeer {
 public:
  enum class Fin : bool { No, Yes };
  static constexpr std::uint16_t kFirstPort = 50000;

  // An Ethernet frame's worth: 1,500 octets less both headers and timestamps.
  static constexpr std::size_t kSegmentOctets = 1448;
  // As many of them as an IPv4 packet can stand for.
  static constexpr std::size_t kSuperPacketOctets = 44 * kSegmentOctets;

  ScriptedPeer();

  // The connection's next `octets` octets in one packet, and FIN, acknowledging everything seen so
  // far. Good until the next call.
  [[nodiscard]] RxBuffer segment(std::size_t octets, Fin fin = Fin::No);

  // A SYN from the peer's next port: the other functions are about this connection from now on.
  [[nodiscard]] RxBuffer syn();

  // The peer takes notice of a frame of the stack's: text is acknowledged with the next packet.
  void see(const TxFrame& frame) noexcept;

  void advance(Duration duration) noexcept { now_ += duration; }

  [[nodiscard]] Stack& stack() noexcept { return stack_; }
  [[nodiscard]] ListenerId listener() const noexcept { return listener_; }
  [[nodiscard]] ConnectionId connection() const noexcept { return connection_; }
  [[nodiscard]] Instant now() const noexcept { return now_; }

 private:
  [[nodiscard]] RxBuffer packet(wire::TcpFlags flags, std::size_t octets);

  SeededRandom random_{1};
  Stack stack_;
  ListenerId listener_;
  ConnectionId connection_;
  Instant now_{std::chrono::seconds(1)};
  std::uint16_t port_ = kFirstPort;
  wire::SeqNum snd_nxt_{1'000'000};
  wire::SeqNum rcv_nxt_{0};
  std::uint32_t ts_recent_ = 0;
};

// --- The hot paths, one step each ----------------------------------------------------------------

// One packet with `octets` of text arrives, the application reads it, and the ACK leaves if one is
// due.
class InputPath {
 public:
  explicit InputPath(std::size_t octets = ScriptedPeer::kSegmentOctets) : octets_(octets) {}
  void step();

 private:
  ScriptedPeer peer_;
  std::size_t octets_;
  TxFrame frame_;
};

// The application writes a super-packet's worth, the frame leaves, and the ACK arrives.
class OutputPath {
 public:
  OutputPath();
  void step();

 private:
  ScriptedPeer peer_;
  TxFrame frame_;
  std::array<std::uint8_t, ScriptedPeer::kSuperPacketOctets> text_{};
};

// A request of 64 octets arrives and is read; the response, which carries the ACK, leaves.
class ExchangePath {
 public:
  ExchangePath();
  void step();

 private:
  ScriptedPeer peer_;
  TxFrame frame_;
};

// A whole connection: the peer opens it, a request of 64 octets is answered with as many, and one
// side closes it, then the other: in odd steps the peer first, in even ones the stack, which has
// TIME-WAIT then.
class ConnectionPath {
 public:
  void step();

 private:
  enum class Answer : bool { No, Yes };
  // The packet arrives, and the peer sees what leaves: one frame, or none.
  void arrives(RxBuffer packet, Answer expected);

  ScriptedPeer peer_;
  TxFrame frame_;
  bool closes_first_ = false;  // the stack's application does, in this step
};

}  // namespace runnel::bench
