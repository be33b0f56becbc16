#!/usr/bin/env python3
"""scripts/plot: what it reads, what it leaves out, and what it draws."""
import importlib.machinery
import importlib.util
import os
import subprocess
import tempfile
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
PLOT = os.path.join(TOP, "scripts", "plot")
HEADING = ("time,connection,event,offset,octets,una,nxt,in_flight,cwnd,ssthresh,srtt,rtt,"
           "delivery_rate,pacing_rate,phase\n")

loader = importlib.machinery.SourceFileLoader("plot", PLOT)
plot = importlib.util.module_from_spec(importlib.util.spec_from_loader("plot", loader))
loader.exec_module(plot)


def line(time, connection="0.1", event="ack", una=0, nxt=1448, phase="SlowStart", rtt="0.040000"):
    return (f"{time:.6f},{connection},{event},{una},1448,{una},{nxt},{nxt - una},14480,,0.040000,"
            f"{rtt},36200,,{phase}\n")


def small_trace():
    return (HEADING + line(0, event="send", rtt="") + line(0.04, una=1448) +
            line(0.05, connection="7.2", event="send", nxt=9999, phase="Startup", rtt="") +
            line(0.2, event="resend", una=1448, nxt=2896, phase="Recovery", rtt="") +
            line(0.3, una=2896, nxt=2896, phase="Recovery"))


class PlotTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="runnel-plot-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name):
        return os.path.join(self.folder, name)

    def trace(self, text):
        with open(self.path("trace.csv"), "w") as file:
            file.write(text)
        return self.path("trace.csv")

    def run_plot(self, *arguments):
        return subprocess.run([PLOT, *arguments], capture_output=True, text=True, timeout=100)

    def draw(self, text, *arguments, name="out.svg"):
        done = self.run_plot(self.trace(text), "-o", self.path(name), *arguments)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        with open(self.path(name), "rb") as file:
            return file.read()

    def expect_refusal(self, status, words, *arguments):
        done = self.run_plot(*arguments)
        self.assertEqual(done.returncode, status)
        self.assertIn(words, done.stderr)
        self.assertNotIn("Traceback", done.stderr)

    # --- The command line ---

    def test_help_says_what_it_does(self):
        done = self.run_plot("--help")
        self.assertEqual(done.returncode, 0)
        self.assertIn("--connection", done.stdout)
        self.assertIn("Exit status", done.stdout)

    def test_wrong_usage_is_2(self):
        self.expect_refusal(2, "usage")
        self.expect_refusal(2, "-o", self.trace(small_trace()))
        self.expect_refusal(2, ".svg or .png", self.trace(small_trace()), "-o", "picture.gif")

    def test_a_trace_that_cannot_be_used_is_1(self):
        svg = self.path("out.svg")
        self.expect_refusal(1, "No such file", self.path("none.csv"), "-o", svg)
        self.expect_refusal(1, "no column connection", self.trace("a,b\n1,2\n"), "-o", svg)
        self.expect_refusal(1, "no column", self.trace(""), "-o", svg)
        self.expect_refusal(1, "has no lines", self.trace(HEADING), "-o", svg)
        self.expect_refusal(1, "trace.csv:3", self.trace(HEADING + line(0) + "0.1,0.1,ack\n"), "-o",
                            svg)
        self.expect_refusal(1, "no connection 8.8; there are 0.1, 7.2", self.trace(small_trace()),
                            "-o", svg, "--connection", "8.8")
        self.assertFalse(os.path.exists(svg))

    def test_a_picture_that_cannot_be_written_is_1(self):
        self.expect_refusal(1, "No such", self.trace(small_trace()), "-o", "/nonexistent/out.svg")

    # --- Reading ---

    def test_the_connection_that_sent_most_is_chosen(self):
        connections = plot.read_trace(self.trace(small_trace()))
        self.assertEqual(plot.choose(connections, None)[0], "7.2")
        self.assertEqual(len(plot.choose(connections, "0.1")[1]), 4)

    def test_empty_fields_are_unknown(self):
        rows = plot.read_trace(self.trace(small_trace()))["0.1"]
        self.assertIsNone(rows[0].ssthresh)
        self.assertIsNone(rows[0].rtt)
        self.assertEqual(rows[1].rtt, 0.04)
        self.assertEqual(rows[1].phase, "SlowStart")

    # --- Fewer points ---

    def test_thinning_keeps_the_extremes(self):
        points = [(i / 1000, i % 50) for i in range(100_000)]
        points[77_777] = (77.777, -5)
        points[33_333] = (33.333, 500)
        thinned = plot.thin(points, 0, 100, 100)
        self.assertLessEqual(len(thinned), 202)
        self.assertIn((77.777, -5), thinned)
        self.assertIn((33.333, 500), thinned)
        self.assertEqual(thinned, sorted(thinned))

    def test_few_points_stay_as_they_are(self):
        points = [(0.0, 3), (1.0, None), (2.0, 1), (3.0, 2)]
        self.assertEqual(plot.thin(points, 0, 3), [(0.0, 3), (2.0, 1), (3.0, 2)])

    def test_a_band_has_both_edges(self):
        self.assertEqual(plot.band([(0.1, 5), (0.2, 3), (0.3, None), (1.5, 7)], 0, 2, 2),
                         [(0.5, 3, 5), (1.5, 7, 7)])

    def test_phases_of_many_columns_are_put_together(self):
        Row = plot.Row
        rows = [Row(t, "ack", 0, 0, 0, 0, 0, 0, None, None, None, None, None, phase)
                for t, phase in ((0, "A"), (1, "A"), (5, "B"), (5.01, "A"), (8, "C"))]
        found = plot.spans(rows, 0, 10, 10)
        self.assertEqual([phase for _, _, phase in found], ["A", "C"])
        self.assertEqual((found[0][0], found[0][1], found[1][1]), (0, 8, 10))

    # --- The picture ---

    def test_the_svg_has_all_panels(self):
        svg = self.draw(small_trace(), "--connection", "0.1", "--title", "A good title").decode()
        for words in ("A good title", "sent again", "acknowledged", "cwnd", "in flight",
                      "round trip", "delivery", "Recovery", "SlowStart"):
            self.assertIn(words, svg)
        self.assertNotIn("Startup", svg.replace("SlowStart", ""))

    def test_the_same_trace_gives_the_same_picture(self):
        self.assertEqual(self.draw(small_trace()), self.draw(small_trace()))

    def test_a_png_is_drawn_too(self):
        self.assertTrue(self.draw(small_trace(), name="out.png").startswith(b"\x89PNG"))

    def test_a_long_trace_gives_a_small_picture(self):
        lines = [line(i / 500, event=("ack", "send", "resend")[i % 3], una=1000 * i,
                      nxt=1000 * i + 5000 + i % 7000, rtt=f"{0.04 + i % 97 / 1e4:.6f}")
                 for i in range(30_000)]
        self.assertLess(len(self.draw(HEADING + "".join(lines))), 150_000)


if __name__ == "__main__":
    unittest.main()
