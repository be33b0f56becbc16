#!/usr/bin/env python3
"""Plants violations in a small tree and expects scripts/check_layers.py to name each of them."""
import os
import sys
import tempfile
import unittest

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(TOP, "scripts"))
import check_layers  # noqa: E402

CLEAN = {
    "stack/include/runnel/bytes.h": "#include <cstdint>\n#include <span>\n",
    "stack/include/runnel/time.h": "#include <chrono>\n",
    "stack/include/runnel/stack.h": '#include "runnel/bytes.h"\n',
    "stack/include/runnel/tcp_socket.h": "#include <runnel/stack.h>\n",
    "stack/values/time.cc": '#include "runnel/time.h"\n',
    "stack/base/list.h": "#include <cstddef>\n",
    "stack/wire/tcp.h": '#include "stack/base/list.h"\n#include "runnel/bytes.h"\n',
    "stack/wire/checksum.h": "#include <cstdint>\n",
    "stack/buffer/slab.h": '#include "stack/base/list.h"\n',
    "stack/ip/icmp.h": '#include "stack/wire/tcp.h"\n',
    "stack/tcp/tcb.h": '#include "stack/wire/tcp.h"\n#include "stack/buffer/slab.h"\n',
    "stack/tcp/loss/rack.h": '#include "stack/tcp/tcb.h"\n',
    "stack/core/engine.h": '#include "stack/tcp/tcb.h"\n#include "stack/ip/icmp.h"\n',
    "stack/core/engine.cc": '#include "runnel/stack.h"\n#include "stack/core/engine.h"\n',
    "stack/socket/dispatcher.cc": '#include "runnel/tcp_socket.h"\n'
                                  '#include "stack/core/engine.h"\n',
    "tun/include/runnel/driver.h": '#include "runnel/stack.h"\n#include <atomic>\n',
    "tun/driver.cc": '#include "runnel/driver.h"\n#include <sys/epoll.h>\n'
                     '#include "stack/wire/checksum.h"\n',
    "tun/packet_capture.cc": "#include <pcap/pcap.h>\n#include <tins/tins.h>\n",
    "apps/main.cc": "#include <CLI/CLI.hpp>\n#include <iostream>\n#include <runnel/driver.h>\n",
    "apps/http.cc": "#include <boost/beast/http.hpp>\n",
    "tests/unit/tcp/tcb_test.cc": '#include <gtest/gtest.h>\n#include "stack/tcp/tcb.h"\n',
    "tests/architecture/embedder/main.cc": "#include <runnel/stack.h>\n#include <iostream>\n",
}


