// Who gives memory back when it is spent: RFC 6429, RFC 9293 section 3.8.6.1.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "runnel/handle.h"
#include "runnel/time.h"

namespace runnel::core {

// A peer that acknowledges every window probe and never opens its window may hold a connection, and
// what was written to it, for ever: TCP must not end it by itself (MUST-37). Many such peers are an
// attack on memory (RFC 6429 section 3), and ending their connections is the resource manager's
// business (section 4). So while the budget has room nobody is disturbed; when a write finds it
// spent, connections that have been stuck for a while are aborted, the worst first: who holds
// most, for the longest time.
class PersistCandidates {
 public:
  // Shorter pauses are an application that does not read for a moment.
  static constexpr Duration kLeastAge = std::chrono::seconds(10);
  // Looking at all connections is work: not more often than this.
  static constexpr Duration kInterval = std::chrono::seconds(1);

  // A connection whose peer's window has been closed since `since`, and which holds `octets`.
  void consider(ConnectionId id, Instant since, std::size_t octets, Instant now) {
    if (since == kNever || now - since < kLeastAge || octets == 0) return;
    const double seconds = std::chrono::duration<double>(now - since).count();
    candidates_.push_back({id, static_cast<double>(octets) * seconds});
  }

  // All of them, the worst first.
  [[nodiscard]] std::vector<ConnectionId> worst_first() {
    std::stable_sort(candidates_.begin(), candidates_.end(),
                     [](const Candidate& a, const Candidate& b) { return a.weight > b.weight; });
    std::vector<ConnectionId> ids;
    ids.reserve(candidates_.size());
    for (const Candidate& candidate : candidates_) ids.push_back(candidate.id);
    return ids;
  }

 private:
  struct Candidate {
    ConnectionId id;
    double weight;  // octets times seconds
  };
  std::vector<Candidate> candidates_;
};

}  // namespace runnel::core
