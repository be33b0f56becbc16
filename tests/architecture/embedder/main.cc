// Two hosts in one program, without a network and without a clock: one connects to the other, says
// hello, and the other answers. What it takes to embed runnel is all here.
#include <runnel/stack.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

namespace {

// Carries every packet that `from` has to `to`.
void carry(runnel::Stack& from, runnel::Stack& to, runnel::Instant now) {
  runnel::TxFrame frame;
  while (from.poll_transmit(frame, now)) {
    std::vector<std::uint8_t> packet(frame.size());
    frame.copy_to(packet);
    to.receive(packet, now);
  }
}

// Everything that has arrived on `connection`.
std::string read_all(runnel::Stack& stack, runnel::ConnectionId connection) {
  std::string text;
  std::array<std::uint8_t, 256> chunk{};
  for (auto got = stack.read(connection, chunk); got && *got > 0;
       got = stack.read(connection, chunk)) {
    text += runnel::as_text(runnel::Bytes(chunk).first(*got));
  }
  return text;
}

}  // namespace

int main() {
  runnel::SeededRandom random(1);
  runnel::Stack client(runnel::Config{}, random);
  runnel::Stack server(runnel::Config{}, random);
  if (!client.add_address({{192, 0, 2, 1}, 24}) || !server.add_address({{192, 0, 2, 2}, 24}))
    return 1;

  const auto listener = server.listen({{192, 0, 2, 2}, 7});
  const auto asking = client.connect({{192, 0, 2, 2}, 7});
  if (!listener || !asking) return 2;

  std::string answer;
  runnel::Instant now{};
  for (int turn = 0; turn < 100 && answer.empty(); ++turn, now += std::chrono::milliseconds(1)) {
    client.advance(now);
    server.advance(now);
    while (const auto event = client.poll_event()) {
      if (event->kind == runnel::EventKind::Connected &&
          !client.write(*asking, runnel::as_bytes("hello")))
        return 3;
      if (event->kind == runnel::EventKind::Readable) answer = read_all(client, *asking);
    }
    while (const auto event = server.poll_event()) {
      if (event->kind == runnel::EventKind::Incoming && !server.accept(*listener)) return 4;
      if (event->kind == runnel::EventKind::Readable) {
        const std::string text = read_all(server, event->connection) + " to you";
        if (!server.write(event->connection, runnel::as_bytes(text))) return 5;
      }
    }
    carry(client, server, now);
    carry(server, client, now);
  }
  std::printf("%s\n", answer.c_str());
  return answer == "hello to you" ? 0 : 6;
}
