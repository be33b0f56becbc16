// Static files below one directory, and nothing outside of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>

#include "runnel/bytes.h"
#include "runnel/unique_fd.h"

namespace runnel::apps {

// A part of an open file that waits to be sent. Holds no octets, so it may be of any size.
struct FileRange {
  tun::UniqueFd descriptor;
  std::uint64_t offset = 0;  // of the next octet to send
  std::uint64_t remaining = 0;

  // Reads from `offset` into `out`, at most `remaining`. Returns how many octets came; 0 when the
  // file is shorter than it was, or cannot be read. Moves nothing: see advance().
  [[nodiscard]] std::size_t read(MutableBytes out) const noexcept;
  void advance(std::size_t octets) noexcept {
    offset += octets;
    remaining -= octets;
  }
};

struct OpenedFile {
  enum class Outcome : std::uint8_t {
    File,
    MissingSlash,  // a directory that has an index.html, named without its final slash
    NotFound,      // or outside of the root, or not a regular file: the peer is not told which
    Forbidden,     // this process may not read it
    Unavailable,   // this process has no descriptor left
  };

  Outcome outcome = Outcome::NotFound;
  tun::UniqueFd descriptor;
  std::uint64_t size_octets = 0;
  std::time_t modified = 0;
  std::string entity_tag;  // quoted, strong: RFC 9110 section 8.8.3
  std::string_view content_type;
};

// A directory that is served.
//
// Containment is the kernel's work: openat2(2) with RESOLVE_BENEATH refuses every resolution that
// leaves the directory, by "..", by absolute or relative symbolic link, or by a rename in between.
class StaticFiles {
 public:
  // Throws std::system_error when `root` is not a directory that can be opened, or when the
  // kernel has no openat2.
  explicit StaticFiles(const std::string& root);

  // Opens what `path` names, a decoded path from decode_path(). A directory means its index.html.
  [[nodiscard]] OpenedFile open(std::string_view path) const;

 private:
  tun::UniqueFd root_;
};

// The media type that a file's name suggests.
[[nodiscard]] std::string_view content_type_of(std::string_view path) noexcept;

}  // namespace runnel::apps
