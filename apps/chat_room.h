// The members of a chat, and how word gets from one to the others.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace runnel::apps {

class ChatMember;

class ChatRoom {
 public:
  // Gives the newcomer a name, greets it, and tells the others.
  void join(ChatMember& newcomer);

  // Takes a member out and tells the others how it `left`: "left" or other words, or nothing when
  // empty. Nothing happens when it is not in the room (any more).
  void leave(ChatMember& member, std::string_view left);

  // Sends "NAME: text" to everyone but `speaker`.
  void say(const ChatMember& speaker, std::string_view text);

  // Changes the name; false when somebody else has it already (letter case aside).
  [[nodiscard]] bool rename(ChatMember& member, std::string_view name);

  // The names of all, or of the first hundred.
  [[nodiscard]] std::string who() const;

 private:
  [[nodiscard]] bool is_taken(std::string_view name, const ChatMember* by_other_than) const;
  void tell_others(const ChatMember* but, std::string line);
  void remove(const ChatMember& member);

  std::vector<ChatMember*> members_;
  std::size_t guests_ = 0;  // numbered so far
};

}  // namespace runnel::apps
