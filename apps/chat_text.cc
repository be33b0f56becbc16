#include "apps/chat_text.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace runnel::apps {
namespace {

constexpr std::size_t kNameLimitOctets = 24;
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

struct Decoded {
  char32_t code_point = 0;
  std::size_t octets = 0;  // 0: not UTF-8
};

// Decodes one code point from the front of `text` (RFC 3629). REQUIRES: !text.empty().
Decoded decode(std::string_view text) noexcept {
  const auto octet = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = octet(0);
  if (first < 0x80) return {first, 1};
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return {};
  char32_t code_point = first & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((octet(i) & 0xC0U) != 0x80) return {};
    code_point = (code_point << 6U) | (octet(i) & 0x3FU);
  }
  constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool is_surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
  if (code_point < kSmallest[length] || code_point > 0x10FFFF || is_surrogate) return {};
  return {code_point, length};
}

bool is_forbidden(char32_t c) noexcept {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) ||  // C0, DEL, C1
         c == 0x2028 || c == 0x2029 ||           // line and paragraph separator
         c == 0x061C || c == 0x200E || c == 0x200F || (c >= 0x202A && c <= 0x202E) ||
         (c >= 0x2066 && c <= 0x2069);  // direction of writing
}

bool is_ascii_name_character(char32_t c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

}  // namespace

std::string scrub(std::string_view text) {
  std::string clean;
  clean.reserve(text.size());
  while (!text.empty()) {
    const Decoded next = decode(text);
    if (next.octets == 0) {
      clean += kReplacement;
      text.remove_prefix(1);
      continue;
    }
    if (next.code_point == '\t') {
      clean.push_back(' ');
    } else if (!is_forbidden(next.code_point)) {
      clean += text.substr(0, next.octets);
    }
    text.remove_prefix(next.octets);
  }
  return clean;
}

std::string_view cut_to(std::string_view text, std::size_t most) noexcept {
  if (text.size() <= most) return text;
  std::size_t end = most;
  // A continuation octet behind the cut belongs to a sequence that begins at most 3 before it.
  while (end > 0 && most - end < 3 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80) {
    --end;
  }
  return text.substr(0, end);
}

bool is_name(std::string_view text) {
  if (text.empty() || text.size() > kNameLimitOctets || scrub(text) != text) return false;
  while (!text.empty()) {
    const Decoded next = decode(text);
    const bool is_space = next.code_point == 0xA0 || next.code_point == 0x3000 ||
                          (next.code_point >= 0x2000 && next.code_point <= 0x206F);
    if (next.code_point < 0x80 ? !is_ascii_name_character(next.code_point) : is_space) {
      return false;
    }
    text.remove_prefix(next.octets);
  }
  return true;
}

bool LineSplitter::next(std::string_view& input, Line& line) {
  const std::size_t end = input.find('\n');
  take(input.substr(0, end));
  if (end == std::string_view::npos) {
    input = {};
    return false;
  }
  input.remove_prefix(end + 1);
  give(line);
  return true;
}

bool LineSplitter::finish(Line& line) {
  if (partial_.empty()) return false;
  give(line);
  return true;
}

// Keeps one octet more than the limit, for the CR that is not part of the line.
void LineSplitter::take(std::string_view octets) {
  const std::size_t room = kLimitOctets + 1 - partial_.size();
  if (octets.size() > room) was_cut_ = true;
  partial_.append(octets.substr(0, room));
}

void LineSplitter::give(Line& line) {
  line.was_cut = std::exchange(was_cut_, false);
  line.text = std::exchange(partial_, {});
  if (!line.was_cut && !line.text.empty() && line.text.back() == '\r') line.text.pop_back();
  const std::string_view cut = cut_to(line.text, kLimitOctets);
  if (cut.size() < line.text.size()) {
    line.was_cut = true;
    line.text.resize(cut.size());
  }
}

}  // namespace runnel::apps
