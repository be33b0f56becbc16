#include "tests/support/simulation/application.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "runnel/random.h"
#include "tests/support/simulation/failure.h"

namespace runnel::test {

Bytes Pattern::at(std::uint32_t stream, std::uint64_t offset, std::size_t octets) {
  static const std::vector<std::uint8_t> table = [] {
    std::vector<std::uint8_t> filled(kPeriod + kMostAtOnce);
    SeededRandom random(kPeriod);
    for (std::size_t i = 0; i < kPeriod; ++i) filled[i] = static_cast<std::uint8_t>(random.next());
    std::copy_n(filled.begin(), kMostAtOnce - kPeriod,
                filled.begin() + static_cast<std::ptrdiff_t>(2 * kPeriod));
    std::copy_n(filled.begin(), kPeriod, filled.begin() + static_cast<std::ptrdiff_t>(kPeriod));
    return filled;
  }();
  const std::size_t begin = (offset + std::uint64_t{stream} * 7919) % kPeriod;
  return Bytes(table).subspan(begin, std::min(octets, kMostAtOnce));
}

void Application::on_connected(TcpCalls& tcp, Instant now) {
  if (tcp_ != nullptr) throw SimulationFailure("connected twice");
  tcp_ = &tcp;
  connected_at_ = now;
  may_write_ = may_read_ = true;
  if (script_.congestion_control) tcp.set_congestion_control(*script_.congestion_control);
  if (!is_orderly(script_.ending)) wake_at(now + script_.ending_after);
}

void Application::on_closed() {
  if (is_closed_) throw SimulationFailure("closed twice");
  is_closed_ = true;
  if (!is_given_up_ && tcp_ != nullptr) {
    take(SIZE_MAX);  // what came before the end is still there to be read
    give_connection_up(false);
  }
}

void Application::work(Instant now) {
  if (tcp_ == nullptr || is_given_up_) return;
  if (deadline_ <= now) deadline_ = kNever;
  read(now);
  write(now);
  if (is_orderly(script_.ending)) {
    end(now);
  } else {
    end_in_disorder(now);
  }
}

void Application::read(Instant now) {
  while (may_read_ && !has_read_end_) {
    if (now < next_read_) return wake_at(next_read_);
    std::size_t most = script_.read_octets > 0 ? script_.read_octets : SIZE_MAX;
    if (script_.ending == Ending::CloseWithUnread) {
      if (received_ >= script_.ending_at) return;
      most = std::min<std::size_t>(most, script_.ending_at - received_);
    }
    if (script_.pause > Duration{0} && !has_paused_) {
      if (received_ >= script_.pause_at) {
        has_paused_ = true;
        next_read_ = now + script_.pause;
        return wake_at(next_read_);
      }
      most = std::min<std::size_t>(most, script_.pause_at - received_);
    }
    const std::uint64_t before = received_;
    take(most);
    if (received_ == before) {
      may_read_ = false;
      if (tcp_->is_at_end()) {
        if (!has_seen_end_event_) throw SimulationFailure("the end was read before its event");
        has_read_end_ = true;
      }
    } else if (script_.read_interval > Duration{0}) {
      next_read_ = now + script_.read_interval;
    }
  }
}

// Reads up to `most` octets, and compares them with what the peer writes.
void Application::take(std::size_t most) {
  while (most > 0) {
    Bytes octets = tcp_->received();
    if (octets.empty()) return;
    octets = octets.first(std::min({octets.size(), most, Pattern::kMostAtOnce}));
    const Bytes wanted = Pattern::at(incoming_, received_, octets.size());
    if (std::memcmp(octets.data(), wanted.data(), octets.size()) != 0) {
      throw SimulationFailure("received other octets than were sent, at " +
                              std::to_string(received_));
    }
    tcp_->consume(octets.size());
    received_ += octets.size();
    most -= octets.size();
    if (received_ > expected_) throw SimulationFailure("received more octets than were sent");
  }
}

// How many octets may have been written by now, in all.
std::uint64_t Application::write_limit() const noexcept {
  if (script_.turn_octets == 0) return script_.octets;
  const std::uint64_t peer_turns =
      received_ >= expected_ ? UINT32_MAX
                             : received_ / std::max<std::uint64_t>(1, script_.peer_turn_octets);
  return std::min(script_.octets,
                  (peer_turns + (script_.speaks_first ? 1U : 0U)) * script_.turn_octets);
}

void Application::write(Instant now) {
  while (may_write_ && !error_ && written_ < write_limit()) {
    if (now < next_write_) return wake_at(next_write_);
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(
        {script_.write_octets, Pattern::kMostAtOnce, write_limit() - written_}));
    const std::size_t taken = tcp_->write(Pattern::at(outgoing_, written_, wanted));
    written_ += taken;
    change_control();
    if (taken < wanted) may_write_ = false;
    if (script_.write_interval > Duration{0}) next_write_ = now + script_.write_interval;
  }
}

void Application::change_control() {
  const auto& next = script_.next_congestion_control;
  if (!next || has_changed_control_ || written_ < script_.next_congestion_control_at) return;
  has_changed_control_ = true;
  tcp_->set_congestion_control(*next);
}

void Application::end(Instant) {
  const bool has_written = written_ == script_.octets;
  if (!has_written || error_) return;
  switch (script_.ending) {
    case Ending::ShutdownThenClose:
      if (!is_shut_down_) {
        is_shut_down_ = true;
        tcp_->shutdown_write();
      }
      if (has_read_end_) give_connection_up(false);
      break;
    case Ending::CloseAtEnd:
      if (has_read_end_) give_connection_up(false);
      break;
    case Ending::CloseWhenDone:
      if (received_ == expected_ || has_read_end_) give_connection_up(false);
      break;
    case Ending::CloseWithUnread:
    case Ending::Abort:
      break;
  }
}

void Application::end_in_disorder(Instant now) {
  const bool is_late = now >= connected_at_ + script_.ending_after;
  if (!is_late) wake_at(connected_at_ + script_.ending_after);
  if (script_.ending == Ending::Abort && (is_late || received_ >= script_.ending_at)) {
    give_connection_up(true);
  } else if (script_.ending == Ending::CloseWithUnread && is_late) {
    give_connection_up(false);
  }
}

void Application::give_connection_up(bool reset) {
  is_given_up_ = true;
  deadline_ = kNever;
  if (reset) {
    tcp_->abort();
  } else {
    tcp_->close();
  }
}

void Application::give_up() {
  if (tcp_ != nullptr && !is_given_up_) give_connection_up(true);
}

std::string Application::describe() const {
  std::string text = "written " + std::to_string(written_) + " of " +
                     std::to_string(script_.octets) + ", received " + std::to_string(received_) +
                     " of " + std::to_string(expected_);
  if (tcp_ == nullptr) text += ", never connected";
  if (is_shut_down_) text += ", shut down";
  if (has_read_end_) text += ", read the end";
  if (is_given_up_) text += ", given up";
  if (is_closed_) text += ", closed";
  if (error_) text += ", error: " + error_.message();
  return text;
}

}  // namespace runnel::test
