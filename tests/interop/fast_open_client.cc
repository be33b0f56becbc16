// Opens connections by TCP Fast Open, one after another, to a server in the kernel; see
// fast_open_test.py. Each sends a request and prints what comes back until the server has ended.
//
//    fast_open_client DEVICE CAPTURE PORT REQUEST...
//
// The stack is 192.0.2.2, the kernel 192.0.2.1.
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "apps/host.h"
#include "runnel/tcp_socket.h"

namespace {

using namespace runnel;

int run(const std::vector<std::string>& arguments) {
  apps::LinkOptions link;
  link.device = arguments[0];
  link.capture_path = arguments[1];
  link.peer = IpAddress(192, 0, 2, 1);
  const Endpoint server{*link.peer, static_cast<std::uint16_t>(std::stoul(arguments[2]))};
  apps::Host host(link);
  ConnectOptions options;
  options.tcp = TcpConfig{};
  options.tcp->fast_open = true;

  for (std::size_t i = 3; i < arguments.size(); ++i) {
    Result<TcpSocket> socket = host.sockets().connect(server, options);
    if (!socket) return EXIT_FAILURE;
    bool is_over = false;
    socket->on(events::data, [](Bytes octets) {
      std::cout.write(reinterpret_cast<const char*>(octets.data()),
                      static_cast<std::streamsize>(octets.size()));
    });
    socket->on(events::error, [](std::error_code error) { std::cerr << error.message() << '\n'; });
    socket->on(events::close, [&] { is_over = true; });
    // Before the stack had a chance to send its SYN.
    const std::string& request = arguments[i];
    const std::vector<std::uint8_t> octets(request.begin(), request.end());
    if (!socket->write(octets)) return EXIT_FAILURE;
    while (!is_over) host.driver().run_once(std::chrono::milliseconds(100));
  }
  const Counters& counters = host.stack().counters();
  std::cout << "\nfast opens " << counters.tcp_fast_opens_active << '\n';
  return EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) return 2;
  return run(std::vector<std::string>(argv + 1, argv + argc));
}
