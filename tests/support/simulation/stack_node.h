// A host of the simulated network that runs a Stack.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "runnel/random.h"
#include "runnel/stack.h"
#include "tests/support/simulation/application.h"
#include "tests/support/simulation/node.h"

namespace runnel::test {

// Theory of operation. It stands between the stack's events and the applications, and asks the
// stack after every frame for what it knows about the connection that sent it:
//
// INVARIANT: what was acknowledged was sent, and what is in flight, SACKed or lost lies between.
// INVARIANT: new data leave only while the congestion window has room for them: beyond it two
//            segments by limited transmit (RFC 3042), and whatever a tail loss probe takes. In a
//            recovery, which reduces what is in flight little by little (RFC 9937), the window is
//            that from before it, or from when another controller took over.
class StackNode final : public SimNode {
 public:
  // `trace` may be null; otherwise it must outlive the node.
  StackNode(const Config& config, std::uint64_t seed, const IpAddress& address,
            const IpAddress& peer, Instant now, TraceSink* trace = nullptr);

  void listen() override;
  void stop_listening() override;
  void host(std::uint16_t index, Application& application, std::optional<Instant> open_at) override;
  void advance(Instant now) override { stack_.advance(now); }
  void receive(Bytes packet, const PacketMeta& meta, Instant now) override {
    stack_.receive(packet, now, meta);
  }
  void run_applications(Instant now) override;
  [[nodiscard]] bool poll_transmit(TxFrame& frame, Instant now) override;
  [[nodiscard]] Instant next_deadline() const override;
  void set_checking(bool checking) override { is_checking_ = checking; }
  void check_invariants() override;
  [[nodiscard]] std::string find_leftovers() const override;

  [[nodiscard]] Stack& stack() noexcept { return stack_; }
  [[nodiscard]] Result<TcpInfo> info(std::uint16_t index) const {
    return stack_.info(sockets_[index].id);
  }

 private:
  // One application's connection.
  class Socket final : public TcpCalls {
   public:
    Socket(Stack& stack, Application& app, std::optional<Instant> open_when)
        : application(app), open_at(open_when), stack_(stack) {}

    [[nodiscard]] std::size_t write(Bytes octets) override;
    [[nodiscard]] Bytes received() override;
    void consume(std::size_t octets) override;
    [[nodiscard]] bool is_at_end() override;
    void shutdown_write() override;
    void close() override { (void)stack_.close(id); }
    void abort() override { (void)stack_.abort(id); }
    void set_congestion_control(CongestionAlgorithm algorithm) override;

    Application& application;
    std::optional<Instant> open_at;
    ConnectionId id;
    std::uint64_t octets_sent = 0;
    std::uint32_t tail_loss_probes = 0;
    std::uint64_t flight_before_recovery = 0;                               // in octets
    CongestionAlgorithm congestion_control = CongestionAlgorithm::NewReno;  // as last seen

   private:
    Stack& stack_;
  };

  void open(Socket& socket, std::uint16_t index, Instant now);
  void accept_all(ListenerId listener, Instant now);
  void handle(const Event& event, Instant now);
  [[nodiscard]] Socket* socket_of(ConnectionId id);
  void check_transmitted(const TxFrame& frame);

  SeededRandom random_;
  TcpConfig tcp_config_;
  Stack stack_;
  IpAddress peer_;
  bool is_client_;
  std::size_t memory_at_start_;
  std::optional<ListenerId> listener_;
  std::deque<Socket> sockets_;  // by number
  bool is_checking_ = true;
};

}  // namespace runnel::test
