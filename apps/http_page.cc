#include "apps/http_page.h"

#include <fmt/format.h>

#include <chrono>
#include <iterator>
#include <string_view>

#include "runnel/tcp_state.h"

namespace runnel::apps {
namespace {

constexpr std::string_view kBegin = R"(<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>runnel</title>
<style>body{font:1em/1.5 sans-serif;max-width:40em;margin:3em auto;padding:0 1em}
td{padding-right:2em}</style>
<h1>runnel</h1>
<p>You are talking to <b>runnel</b>, a TCP/IP stack in user space. No kernel socket is at this end:
the program took your packets from a TUN device and answered every segment itself.
<table>
)";

double in_milliseconds(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

}  // namespace

LandingPage::LandingPage(const std::vector<Neighbour>& neighbours) : end_("</table>\n<p>") {
  if (!neighbours.empty()) {
    end_ += "Also here:";
    for (const Neighbour& neighbour : neighbours) {
      end_ += fmt::format(" {} on port {}{}", neighbour.name, neighbour.port,
                          &neighbour == &neighbours.back() ? ". " : ",");
    }
  }
  end_ += "What it speaks: <a href=\"https://www.rfc-editor.org/rfc/rfc9293.html\">RFC 9293</a>.\n";
}

void LandingPage::append_to(std::string& out, const TcpSocket& peer, const Stack& stack) const {
  const TcpInfo info = peer.info().value_or(TcpInfo{});
  out += kBegin;
  const auto row = [&out](std::string_view name, const auto& value, std::string_view unit = {}) {
    fmt::format_to(std::back_inserter(out), "<tr><td>{}<td>{}{}\n", name, value, unit);
  };
  row("this end", info.local.to_string());
  row("your end", info.remote.to_string());
  row("state", name_of(info.state));
  row("segments of at most", info.send_mss_octets, " octets");
  row("round trip", fmt::format("{:.3f}", in_milliseconds(info.smoothed_rtt)), " ms");
  row("congestion window", info.congestion_window_octets, " octets");
  row("connections", stack.connection_count());
  row("in SYN-RECEIVED", stack.syn_received_count());
  row("in TIME-WAIT", stack.time_wait_count());
  out += end_;
}

}  // namespace runnel::apps
