// A host of the simulated network: whatever has a TCP, an address and applications.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "runnel/ip_address.h"
#include "runnel/packet.h"
#include "runnel/time.h"

namespace runnel::test {

class Application;

inline constexpr std::uint16_t kServerPort = 5001;
inline constexpr std::uint16_t kFirstClientPort = 40000;

inline constexpr IpAddress kClientAddress{192, 0, 2, 1};
inline constexpr IpAddress kServerAddress{192, 0, 2, 2};

// Theory of operation. The network calls a node in the order that <runnel/stack.h> asks for:
// advance, receive each packet of a batch, run_applications, poll_transmit until it returns false.
// Connection number i goes from client port kFirstClientPort + i to kServerPort, so that every
// packet and every accepted connection says which application it belongs to.
class SimNode {
 public:
  SimNode() = default;
  SimNode(const SimNode&) = delete;
  SimNode& operator=(const SimNode&) = delete;
  virtual ~SimNode() = default;

  virtual void listen() = 0;
  virtual void stop_listening() = 0;
  // Gives connection `index` to an application, which must outlive the node. A server's application
  // waits for its connection, a client's opens it at `open_at`.
  virtual void host(std::uint16_t index, Application& application,
                    std::optional<Instant> open_at) = 0;

  virtual void advance(Instant now) = 0;
  virtual void receive(Bytes packet, const PacketMeta& meta, Instant now) = 0;
  virtual void run_applications(Instant now) = 0;
  [[nodiscard]] virtual bool poll_transmit(TxFrame& frame, Instant now) = 0;
  // Of timers, applications and connections that are to be opened.
  [[nodiscard]] virtual Instant next_deadline() const = 0;

  // Without checks a node is cheaper, for measurements.
  virtual void set_checking(bool) {}
  // Throws SimulationFailure when something that must always hold does not.
  virtual void check_invariants() = 0;
  // What is there although everything has ended; empty: nothing.
  [[nodiscard]] virtual std::string find_leftovers() const = 0;
};

}  // namespace runnel::test
