// Functions that are to run at a time.
#pragma once

#include <functional>
#include <map>
#include <utility>

#include "runnel/time.h"

namespace runnel::tun {

// Each runs once; those that are due together run in the order of their times, and equal times in
// the order of the calls.
class TimedFunctions {
 public:
  void add(Instant at, std::function<void()> function) {
    waiting_.emplace(at, std::move(function));
  }

  // When the next one is due; kNever when there is none.
  [[nodiscard]] Instant next_deadline() const noexcept {
    return waiting_.empty() ? kNever : waiting_.begin()->first;
  }

  // Runs what is due; a function may add others. Returns whether there was something.
  bool run(Instant now) {
    bool any = false;
    while (next_deadline() <= now) {
      const auto due = waiting_.extract(waiting_.begin());
      due.mapped()();
      any = true;
    }
    return any;
  }

 private:
  std::multimap<Instant, std::function<void()>> waiting_;
};

}  // namespace runnel::tun
