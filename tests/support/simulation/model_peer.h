// A host of the simulated network that runs the model TCP, with an IP of its own.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/simulation/model_tcp.h"
#include "tests/support/simulation/node.h"

namespace runnel::test {

// Reads and writes its packets by itself: nothing of what it says passed through the stack's code.
class ModelPeer final : public SimNode {
 public:
  ModelPeer(std::uint16_t mtu_octets, EcnMode ecn, std::uint64_t seed, const IpAddress& address,
            const IpAddress& peer);

  void listen() override;
  void stop_listening() override;
  void host(std::uint16_t index, Application& application, std::optional<Instant> open_at) override;
  void advance(Instant now) override;
  void receive(Bytes packet, const PacketMeta& meta, Instant now) override;
  void run_applications(Instant now) override;
  [[nodiscard]] bool poll_transmit(TxFrame& frame, Instant now) override;
  [[nodiscard]] Instant next_deadline() const override;
  void check_invariants() override;
  [[nodiscard]] std::string find_leftovers() const override;

  [[nodiscard]] const ModelEcn& ecn(std::size_t index) const { return sockets_[index].tcp.ecn(); }

 private:
  struct Socket {
    Socket(Application& app, const ModelTcp::Options& options, std::optional<Instant> open_when)
        : application(app), tcp(app, options), open_at(open_when) {}
    Application& application;
    ModelTcp tcp;
    std::optional<Instant> open_at;
  };

  [[nodiscard]] Socket* socket_at(std::size_t index);
  void tcp_arrives(Bytes segment, unsigned ip_ecn, Instant now);
  void icmp_arrives(Bytes message);
  void write(TxFrame& frame, std::size_t index, const ModelSegment& segment);

  bool is_client_;
  std::uint32_t address_;
  std::uint32_t peer_;
  ModelTcp::Options options_;
  std::uint16_t identification_ = 0;
  std::deque<Socket> sockets_;  // by number
  struct Reply {
    std::size_t index;
    ModelSegment segment;
  };
  std::deque<Reply> replies_;  // of CLOSED
  std::vector<std::uint8_t> text_;
};

}  // namespace runnel::test
