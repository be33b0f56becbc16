// How an impairment is written on the command line.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "runnel/impairment.h"
#include "runnel/time.h"

namespace runnel::apps {

// The impairment, or why the text is none.
struct ImpairmentText {
  tun::Impairment impairment;
  std::string refused;  // empty: it was understood
};

// Reads a list such as "delay=20ms,loss=1%,rate=200mbit,queue=500,seed=7".
//
//    delay, jitter                          a number and us, ms or s
//    loss, reorder, dup, corrupt, mark      a number and %, up to 100
//    rate                                   a number and kbit, mbit or gbit
//    queue, seed                            a whole number
[[nodiscard]] ImpairmentText parse_impairment(std::string_view text);

// A time as it is written there; nothing when it is none, or more than an hour.
[[nodiscard]] std::optional<Duration> parse_duration(std::string_view text);

}  // namespace runnel::apps
