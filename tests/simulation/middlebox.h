// A router before the server that rewrites what it should leave alone, or drops what it does not
// know.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "tests/support/simulation/node.h"

namespace runnel::test {

// Packets of both directions pass through `rewrite`, which returns false for what is dropped and
// may change whatever it likes: checksums are made right behind it.
class Middlebox final : public SimNode {
 public:
  using Rewrite = std::function<bool(MutableBytes packet, bool to_server)>;

  Middlebox(std::unique_ptr<SimNode> server, Rewrite rewrite)
      : server_(std::move(server)), rewrite_(std::move(rewrite)) {}

  void listen() override { server_->listen(); }
  void stop_listening() override { server_->stop_listening(); }
  void host(std::uint16_t index, Application& application,
            std::optional<Instant> open_at) override {
    server_->host(index, application, open_at);
  }
  void advance(Instant now) override { server_->advance(now); }
  void receive(Bytes packet, const PacketMeta& meta, Instant now) override;
  void run_applications(Instant now) override { server_->run_applications(now); }
  [[nodiscard]] bool poll_transmit(TxFrame& frame, Instant now) override;
  [[nodiscard]] Instant next_deadline() const override { return server_->next_deadline(); }
  void check_invariants() override { server_->check_invariants(); }
  [[nodiscard]] std::string find_leftovers() const override { return server_->find_leftovers(); }

  [[nodiscard]] SimNode& server() noexcept { return *server_; }

 private:
  std::unique_ptr<SimNode> server_;
  Rewrite rewrite_;
  std::vector<std::uint8_t> packet_;
};

}  // namespace runnel::test
