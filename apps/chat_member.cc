#include "apps/chat_member.h"

#include <fmt/format.h>

#include <chrono>

namespace runnel::apps {
namespace {

// For a member that has left: to read what is waiting for it, and to end its own stream.
constexpr Duration kLeavingTimeout = std::chrono::seconds(30);

constexpr std::string_view kCommands = "/nick NAME, /who, /quit";

}  // namespace

ChatMember::ChatMember(TcpSocket peer, ChatRoom& room, std::size_t waiting_limit_octets)
    : ServiceConnection(peer), room_(room), waiting_limit_octets_(waiting_limit_octets) {
  socket().allow_half_open(true);  // the answer to a last command is still delivered
  (void)socket().set_nagle(false);
  socket().on(events::data, [this](Bytes octets) { on_data(as_text(octets)); });
  socket().on(events::drain, [this] { flush(); });
  socket().on(events::end, [this] { on_end(); });
  socket().on(events::timeout, [this] { (void)socket().abort(); });
  socket().on(events::close, [this] { room_.leave(*this, "left"); });
}

void ChatMember::enter() {
  is_in_room_ = true;
  reply(fmt::format("* welcome, {}. Commands: {}\n* here: {}\n", name_, kCommands, room_.who()));
}

void ChatMember::exit() {
  is_in_room_ = false;
  has_left_ = true;
  (void)socket().set_timeout(kLeavingTimeout);
  flush();
}

void ChatMember::drop() {
  is_in_room_ = false;
  has_left_ = true;
  waiting_ = {};
  (void)socket().abort();
}

bool ChatMember::deliver(std::string_view line) {
  if (waiting_.empty()) {
    line.remove_prefix(socket().write(as_bytes(line)).value_or(0));
    if (line.empty()) return true;
  }
  waiting_ += line;
  const std::size_t queued = socket().info().value_or(TcpInfo{}).send_queue_octets;
  return waiting_.size() + queued <= waiting_limit_octets_;
}

void ChatMember::reply(const std::string& line) {
  if (is_in_room_ && !deliver(line)) {
    room_.leave(*this, "was too slow and is gone");
    drop();
  }
}

void ChatMember::on_data(std::string_view input) {
  LineSplitter::Line line;
  while (is_in_room_ && splitter_.next(input, line)) on_line(line);
}

void ChatMember::on_line(const LineSplitter::Line& line) {
  // Replacement characters are longer than what they replace, hence the second cut.
  const std::string clean = scrub(line.text);
  const std::string_view text = cut_to(clean, LineSplitter::kLimitOctets);
  if (text.empty()) return;
  if (text.front() == '/') {
    on_command(text.substr(1));
    return;
  }
  room_.say(*this, text);
  if (line.was_cut || text.size() < clean.size()) {
    reply(fmt::format("* that line was cut to {} octets\n", LineSplitter::kLimitOctets));
  }
}

void ChatMember::on_command(std::string_view command) {
  const std::size_t space = command.find(' ');
  const std::string_view verb = command.substr(0, space);
  std::string_view argument;
  if (space != std::string_view::npos) argument = command.substr(space + 1);
  while (!argument.empty() && argument.front() == ' ') argument.remove_prefix(1);
  while (!argument.empty() && argument.back() == ' ') argument.remove_suffix(1);

  if (verb == "who") {
    reply(fmt::format("* here: {}\n", room_.who()));
  } else if (verb == "quit") {
    reply("* goodbye\n");
    room_.leave(*this, "left");
  } else if (verb != "nick") {
    reply(fmt::format("* no such command: /{}. There are {}\n", verb, kCommands));
  } else if (!is_name(argument)) {
    reply("* a name is 1 to 24 octets of letters, digits, - and _\n");
  } else if (!room_.rename(*this, argument)) {
    reply(fmt::format("* {} is taken\n", argument));
  } else {
    reply(fmt::format("* you are now {}\n", name_));
  }
}

void ChatMember::on_end() {
  LineSplitter::Line line;
  if (is_in_room_ && splitter_.finish(line)) on_line(line);
  has_peer_ended_ = true;
  room_.leave(*this, "left");
  flush();
}

void ChatMember::finish() {
  reply("* the server is closing\n");
  room_.leave(*this, {});  // without a word: everybody is told the same
}

// Writes what is waiting, and ends the stream behind it when the member has left.
void ChatMember::flush() {
  while (!waiting_.empty()) {
    const Result<std::size_t> written = socket().write(as_bytes(waiting_));
    if (!written) return;
    waiting_.erase(0, *written);
  }
  if (!has_left_) return;
  (void)socket().shutdown_write();
  if (has_peer_ended_) (void)socket().close();
}

}  // namespace runnel::apps
