#include "apps/chat_server.h"

#include "apps/chat_member.h"
#include "apps/chat_room.h"

namespace runnel::apps {
namespace {

ListenOptions chat_options(const Stack& stack) {
  ListenOptions options;
  options.tcp = stack.config().tcp;
  options.tcp->receive_buffer_octets = ChatServer::kReceiveBufferOctets;
  options.tcp->send_buffer_octets = ChatServer::kSendBufferOctets;
  options.tcp->receive_buffer_maximum_octets = 0;  // fixed: a slow reader is cut off, not buffered
  options.tcp->send_buffer_maximum_octets = 0;
  return options;
}

}  // namespace

ChatServer::ChatServer(Sockets& sockets, const Endpoint& local)
    : Service(sockets, "chat", local, chat_options(sockets.stack())),
      room_(std::make_unique<ChatRoom>()) {}

ChatServer::~ChatServer() = default;

std::unique_ptr<ServiceConnection> ChatServer::make_connection(TcpSocket peer) {
  auto member = std::make_unique<ChatMember>(peer, *room_, kWaitingLimitOctets);
  room_->join(*member);
  return member;
}

}  // namespace runnel::apps
