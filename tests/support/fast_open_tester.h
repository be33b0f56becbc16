// What the tests of both sides of TCP Fast Open (RFC 7413) share.
#pragma once

#include <string_view>

#include "tests/support/tcp_tester.h"

namespace runnel::test {

class FastOpen : public TcpTester {
 protected:
  FastOpen() { tcp_.fast_open = true; }

  // SYNs of the peer's, with MSS and a Fast Open option.
  SegmentBuilder syn_with(const wire::TcpFastOpenCookie& cookie, std::string_view text = {}) const {
    wire::TcpOptions options;
    options.maximum_segment_size = 1460;
    options.fast_open = cookie;
    return segment().syn().seq(peer_iss).options(options).payload(text);
  }
  SegmentBuilder request() const { return syn_with(wire::TcpFastOpenCookie{}); }

  TcpConfig tcp_;
};

}  // namespace runnel::test
