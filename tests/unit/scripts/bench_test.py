"""scripts/bench: what it does with its arguments, with missing programs and with figures."""
import contextlib
import importlib.machinery
import importlib.util
import io
import os
import subprocess
import sys
import tempfile
import unittest

TOP = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", ".."))
BENCH = os.path.join(TOP, "scripts", "bench")


def load_bench():
    loader = importlib.machinery.SourceFileLoader("bench", BENCH)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("bench", loader))
    loader.exec_module(module)
    return module


bench = load_bench()


def figures(runnel, kernel):
    one = lambda value: {"figure": value, "unit": "transactions/s", "failed": 0,
                         "p50_us": 10.0, "p99_us": 20.0}
    return {"runnel": [one(value) for value in runnel], "kernel": [one(value) for value in kernel]}


class Arguments(unittest.TestCase):
    def status_of(self, *arguments):
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            try:
                bench.parse_arguments(arguments)
            except SystemExit as end:
                return end.code
        return None

    def test_help_is_no_error(self):
        self.assertEqual(self.status_of("--help"), 0)

    def test_wrong_usage_is_2(self):
        for arguments in (["--loads", "walk"], ["--loads", ","], ["--rounds", "0"],
                          ["--seconds", "0"], ["--chart", "a.gif"], ["--update"], ["more"]):
            self.assertEqual(self.status_of(*arguments), 2, arguments)

    def test_loads_are_chosen_by_name(self):
        self.assertEqual(bench.parse_arguments(["--loads", "rr1,http"]).loads, ["rr1", "http"])
        self.assertEqual(bench.parse_arguments([]).loads, list(bench.LOADS))


class MissingPrograms(unittest.TestCase):
    def run_without_programs(self, *arguments):
        with tempfile.TemporaryDirectory() as nothing:
            return subprocess.run([sys.executable, "-B", BENCH, *arguments], capture_output=True,
                                  text=True, check=False, timeout=60, env={"PATH": nothing})

    def test_one_line_says_what_to_install(self):
        program = bench.program
        with self.assertRaisesRegex(bench.BenchError, "no-such is missing; .*install some-package"):
            program("no-such", "some-package")

    def test_the_exit_status_is_1(self):
        ran = self.run_without_programs("--loads", "rr1")
        self.assertEqual(ran.returncode, 1)
        self.assertRegex(ran.stderr, r"^bench: \S+ is missing; as root: apt-get install \S+\n$")


class Figures(unittest.TestCase):
    def test_medians_of_figures_and_of_the_ratios_of_rounds(self):
        row = bench.summarise(figures([100, 300, 200], [100, 100, 400]))
        self.assertEqual(row["runnel"]["figure"], 200)
        self.assertEqual(row["kernel"]["figure"], 100)
        self.assertEqual(row["ratio"], 1.0)  # of 1, 3 and 0.5
        self.assertEqual(row["ratio_spread"], 2.5)
        self.assertEqual(row["kernel"]["failed"], 0)

    def test_nothing_from_the_kernel_is_no_division_by_zero(self):
        self.assertEqual(bench.summarise(figures([100], [0]))["ratio"], 0)

    def test_the_table_has_a_line_for_each_load(self):
        rows = {"rr1": bench.summarise(figures([2000], [1000]))}
        with contextlib.redirect_stdout(io.StringIO()) as said:
            bench.print_table(rows)
        self.assertRegex(said.getvalue(), r"(?m)^rr1 +2000 +1000 +transactions/s +2\.00")

    def test_the_chart_is_the_same_for_the_same_figures(self):
        try:
            pyplot = bench.load_matplotlib()
        except bench.BenchError as error:
            self.skipTest(str(error))
        rows = {"rr1": bench.summarise(figures([2000], [1000])),
                "rr64": bench.summarise(figures([900], [1000]))}
        with tempfile.TemporaryDirectory() as folder:
            written = []
            for name in ("a.svg", "b.svg"):
                path = os.path.join(folder, name)
                bench.draw(rows, path, pyplot)
                with open(path, encoding="utf-8") as file:
                    written.append(file.read())
        self.assertIn("2.00 ×", written[0])
        self.assertEqual(written[0], written[1])


if __name__ == "__main__":
    unittest.main(verbosity=2)
