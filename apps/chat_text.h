// What people type, made fit for other people's terminals.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace runnel::apps {

// Returns `text` as valid UTF-8 in which nothing can steer a terminal.
//
// Tabs become spaces; other control characters (C0, DEL, C1), line and paragraph separators and
// the characters that turn the direction of writing are left out; octets that are not UTF-8 become
// U+FFFD.
[[nodiscard]] std::string scrub(std::string_view text);

// The longest prefix of `text` of at most `most` octets that does not cut a UTF-8 sequence.
[[nodiscard]] std::string_view cut_to(std::string_view text, std::size_t most) noexcept;

// True for 1 to 24 octets of UTF-8 letters, digits, '-' and '_': anything beyond ASCII is a letter.
[[nodiscard]] bool is_name(std::string_view text);

// Cuts a stream of octets into lines of at most kLimitOctets, ended by LF or CR LF.
//
// Of a longer line the front is kept and the rest is dropped as it comes, so a line without an end
// costs no memory.
class LineSplitter {
 public:
  static constexpr std::size_t kLimitOctets = 1024;

  struct Line {
    std::string text;  // without its end
    bool was_cut = false;
  };

  // Takes octets from the front of `input` until a line is complete. Returns true when one is, and
  // then it is in `line`; false when all of `input` was taken without.
  [[nodiscard]] bool next(std::string_view& input, Line& line);
  // The line that the stream's end completes; false when there is none.
  [[nodiscard]] bool finish(Line& line);

 private:
  void take(std::string_view octets);
  void give(Line& line);

  std::string partial_;
  bool was_cut_ = false;
};

}  // namespace runnel::apps
