// A chat room for line clients such as nc.
#pragma once

#include <cstddef>
#include <memory>

#include "apps/service.h"

namespace runnel::apps {

class ChatRoom;

// Sends every line to everyone else.
//
// Theory of operation. A ChatMember (chat_member.h) is one connection: it cuts what arrives into
// lines, and keeps what its peer has not read. The ChatRoom (chat_room.h) holds the members and is
// the only one who speaks to several. A member is in the room from its handshake until it says
// /quit, ends its stream, is reset, or is dropped.
//
// Memory is bounded on both sides. In: a line of at most 1 KiB is kept, and the receive buffer is
// small, because one turn of the loop may multiply all that is in it by the length of a name and
// must not overrun readers that are not slow at all. Out: a member with more than kWaitingLimit
// octets waiting, in the stack's send queue and behind it, is dropped and does not stall the room.
class ChatServer final : public Service {
 public:
  static constexpr std::size_t kWaitingLimitOctets = std::size_t{256} << 10U;
  static constexpr std::size_t kReceiveBufferOctets = std::size_t{4} << 10U;
  static constexpr std::size_t kSendBufferOctets = std::size_t{64} << 10U;

  ChatServer(Sockets& sockets, const Endpoint& local);
  ~ChatServer() override;

 protected:
  [[nodiscard]] std::unique_ptr<ServiceConnection> make_connection(TcpSocket peer) override;

 private:
  std::unique_ptr<ChatRoom> room_;
};

}  // namespace runnel::apps
