#include "apps/impairment_text.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdint>
#include <optional>
#include <utility>

namespace runnel::apps {
namespace {

// Larger than any sensible path, and small enough for every sum of times and sizes.
constexpr double kLongestSeconds = 3600;
constexpr double kFastestBits = 1e12;

struct Unit {
  std::string_view name;
  double factor;
};

// A number that is not negative, and one of `units` behind it; nothing when it is anything else.
template <std::size_t N>
std::optional<double> number_in(std::string_view text, const Unit (&units)[N], double most) {
  double number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc() || std::signbit(number)) return std::nullopt;
  const std::string_view rest = text.substr(static_cast<std::size_t>(end - text.data()));
  for (const Unit& unit : units) {
    if (rest != unit.name) continue;
    const double result = number * unit.factor;
    return result <= most ? std::optional(result) : std::nullopt;
  }
  return std::nullopt;
}

bool read_duration(std::string_view text, Duration& into) {
  constexpr Unit kUnits[] = {{"us", 1e-6}, {"ms", 1e-3}, {"s", 1}};
  const std::optional<double> seconds = number_in(text, kUnits, kLongestSeconds);
  if (seconds) into = Duration(std::llround(*seconds * 1e9));
  return seconds.has_value();
}

bool read_probability(std::string_view text, double& into) {
  constexpr Unit kUnits[] = {{"%", 0.01}};
  const std::optional<double> probability = number_in(text, kUnits, 1);
  if (probability) into = *probability;
  return probability.has_value();
}

bool read_rate(std::string_view text, std::uint64_t& into) {
  constexpr Unit kUnits[] = {{"kbit", 1e3}, {"mbit", 1e6}, {"gbit", 1e9}};
  const std::optional<double> bits = number_in(text, kUnits, kFastestBits);
  if (!bits || *bits < 1e3) return false;
  into = static_cast<std::uint64_t>(std::llround(*bits));
  return true;
}

template <typename Number>
bool read_whole(std::string_view text, Number& into) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into);
  return error == std::errc() && end == text.data() + text.size();
}

bool read_item(std::string_view name, std::string_view value, tun::Impairment& into) {
  if (name == "delay") return read_duration(value, into.delay);
  if (name == "jitter") return read_duration(value, into.jitter);
  if (name == "loss") return read_probability(value, into.loss);
  if (name == "reorder") return read_probability(value, into.reorder);
  if (name == "dup") return read_probability(value, into.duplicate);
  if (name == "mark") return read_probability(value, into.mark);
  if (name == "corrupt") return read_probability(value, into.corrupt);
  if (name == "rate") return read_rate(value, into.rate_bits_per_second);
  if (name == "queue") return read_whole(value, into.queue_packets) && into.queue_packets > 0;
  if (name == "seed") return read_whole(value, into.seed);
  return false;
}

}  // namespace

std::optional<Duration> parse_duration(std::string_view text) {
  Duration duration{};
  return read_duration(text, duration) ? std::optional(duration) : std::nullopt;
}

ImpairmentText parse_impairment(std::string_view text) {
  ImpairmentText result;
  while (true) {
    const std::size_t comma = text.find(',');
    const std::string_view item = text.substr(0, comma);
    const std::size_t equals = item.find('=');
    if (equals == std::string_view::npos ||
        !read_item(item.substr(0, equals), item.substr(equals + 1), result.impairment)) {
      result.refused = fmt::format("{} is not understood", item.empty() ? "nothing" : item);
      return result;
    }
    if (comma == std::string_view::npos) return result;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace runnel::apps
