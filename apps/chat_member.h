// One connection of the chat.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "apps/chat_room.h"
#include "apps/chat_text.h"
#include "apps/service.h"
#include "runnel/bytes.h"

namespace runnel::apps {

// Lines in, commands obeyed, lines out.
//
// After it has left the room a member flushes what is waiting, ends its stream with FIN and throws
// away what still comes until the peer has ended too.
class ChatMember final : public ServiceConnection {
 public:
  // `room` must outlive the member.
  ChatMember(TcpSocket peer, ChatRoom& room, std::size_t waiting_limit_octets);

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  void set_name(std::string name) { name_ = std::move(name); }
  [[nodiscard]] bool is_in_room() const noexcept { return is_in_room_; }

  // For the room: the member is in and gets its greeting; is out and may flush; is out and reset.
  void enter();
  void exit();
  void drop();

  // Sends `line`, or keeps it until the peer reads. Returns false when more is waiting than may be.
  [[nodiscard]] bool deliver(std::string_view line);

  void finish() override;

 private:
  void on_data(std::string_view input);
  void on_line(const LineSplitter::Line& line);
  void on_command(std::string_view command);
  void on_end();
  void reply(const std::string& line);
  void flush();

  ChatRoom& room_;
  std::size_t waiting_limit_octets_;
  std::string name_;
  LineSplitter splitter_;
  std::string waiting_;  // what the send queue had no room for
  bool is_in_room_ = false;
  bool has_left_ = false;
  bool has_peer_ended_ = false;
};

}  // namespace runnel::apps
