#include "apps/http_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

namespace runnel::apps {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 22> kTypes{{
    {"html", "text/html; charset=utf-8"},
    {"htm", "text/html; charset=utf-8"},
    {"css", "text/css; charset=utf-8"},
    {"js", "text/javascript; charset=utf-8"},
    {"mjs", "text/javascript; charset=utf-8"},
    {"json", "application/json"},
    {"txt", "text/plain; charset=utf-8"},
    {"md", "text/markdown; charset=utf-8"},
    {"csv", "text/csv; charset=utf-8"},
    {"xml", "application/xml"},
    {"svg", "image/svg+xml"},
    {"png", "image/png"},
    {"jpg", "image/jpeg"},
    {"jpeg", "image/jpeg"},
    {"gif", "image/gif"},
    {"webp", "image/webp"},
    {"ico", "image/x-icon"},
    {"woff2", "font/woff2"},
    {"pdf", "application/pdf"},
    {"wasm", "application/wasm"},
    {"mp4", "video/mp4"},
    {"gz", "application/gzip"},
}};

// Opens `path` without leaving the directory `root`; -1 and errno when that cannot be done.
// O_NONBLOCK keeps the name of a FIFO from stopping the whole server.
int open_beneath(int root, const std::string& path) noexcept {
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  constexpr int kAttempts = 8;  // EAGAIN: something was renamed during the resolution
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const long descriptor = ::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how);
    if (descriptor >= 0) return static_cast<int>(descriptor);
    if (errno != EAGAIN && errno != EINTR) break;
  }
  return -1;
}

OpenedFile::Outcome outcome_of(int error) noexcept {
  switch (error) {
    case EACCES:
    case EPERM:
      return OpenedFile::Outcome::Forbidden;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return OpenedFile::Outcome::Unavailable;
    default:
      return OpenedFile::Outcome::NotFound;
  }
}

std::string entity_tag_of(const struct stat& status) {
  return fmt::format("\"{:x}-{:x}-{:x}.{:x}\"", status.st_ino, status.st_size,
                     status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
}

}  // namespace

std::size_t FileRange::read(MutableBytes out) const noexcept {
  const std::size_t wanted =
      static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), remaining));
  for (;;) {
    const ssize_t count = ::pread(descriptor.get(), out.data(), wanted, static_cast<off_t>(offset));
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno != EINTR) return 0;
  }
}

StaticFiles::StaticFiles(const std::string& root)
    : root_(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)) {
  if (!root_) throw std::system_error(errno, std::generic_category(), "cannot serve " + root);
  if (!tun::UniqueFd(open_beneath(root_.get(), "."))) {
    throw std::system_error(errno, std::generic_category(), "cannot serve " + root);
  }
}

OpenedFile StaticFiles::open(std::string_view path) const {
  OpenedFile opened;
  const bool names_directory = path.empty() || path.back() == '/';
  const std::size_t first = std::min(path.find_first_not_of('/'), path.size());
  std::string relative(path.substr(first));
  if (names_directory) relative += "index.html";

  tun::UniqueFd descriptor(open_beneath(root_.get(), relative));
  struct stat status {};
  if (!descriptor || ::fstat(descriptor.get(), &status) != 0) {
    opened.outcome = outcome_of(errno);
    return opened;
  }
  if (S_ISDIR(status.st_mode) && !names_directory) {
    OpenedFile index = open(relative + "/");
    if (index.outcome == OpenedFile::Outcome::File) {
      opened.outcome = OpenedFile::Outcome::MissingSlash;
    }
    return opened;
  }
  if (!S_ISREG(status.st_mode)) return opened;

  opened.outcome = OpenedFile::Outcome::File;
  opened.descriptor = std::move(descriptor);
  opened.size_octets = static_cast<std::uint64_t>(status.st_size);
  opened.modified = status.st_mtim.tv_sec;
  opened.entity_tag = entity_tag_of(status);
  opened.content_type = content_type_of(relative);
  return opened;
}

std::string_view content_type_of(std::string_view path) noexcept {
  const std::string_view name = path.substr(path.find_last_of('/') + 1);
  const std::size_t dot = name.find_last_of('.');
  if (dot != std::string_view::npos) {
    const std::string_view extension = name.substr(dot + 1);
    for (const auto& [known, type] : kTypes) {
      if (extension == known) return type;
    }
  }
  return "application/octet-stream";
}

}  // namespace runnel::apps