class CheckLayersTest(unittest.TestCase):
    def check(self, planted):
        """The violations that check_layers reports in the clean tree plus `planted`."""
        with tempfile.TemporaryDirectory() as root:
            for path, text in {**CLEAN, **planted}.items():
                os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
                with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                    file.write(text)
            return check_layers.check(root)[0]

    def assert_caught(self, path, line, *words):
        """A file `path` that consists of a comment and `line` is the one violation reported."""
        problems = self.check({path: "// A planted violation.\n" + line + "\n"})
        self.assertEqual(len(problems), 1, (path, line, problems))
        self.assertTrue(problems[0].startswith(path + ":2: "), problems[0])
        for word in words:
            self.assertIn(word, problems[0])

    def test_a_clean_tree_passes(self):
        self.assertEqual(self.check({}), [])

    def test_every_edge_that_the_table_lacks_is_caught(self):
        example = {check_layers.layer_of(path): path for path in CLEAN if path.endswith(".h")}
        planted = {layer: os.path.dirname(path) + "/planted.cc" for path in CLEAN
                   if (layer := check_layers.layer_of(path)) not in ("values", "API", "tun API")}
        planted["values"] = "stack/values/planted.cc"
        planted["tun capture"] = "tun/packet_capture_planted.cc"
        caught = 0
        for layer, path in planted.items():
            for target, header in example.items():
                name = header.split("/include/")[-1]
                problems = self.check({path: f'#include "{name}"\n'})
                allowed = check_layers.may_include(layer, target, header)
                self.assertEqual(problems == [], allowed, (layer, header, problems))
                caught += not allowed
        self.assertGreater(caught, 40)

    def test_upward_includes_are_caught(self):
        self.assert_caught("stack/tcp/x.cc", '#include "stack/ip/icmp.h"', "tcp may not include")
        self.assert_caught("stack/ip/x.h", '#include "stack/tcp/tcb.h"', "ip may not include")
        self.assert_caught("stack/core/x.cc", '#include "stack/socket/x.h"', "no such file")
        self.assert_caught("stack/tcp/congestion/x.cc", '#include "stack/core/engine.h"', "core")
        self.assert_caught("stack/socket/x.cc", '#include "stack/tcp/tcb.h"', "socket")
        self.assert_caught("stack/base/x.cc", '#include "stack/wire/tcp.h"', "base")

    def test_public_headers_and_values_stay_free_of_internals(self):
        self.assert_caught("stack/include/runnel/info.h", '#include "stack/base/list.h"', "values")
        self.assert_caught("stack/include/runnel/info.h", '#include "runnel/stack.h"', "API")
        self.assert_caught("stack/include/runnel/sockets.h", '#include "stack/core/engine.h"',
                           "API")
        self.assert_caught("tun/include/runnel/system.h", '#include "stack/wire/checksum.h"', "tun")
        self.assert_caught("stack/values/x.cc", '#include "stack/base/list.h"', "values")
        self.assert_caught("stack/values/x.cc", '#include "runnel/driver.h"', "tun API")

    def test_a_public_header_on_no_list_is_caught(self):
        problems = self.check({"stack/include/runnel/novel.h": "\n"})
        self.assertEqual(len(problems), 1)
        self.assertIn("stack/include/runnel/novel.h:1: belongs to no layer", problems[0])

    def test_a_file_outside_the_rooms_is_caught(self):
        for path in ("stack/novel/x.cc", "stack/x.h", "tun/deep/x.cc"):
            self.assertIn("belongs to no layer", self.check({path: "\n"})[0])

    def test_tun_reaches_only_the_checksum_of_wire(self):
        self.assert_caught("tun/x.cc", '#include "stack/wire/tcp.h"', "tun may not include")
        self.assert_caught("tun/x.cc", '#include "stack/tcp/tcb.h"', "tun may not include")

    def test_apps_and_embedders_see_public_headers_only(self):
        self.assert_caught("apps/x.cc", '#include "stack/core/engine.h"', "apps may not include")
        self.assert_caught("tests/architecture/embedder/x.cc", '#include "stack/base/list.h"',
                           "embedder may not include")

    def test_io_clocks_and_threads_have_no_place_in_the_stack(self):
        for header in ("iostream", "fstream", "thread", "mutex", "atomic", "random", "locale",
                       "ctime", "cstdio", "cstdlib", "filesystem", "future", "regex", "sstream"):
            self.assert_caught("stack/tcp/x.cc", f"#include <{header}>", "sans-I/O")
        for header in ("unistd.h", "sys/socket.h", "time.h", "stdio.h", "linux/if_tun.h"):
            self.assert_caught("stack/base/x.cc", f"#include <{header}>", "system")

    def test_libraries_stay_in_their_rooms(self):
        self.assert_caught("stack/wire/x.cc", "#include <tins/tins.h>", "libtins")
        self.assert_caught("tun/x.cc", "#include <tins/tins.h>", "libtins")
        self.assert_caught("tun/x.cc", "#include <pcap.h>", "libpcap")
        self.assert_caught("tun/x.cc", "#include <CLI/CLI.hpp>", "CLI11")
        self.assert_caught("stack/core/x.cc", "#include <boost/container/vector.hpp>", "Boost")
        self.assert_caught("stack/wire/x.cc", "#include <fmt/format.h>", "fmt")
        self.assert_caught("apps/x.cc", "#include <gtest/gtest.h>", "GoogleTest")

    def test_spelling_is_checked(self):
        self.assert_caught("stack/tcp/x.cc", '#include "tcb.h"', "repository's root")
        self.assert_caught("stack/tcp/x.cc", '#include "../tcp/tcb.h"', "repository's root")
        self.assert_caught("stack/tcp/x.cc", '#include "stack/include/runnel/bytes.h"', "<runnel/")
        self.assert_caught("stack/tcp/x.cc", "#include <runnel/no_such.h>", "no such header")
        self.assert_caught("stack/tcp/x.cc", "#include HEADER", "write #include")
        self.assert_caught("stack/tcp/x.cc", '  #  include "stack/ip/icmp.h"', "tcp may not")
        self.assert_caught("stack/tcp/x.cc", '#include_next <cstdint>', "write #include")

    def test_comments_do_not_count_and_hide_nothing(self):
        comment = '// #include <thread>\n/*\n#include "x"\n*/\n'
        self.assertEqual(self.check({"stack/tcp/x.cc": comment}), [])
        hidden = 'const char* a = "/*";\n#include <thread>\nconst char* b = "*/";\n'
        self.assertEqual(len(self.check({"stack/tcp/x.cc": hidden})), 1)

    def test_cycles_are_caught(self):
        problems = self.check({"stack/ip/a.h": '#include "stack/ip/b.h"\n',
                               "stack/ip/b.h": '#include "stack/ip/c.h"\n',
                               "stack/ip/c.h": '#include "stack/ip/a.h"\n'})
        self.assertEqual(len(problems), 1)
        self.assertIn("stack/ip/a.h -> stack/ip/b.h -> stack/ip/c.h -> stack/ip/a.h", problems[0])

    def test_the_table_itself_has_no_cycle(self):
        graph = {layer: {name.replace("-", " ").split("/")[0] for name in row.layers.split()}
                 for layer, row in check_layers.TABLE.items()}
        for targets in graph.values():
            self.assertLessEqual(targets, set(graph))
        self.assertIsNone(check_layers.find_cycle(graph))


if __name__ == "__main__":
    unittest.main()
