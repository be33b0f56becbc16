// A runnel host in virtual time whose packets, clock and application are lines of text.
//
// differential_test.py plays the link, the clock and the application of this host, as it plays
// them for a host on the kernel's TCP. One connection at a time:
//
//    at MICROSECONDS      time goes on; timers run as it does
//    in HEX               a packet comes from the link
//    listen PORT          and accept whoever comes
//    connect ADDRESS PORT
//    write OCTETS | shutdown | close | abort | reading 0|1
//    set NAME VALUE       before listen and connect: receive_buffer, keepalive_ms, nagle
//
// Each line is answered with what left the host meanwhile, and a full stop:
//
//    out MICROSECONDS HEX
//    app TEXT             read OCTETS, end, error TEXT, closed
//    .
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "runnel/random.h"
#include "runnel/stack.h"

namespace {

using namespace runnel;
using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr int kMostStepsAtOneInstant = 10'000;

class Host {
 public:
  // The kernel's default congestion control is another one; its scripts are about windows.
  Host() {
    config_.tcp.receive_buffer_maximum_octets = config_.tcp.receive_buffer_octets;
    config_.tcp.congestion_control = CongestionAlgorithm::NewReno;
  }

  // Carries one line out; false when it is not understood.
  bool command(const std::string& line) {
    std::istringstream words(line);
    std::string verb;
    words >> verb;
    if (verb == "set") return set(words);
    start();
    bool is_known = true;
    if (verb == "at") {
      std::int64_t time = 0;
      words >> time;
      advance_to(Instant(microseconds(time)));
    } else if (verb == "in") {
      std::string hex;
      words >> hex;
      stack_->receive(octets_of(hex), now_);
    } else {
      is_known = call(verb, words);
    }
    work();
    return is_known;
  }

 private:
  bool set(std::istringstream& words) {
    std::string name;
    std::uint64_t value = 0;
    words >> name >> value;
    TcpConfig& tcp = config_.tcp;
    if (name == "receive_buffer") {
      tcp.receive_buffer_octets = tcp.receive_buffer_maximum_octets = value;
    } else if (name == "keepalive_ms") {
      tcp.keepalive = true;
      tcp.keepalive_idle = tcp.keepalive_interval = milliseconds(value);
    } else if (name == "nagle") {
      tcp.nagle = value != 0;
    } else {
      return false;
    }
    return !stack_;
  }

  void start() {
    if (stack_) return;
    stack_.emplace(config_, random_);
    (void)stack_->add_address({IpAddress(192, 0, 2, 2), 24});
    stack_->advance(now_);
  }

  bool call(const std::string& verb, std::istringstream& words) {
    std::size_t number = 0;
    if (verb == "listen") {
      words >> number;
      const auto made = stack_->listen({IpAddress(), static_cast<std::uint16_t>(number)});
      if (made) listener_ = *made;
      return made.has_value();
    }
    if (verb == "connect") {
      std::string address;
      words >> address >> number;
      const auto remote = IpAddress::parse_v4(address);
      if (!remote) return false;
      const auto made = stack_->connect({*remote, static_cast<std::uint16_t>(number)});
      if (made) connection_ = *made;
      return made.has_value();
    }
    if (verb == "reading") {
      words >> number;
      is_reading_ = number != 0;
      return true;
    }
    if (!connection_) return false;
    if (verb == "write") {
      words >> number;
      const auto written = stack_->write(*connection_, std::vector<std::uint8_t>(number, 'r'));
      if (!written || *written != number) std::cout << "app short write\n";
    } else if (verb == "shutdown") {
      (void)stack_->shutdown_write(*connection_);
    } else if (verb == "close") {
      (void)stack_->close(*connection_);
      is_closed_ = true;
    } else if (verb == "abort") {
      (void)stack_->abort(*connection_);
      is_closed_ = true;
    } else {
      return false;
    }
    return true;
  }

  void advance_to(Instant end) {
    for (int steps = 0; stack_->next_deadline() <= end && steps < kMostStepsAtOneInstant; ++steps) {
      if (stack_->next_deadline() > now_) steps = 0;
      now_ = std::max(now_, stack_->next_deadline());
      work();
    }
    now_ = std::max(now_, end);
  }

  // One turn of tun::Driver's loop.
  void work() {
    stack_->advance(now_);
    while (const std::optional<Event> event = stack_->poll_event()) handle(*event);
    read();
    TxFrame frame;
    while (stack_->poll_transmit(frame, now_)) {
      std::vector<std::uint8_t> packet(frame.size());
      frame.copy_to(packet);
      std::cout << "out "
                << std::chrono::duration_cast<microseconds>(now_.time_since_epoch()).count() << ' '
                << hex_of(packet) << '\n';
    }
  }

  void handle(const Event& event) {
    switch (event.kind) {
      case EventKind::Incoming:
        if (connection_) break;
        if (const auto accepted = stack_->accept(event.listener)) connection_ = *accepted;
        break;
      case EventKind::Error:
        std::cout << "app error " << event.error.message() << '\n';
        break;
      default:
        break;
    }
  }

  void read() {
    if (!connection_ || !is_reading_ || is_closed_ || has_ended_) return;
    std::vector<std::uint8_t> into(65536);
    for (auto got = stack_->read(*connection_, into); got; got = stack_->read(*connection_, into)) {
      if (*got == 0) {
        has_ended_ = true;
        std::cout << "app end\n";
        return;
      }
      std::cout << "app read " << *got << '\n';
    }
  }

  static std::vector<std::uint8_t> octets_of(const std::string& hex) {
    std::vector<std::uint8_t> octets;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
      octets.push_back(static_cast<std::uint8_t>(std::stoul(hex.substr(i, 2), nullptr, 16)));
    }
    return octets;
  }

  static std::string hex_of(Bytes octets) {
    constexpr char kDigits[] = "0123456789abcdef";
    std::string hex;
    for (const std::uint8_t octet : octets) {
      hex += kDigits[octet >> 4U];
      hex += kDigits[octet & 15U];
    }
    return hex;
  }

  Config config_;
  SeededRandom random_{1};
  Instant now_{std::chrono::seconds(1)};
  std::optional<Stack> stack_;
  std::optional<ListenerId> listener_;
  std::optional<ConnectionId> connection_;
  bool is_reading_ = true;
  bool is_closed_ = false;
  bool has_ended_ = false;
};

}  // namespace

int main() {
  Host host;
  std::string line;
  while (std::getline(std::cin, line)) {
    if (!host.command(line)) std::cout << "app not understood: " << line << '\n';
    std::cout << "." << std::endl;
  }
}
