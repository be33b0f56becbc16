// A connection at rest, as small as it gets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "runnel/bytes.h"
#include "runnel/time.h"

namespace runnel::tcp {

// Theory of operation. A connection is large: loss recovery, congestion control, path MTU search,
// ECN and the rest of it take three kilobytes. Of most connections of a busy host nothing is in
// flight and nothing waits, and then nearly all of that is zero, or small, or follows from the
// parameters. So such a connection can hibernate: its variables become a record of some two hundred
// octets, and when a segment, a timer or the application asks for it, a Connection is made of them
// again. LISTEN, SYN-RECEIVED and TIME-WAIT have records of their own kind all the time.
//
// The record is exact: nobody, on the wire or at the socket, can tell whether a connection has
// hibernated. See base::Archive for what it looks like.
//
// What the connection was promised by the memory budget stays promised: a record has to be woken
// before it is thrown away.
class IdleRecord {
 public:
  IdleRecord() noexcept = default;
  IdleRecord(Bytes octets, Instant reference);

  [[nodiscard]] bool is_set() const noexcept { return octets_ != nullptr; }
  [[nodiscard]] Bytes octets() const noexcept { return {octets_.get(), size_}; }
  // What times in the record are relative to.
  [[nodiscard]] Instant reference() const noexcept { return reference_; }

 private:
  std::unique_ptr<std::uint8_t[]> octets_;
  std::size_t size_ = 0;
  Instant reference_{};
};

}  // namespace runnel::tcp
