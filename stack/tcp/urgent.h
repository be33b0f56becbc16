// Urgent data, both directions: RFC 9293 section 3.8.5, RFC 6093.
#pragma once

#include <cstdint>
#include <optional>

#include "runnel/bytes.h"
#include "runnel/config.h"
#include "stack/wire/seq_num.h"
#include "stack/wire/tcp.h"

namespace runnel::tcp {

using wire::SeqNum;

// The sender's side: SND.UP.
//
// The mark lies behind the last urgent octet. Every segment that begins before it carries the URG
// bit and the distance to it, retransmissions and bare acknowledgments too, so that the peer hears
// of urgent data as early as it can, also while its window is closed.
class UrgentSender {
 public:
  explicit UrgentSender(UrgentPointer reading) noexcept : reading_(reading) {}

  // What is urgent ends before `mark`, which only moves forward.
  void set_mark(SeqNum mark) noexcept { mark_ = mark; }

  // Whether a segment that begins at `seq` is to carry URG.
  [[nodiscard]] bool is_urgent(SeqNum seq) const noexcept { return mark_ && seq < *mark_; }
  // Sets URG and the pointer of a segment, if need be. A mark further away than the field can tell
  // is told by a later segment.
  void announce(wire::TcpHeader& header) const noexcept;
  // Octets before `una` are acknowledged.
  void acknowledged(SeqNum una) noexcept {
    if (mark_ && *mark_ <= una) mark_.reset();
  }

  template <typename Archive>
  void archive(Archive& archive) {
    archive(mark_);
  }

 private:
  UrgentPointer reading_;
  std::optional<SeqNum> mark_;  // SND.UP
};

// The receiver's side: RCV.UP, and the octet that is taken out of the stream if the application
// does not want it there. Positions are 64-bit offsets in the incoming stream.
//
//      read        mark - 1  mark
//   ----|---------------|-----|-------
//        unread, urgent  ^ the octet that goes out of line
class UrgentReceiver {
 public:
  UrgentReceiver(bool is_inline, UrgentPointer reading) noexcept
      : is_inline_(is_inline), reading_(reading) {}

  // SEG.UP: the sequence number behind the last urgent octet.
  [[nodiscard]] SeqNum mark_of(SeqNum seq, std::uint16_t pointer) const noexcept {
    return seq + pointer + (reading_ == UrgentPointer::Rfc1011 ? 1U : 0U);
  }

  // A segment says that urgent data end before `mark`. The application has read up to `read`, and
  // everything up to `received` is here. Returns whether that is news.
  [[nodiscard]] bool mark_arrives(std::uint64_t mark, std::uint64_t read,
                                  std::uint64_t received) noexcept;
  // Text that begins at `offset` is about to be queued: the octet out of line may be in it.
  void text_arrives(std::uint64_t offset, Bytes text) noexcept;

  // How many octets are unread, here or not, up to the mark.
  [[nodiscard]] std::uint64_t octets_from(std::uint64_t read) const noexcept {
    return mark_ > read ? mark_ - read : 0;
  }

  // Where in the stream an octet is to be skipped. The stream is read up to there, then skipped().
  [[nodiscard]] std::optional<std::uint64_t> gap() const noexcept { return gap_; }
  void skipped() noexcept { gap_.reset(); }
  // The octet out of line, once.
  [[nodiscard]] std::optional<std::uint8_t> take_octet() noexcept;

  template <typename Archive>
  void archive(Archive& archive) {
    archive(mark_, gap_, awaited_, octet_);
  }

 private:
  bool is_inline_;
  UrgentPointer reading_;
  std::uint64_t mark_ = 0;  // RCV.UP
  std::optional<std::uint64_t> gap_;
  std::optional<std::uint64_t> awaited_;  // the offset of the octet, until its text has come
  std::optional<std::uint8_t> octet_;
};

}  // namespace runnel::tcp
