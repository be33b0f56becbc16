#include "apps/chat_room.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <utility>

#include "apps/chat_member.h"

namespace runnel::apps {
namespace {

char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_same_name(std::string_view a, std::string_view b) noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace

void ChatRoom::join(ChatMember& newcomer) {
  std::string name;
  do {
    name = fmt::format("guest{}", ++guests_);
  } while (is_taken(name, nullptr));
  newcomer.set_name(std::move(name));
  tell_others(nullptr, fmt::format("* {} joined\n", newcomer.name()));
  members_.push_back(&newcomer);
  newcomer.enter();
}

void ChatRoom::leave(ChatMember& member, std::string_view left) {
  if (!member.is_in_room()) return;
  remove(member);
  member.exit();
  if (!left.empty()) tell_others(nullptr, fmt::format("* {} {}\n", member.name(), left));
}

void ChatRoom::say(const ChatMember& speaker, std::string_view text) {
  tell_others(&speaker, fmt::format("{}: {}\n", speaker.name(), text));
}

bool ChatRoom::rename(ChatMember& member, std::string_view name) {
  if (is_taken(name, &member)) return false;
  tell_others(&member, fmt::format("* {} is now {}\n", member.name(), name));
  member.set_name(std::string(name));
  return true;
}

std::string ChatRoom::who() const {
  constexpr std::size_t kMost = 100;
  std::string names;
  for (std::size_t i = 0; i < std::min(members_.size(), kMost); ++i) {
    if (i > 0) names += ", ";
    names += members_[i]->name();
  }
  if (members_.size() > kMost) names += fmt::format(" and {} more", members_.size() - kMost);
  return names;
}

bool ChatRoom::is_taken(std::string_view name, const ChatMember* by_other_than) const {
  return std::any_of(members_.begin(), members_.end(), [&](const ChatMember* member) {
    return member != by_other_than && is_same_name(member->name(), name);
  });
}

// Dropping a slow reader is news as well, which may be too much for the next one: so the lines to
// tell form a queue, and this does not recurse.
void ChatRoom::tell_others(const ChatMember* but, std::string line) {
  std::deque<std::string> lines;
  lines.push_back(std::move(line));
  for (; !lines.empty(); lines.pop_front(), but = nullptr) {
    std::vector<ChatMember*> slow;
    for (ChatMember* member : members_) {
      if (member != but && !member->deliver(lines.front())) slow.push_back(member);
    }
    for (ChatMember* member : slow) {
      remove(*member);
      member->drop();
      lines.push_back(fmt::format("* {} was too slow and is gone\n", member->name()));
    }
  }
}

void ChatRoom::remove(const ChatMember& member) {
  members_.erase(std::remove(members_.begin(), members_.end(), &member), members_.end());
}

}  // namespace runnel::apps
