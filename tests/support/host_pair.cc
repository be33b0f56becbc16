#include "tests/support/host_pair.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

#include "stack/wire/format.h"
#include "stack/wire/ipv4.h"
#include "tests/support/oracle.h"
#include "tests/support/packet_check.h"
#include "tests/support/test_defaults.h"

namespace runnel::test {
namespace {

constexpr std::size_t kPacketsPrintedOnFailure = 20;
// A host that asks to be woken at the same instant this often does nothing but ask.
constexpr int kMostStepsAtOneInstant = 100'000;

Config configured(Config config, const HostPairOptions& options) {
  config.mtu_octets = options.mtu_octets;
  config.checksum_offload = options.offload;
  config.tcp_segmentation_offload = options.offload;
  if (hibernates_at_once()) config.awake_connections = 0;
  return config;
}

}  // namespace

Host::Host(const Config& config, std::uint64_t seed, const IpPrefix& prefix)
    : random(seed), stack(config, random, &states), sockets(stack), address(prefix.address) {
  const Result<void> added = stack.add_address(prefix);
  if (!added) ADD_FAILURE() << "add_address: " << added.error().message();
}

HostPair::HostPair(const HostPairOptions& options)
    : options_(options),
      client_(std::make_unique<Host>(configured(options.client, options), options.seed * 3 + 1,
                                     IpPrefix{IpAddress(192, 0, 2, 1), 24})),
      server_(std::make_unique<Host>(configured(options.server, options), options.seed * 3 + 2,
                                     IpPrefix{IpAddress(192, 0, 2, 2), 24})),
      link_random_(options.seed * 3),
      had_failure_before_(::testing::Test::HasFailure()) {
  client_->stack.advance(now_);
  server_->stack.advance(now_);
}

HostPair::~HostPair() {
  if (!had_failure_before_ && ::testing::Test::HasFailure()) {
    std::fprintf(stderr, "seed %llu, virtual time %.9f s, %zu packets; the last of them:\n%s",
                 static_cast<unsigned long long>(options_.seed),
                 std::chrono::duration<double>(now_.time_since_epoch()).count(), packet_count_,
                 describe_trace(kPacketsPrintedOnFailure).c_str());
  }
}

void HostPair::drop_if(std::function<bool(Bytes)> predicate) {
  filter_ = [predicate = std::move(predicate)](Direction, std::vector<std::uint8_t>& packet) {
    return !predicate(packet);
  };
}

bool HostPair::step() {
  work();
  const Instant next = next_instant();
  if (next == kNever) return false;
  now_ = std::max(now_, next);
  work();
  return true;
}

void HostPair::run_for(Duration duration) {
  const Instant end = now_ + duration;
  (void)run_until([] { return false; }, duration);
  now_ = end;
  work();
}

bool HostPair::run_until_idle(Duration limit) {
  const Instant end = now_ + limit;
  (void)run_until([] { return false; }, limit);
  return next_instant() == kNever && now_ <= end;
}

bool HostPair::run_until(const std::function<bool()>& condition, Duration limit) {
  const Instant end = now_ + limit;
  int steps_here = 0;
  for (;;) {
    work();
    if (condition()) return true;
    const Instant next = next_instant();
    if (next == kNever || next > end) return false;
    if (next > now_) {
      now_ = next;
      steps_here = 0;
    } else if (++steps_here > kMostStepsAtOneInstant) {
      ADD_FAILURE() << "the hosts do not let time go on:\n" << describe_trace();
      return false;
    }
  }
}

void HostPair::work() {
  work(*client_, Direction::ToClient, Direction::ToServer);
  work(*server_, Direction::ToServer, Direction::ToClient);
}

void HostPair::work(Host& host, Direction in, Direction out) {
  host.stack.advance(now_);
  auto& arriving = in == Direction::ToServer ? to_server_ : to_client_;
  while (!arriving.empty() && arriving.top().arrival <= now_) {
    const Flight& flight = arriving.top();
    host.stack.receive(flight.octets, now_, flight.meta);
    arriving.pop();
  }
  host.sockets.dispatch();
  TxFrame frame;
  while (host.stack.poll_transmit(frame, now_)) send(frame, out);
}

Instant HostPair::next_instant() const {
  Instant next = std::min(client_->stack.next_deadline(), server_->stack.next_deadline());
  if (!to_server_.empty()) next = std::min(next, to_server_.top().arrival);
  if (!to_client_.empty()) next = std::min(next, to_client_.top().arrival);
  return next;
}

void HostPair::send(const TxFrame& frame, Direction direction) {
  std::vector<std::uint8_t> octets(frame.size());
  frame.copy_to(octets);
  check(octets, frame.meta);
  const Host& sender = direction == Direction::ToServer ? *client_ : *server_;
  if (const auto ip = wire::Ipv4View::parse(octets); ip && ip->source() != sender.address) {
    ADD_FAILURE() << "not from the host's own address: " << wire::format_packet(octets);
  }
  record(octets, direction);

  PacketMeta meta;
  if (frame.meta.checksum == ChecksumStatus::Partial) meta.checksum = ChecksumStatus::Verified;
  meta.gso_size_octets = frame.meta.gso_size_octets;

  // Dice are rolled for every packet, also for those that a filter takes: the same seed then means
  // the same fate whatever the filter does.
  const bool lost = chance(options_.loss_per_mille);
  const bool duplicated = chance(options_.duplicates_per_mille);
  if (!link_up_ || (filter_ && !filter_(direction, octets)) || lost) return;
  if (duplicated) launch(octets, meta, direction);
  launch(std::move(octets), meta, direction);
}

void HostPair::check(const std::vector<std::uint8_t>& octets, const PacketMeta& meta) {
  largest_packet_ = std::max<std::uint64_t>(largest_packet_, octets.size());
  if (const auto fault = find_fault(octets, meta, options_.mtu_octets)) {
    ADD_FAILURE() << *fault << ": " << wire::format_packet(octets);
  }
  if (const auto fault = invariants_.observe(octets)) {
    ADD_FAILURE() << *fault << ": " << wire::format_packet(octets);
  }
  if (options_.check_with_libtins) expect_same_meaning_in_libtins(octets, meta.checksum);
}

void HostPair::record(const std::vector<std::uint8_t>& octets, Direction direction) {
  const auto add = [this](std::uint8_t octet) { digest_ = (digest_ ^ octet) * 1099511628211U; };
  const auto time = static_cast<std::uint64_t>(now_.time_since_epoch().count());
  for (unsigned shift = 0; shift < 64; shift += 8) add(static_cast<std::uint8_t>(time >> shift));
  add(static_cast<std::uint8_t>(direction));
  for (const std::uint8_t octet : octets) add(octet);

  ++packet_count_;
  trace_.push_back({now_, direction, octets});
  if (!options_.keep_whole_trace && trace_.size() > kPacketsPrintedOnFailure) trace_.pop_front();
}

void HostPair::launch(std::vector<std::uint8_t> octets, const PacketMeta& meta,
                      Direction direction) {
  Instant arrival = now_ + options_.one_way_delay;
  if (chance(options_.reordering_per_mille)) {
    const auto most = static_cast<std::uint64_t>(options_.reordering_delay.count());
    arrival += Duration(static_cast<Duration::rep>(link_random_.below(most + 1)));
  }
  auto& queue = direction == Direction::ToServer ? to_server_ : to_client_;
  queue.push({arrival, next_order_++, direction, std::move(octets), meta});
}

bool HostPair::chance(std::uint32_t per_mille) {
  return per_mille != 0 && link_random_.below(1000) < per_mille;
}

std::string HostPair::describe_trace(std::size_t most) const {
  std::string text;
  const std::size_t first = trace_.size() > most ? trace_.size() - most : 0;
  for (std::size_t i = first; i < trace_.size(); ++i) {
    const TracedPacket& packet = trace_[i];
    char time[32];
    std::snprintf(time, sizeof time, "%.9f ",
                  std::chrono::duration<double>(packet.at.time_since_epoch()).count());
    text += time;
    text += packet.direction == Direction::ToServer ? "-> " : "<- ";
    text += wire::format_packet(packet.octets);
    text += '\n';
  }
  return text;
}

}  // namespace runnel::test
