#!/usr/bin/env python3
"""Plants violations in a small ledger and expects scripts/check_requirements.py to name each."""
import os
import sys
import tempfile
import unittest
from unittest import mock

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(TOP, "scripts"))
import check_requirements as ledger  # noqa: E402


def row(requirement, level="MUST", phase="now", status="tested", tests="", note=""):
    return {"id": requirement, "rfc": requirement.split("-")[0], "section": "1", "level": level,
            "layer": "tcp", "phase": phase, "requirement": "Does, or does not",
            "test_idea": "IN; OUT", "status": status, "tests": tests, "note": note}


# Suite.Name of what the sources of the clean ledger hold.
A, B, BOTH, CLOSED = ("Tcp.R_9293_MUST_1_WindowIsUnsigned", "Tcp.R_9293_MUST_10_SimultaneousOpen",
                      "Ip.R_791_3_1_VER__R_9293_MUST_10_Both", "Ip.R_1122_3_2_1_8_SR_IsDropped")
CLEAN = [
    row("9293-MUST-1", tests=A),
    row("9293-MUST-10", tests=BOTH + " " + B),
    row("791-3.1-VER", level="SHOULD NOT", tests=BOTH),
    row("1122-3.2.1.8-SR", status="waived", tests=CLOSED, note="No routes"),
    row("8200-3-HDR", phase="later", status="later"),
    row("9438-4-CUBIC", level="MAY", phase="congestion", status="later"),
]
SOURCES = (A, B, BOTH, CLOSED, "Tcp.AnythingElse")

# A test program: it lists and "runs" what the files beside it say.
PROGRAM = """#!/usr/bin/env python3
import os, shutil, sys
here = os.path.dirname(os.path.abspath(__file__))
for argument in sys.argv:
    if argument == "--gtest_list_tests":
        sys.stdout.write(open(os.path.join(here, "listing")).read())
    if argument.startswith("--gtest_output=xml:") and os.path.exists(os.path.join(here, "report")):
        shutil.copy(os.path.join(here, "report"), argument.split(":", 1)[1])
"""


def page(table):
    return f"# A\n{ledger.BEGIN}\n{table}{ledger.END}\n"


def listing_of(tests):
    return "".join(f"{test.split('.')[0]}.\n  {test.split('.')[1]}\n" for test in tests)


def report_of(tests, **changed):
    """A gtest report in which all passed, but what `changed` says (by suite and attribute text)."""
    cases = ""
    for test in tests:
        suite, name = test.split(".")
        attributes, inner = changed.get(name, ('status="run" result="completed"', ""))
        cases += f'<testcase name="{name}" classname="{suite}" {attributes}>{inner}</testcase>'
    return f"<testsuites><testsuite>{cases}</testsuite></testsuites>"


class CheckRequirementsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = folder.name
        for name in ("tests/conformance", "tests/unit", "build"):
            os.makedirs(os.path.join(self.root, name))

    def write(self, path, text):
        with open(os.path.join(self.root, path), "w", encoding="utf-8") as file:
            file.write(text)

    def plant(self, rows=None, sources=SOURCES, sealed=None, readme=None):
        rows = CLEAN if rows is None else rows
        ledger.write_ledger(self.root, rows)
        self.write("tests/conformance/a.cc", "".join(
            f"TEST_F({test.split('.')[0]},\n       {test.split('.')[1]}) {{\n}}\n"
            for test in sources))
        self.write("README.md", page(readme or ledger.table(rows)))
        patch = mock.patch.object(ledger, "SEAL", ledger.seal_of(sealed or rows))
        patch.start()
        self.addCleanup(patch.stop)

    def program(self, listing, report):
        self.write("build/listing", listing)
        if report:
            self.write("build/report", report)
        self.write("build/program", PROGRAM)
        path = os.path.join(self.root, "build/program")
        os.chmod(path, 0o755)
        return [path]

    def check(self, programs=(), **planted):
        self.plant(**planted)
        return ledger.check(self.root, programs)

    def changed(self, index, **columns):
        return [{**r, **columns} if i == index else r for i, r in enumerate(CLEAN)]

    def assert_one(self, problems, *words):
        self.assertEqual(len(problems), 1, problems)
        for word in words:
            self.assertIn(word, problems[0])

    def test_a_clean_ledger_passes(self):
        self.assertEqual(self.check(), [])

    def test_a_row_without_test_or_reason_is_caught(self):
        rows = self.changed(0, status="", tests="")
        problems = self.check(rows=rows, sources=SOURCES[1:])
        self.assert_one(problems, "9293-MUST-1:", "neither a test nor a reason")

    def test_tested_without_tests_is_caught(self):
        rows = self.changed(0, tests="")
        self.assert_one(self.check(rows=rows, sources=SOURCES[1:]), "9293-MUST-1:", "by no test")

    def test_a_test_that_does_not_exist_is_caught(self):
        self.assert_one(self.check(sources=SOURCES[1:]), "9293-MUST-1:", A, "no such test")

    def test_a_test_that_was_disabled_is_caught(self):
        sources = (A.replace(".R_", ".DISABLED_R_"), *SOURCES[1:])
        self.assert_one(self.check(sources=sources), "9293-MUST-1:", A, "no such test")

    def test_a_test_that_is_commented_out_is_caught(self):
        self.plant()
        with open(os.path.join(self.root, "tests/conformance/a.cc"), encoding="utf-8") as file:
            text = file.read()
        self.write("tests/conformance/a.cc", text.replace("TEST_F(Tcp,\n       R_9293_MUST_1_",
                                                          "// TEST_F(Tcp,\n       R_9293_MUST_1_"))
        self.assert_one(ledger.check(self.root), "9293-MUST-1:", A, "no such test")

    def test_a_test_that_its_row_does_not_list_is_caught(self):
        novel = "Tcp.R_9293_MUST_1_AgainInAnotherWay"
        self.assert_one(self.check(sources=(*SOURCES, novel)), "9293-MUST-1:", novel, "not listed")

    def test_a_listed_test_whose_name_does_not_state_the_row_is_caught(self):
        rows = self.changed(0, tests=f"{A} Tcp.R_9293_MUST_10_SimultaneousOpen")
        self.assert_one(self.check(rows=rows), "9293-MUST-1:", B, "does not state")

    def test_a_test_of_a_row_that_is_gone_is_caught(self):
        novel = "Tcp.R_9293_MUST_99_Text"
        self.assert_one(self.check(sources=(*SOURCES, novel)), novel, "no row 9293_MUST_99_Text")
        novel = "Tcp.R_9293_MUST_1__R_793_OLD_Text"
        rows = self.changed(0, tests=f"{A} {novel}")
        self.assert_one(self.check(rows=rows, sources=(*SOURCES, novel)), "no row 793_OLD_Text")

    def test_more_than_four_ids_are_caught(self):
        four = "Tcp.R_9293_MUST_1__R_9293_MUST_1__R_9293_MUST_1__R_9293_MUST_1_Text"
        rows = self.changed(0, tests=f"{A} {four}")
        self.assertEqual(self.check(rows=rows, sources=(*SOURCES, four)), [])
        five = four.replace("Text", "_R_9293_MUST_1_Text")
        rows = self.changed(0, tests=f"{A} {five}")
        self.assert_one(self.check(rows=rows, sources=(*SOURCES, five)), five, "more than 4 ids")

    def test_the_longest_id_counts(self):
        ids = {ledger.mangled(i): i for i in ("9293-MUST-1", "9293-MUST-10", "9293-MUST-1-A")}
        for name, expected in (("R_9293_MUST_1_Text", "9293-MUST-1"),
                               ("R_9293_MUST_10_Text", "9293-MUST-10"),
                               ("R_9293_MUST_1_A_Text", "9293-MUST-1-A"),
                               ("R_9293_MUST_1_AText", "9293-MUST-1"),
                               ("R_9293_MUST_10", "9293-MUST-10")):
            self.assertEqual(ledger.ids_of("Tcp." + name, ids), ([expected], []))
        self.assertEqual(ledger.ids_of("Tcp.R_9293_MUST_11_T", ids), ([], ["9293_MUST_11_T"]))

    def test_a_waiver_without_reason_is_caught(self):
        self.assert_one(self.check(rows=self.changed(3, note=" ")), "1122-3.2.1.8-SR:", "reason")

    def test_too_many_waivers_are_caught(self):
        rows = CLEAN + [row(f"1-{n}", status="waived", note="n") for n in range(24)]
        self.assertEqual(self.check(rows=rows), [])
        rows.append(row("1-24", status="waived", note="n"))
        self.assert_one(self.check(rows=rows), "26 rows are waived, more than 25")

    def test_putting_off_what_is_due_is_caught(self):
        rows = self.changed(0, status="later", tests="")
        problems = self.check(rows=rows, sources=SOURCES[1:])
        self.assert_one(problems, "9293-MUST-1:", "put off, but its phase is now")

    def test_putting_off_what_has_tests_is_caught(self):
        novel = "Tcp.R_8200_3_HDR_Text"
        rows = self.changed(4, tests=novel)
        problems = self.check(rows=rows, sources=(*SOURCES, novel))
        self.assert_one(problems, "8200-3-HDR:", "put off, but has tests")

    def test_unknown_words_are_caught(self):
        self.assert_one(self.check(rows=self.changed(0, status="done")), "status 'done'")
        self.assert_one(self.check(rows=self.changed(0, level="OUGHT")), "level 'OUGHT'")
        self.assert_one(self.check(rows=self.changed(0, phase="soon")), "phase 'soon'")

    def test_a_lost_added_or_reworded_row_is_caught(self):
        self.assert_one(self.check(rows=CLEAN[:-1], sealed=CLEAN), "sealed as 6", "found 5")
        self.assert_one(self.check(rows=[*CLEAN, row("2-A", phase="later", status="later")],
                                   sealed=CLEAN), "sealed as 6", "found 7")
        self.assert_one(self.check(rows=self.changed(0, requirement="Does a little"),
                                   sealed=CLEAN), "requirements themselves changed")
        self.assertEqual(self.check(rows=self.changed(0, note="None needed"), sealed=CLEAN), [])

    def test_an_id_that_stands_twice_is_caught(self):
        self.assert_one(self.check(rows=[*CLEAN, CLEAN[4]]), "8200-3-HDR:", "2 rows with this id")

    def test_two_ids_with_one_name_are_caught(self):
        rows = [*CLEAN, row("8200-3.HDR", phase="later", status="later")]
        self.assert_one(self.check(rows=rows), "R_8200_3_HDR: stands for 2 ids")

    def test_a_stale_table_is_caught(self):
        self.assert_one(self.check(readme=ledger.table(CLEAN[1:])), "README.md", "stale")

    def test_a_ledger_with_other_columns_is_refused(self):
        self.plant()
        self.write(ledger.LEDGER, "id,rfc\n1-A,1\n")
        self.assertRaises(SystemExit, ledger.check, self.root)

    # With programs.

    def test_tests_that_ran_and_passed_are_content(self):
        programs = self.program(listing_of(SOURCES), report_of(SOURCES))
        self.assertEqual(self.check(programs), [])

    def test_a_test_that_no_program_has_is_caught(self):
        programs = self.program(listing_of(SOURCES[1:]), report_of(SOURCES[1:]))
        self.assert_one(self.check(programs), "9293-MUST-1:", A, "in no test program")

    def test_tests_that_did_not_pass_are_caught(self):
        name, ran = A.split(".")[1], 'status="run" result="completed"'
        for outcome, word in (((ran, '<failure message="x"/>'), "failed"),
                              (('status="run" result="skipped"', '<skipped message=""/>'),
                               "skipped"),
                              ((ran, '<skipped message=""/>'), "skipped"),
                              (('status="notrun" result="suppressed"', ""), "disabled"),
                              (('status="run"', ""), "interrupted")):
            programs = self.program(listing_of(SOURCES), report_of(SOURCES, **{name: outcome}))
            self.assert_one(self.check(programs), "9293-MUST-1:", A, word)

    def test_a_test_that_did_not_run_is_caught(self):
        programs = self.program(listing_of(SOURCES), report_of(SOURCES[1:]))
        self.assert_one(self.check(programs), "9293-MUST-1:", A, "did not run")

    def test_a_program_that_crashes_is_caught(self):
        problems = self.check(self.program(listing_of(SOURCES), None))
        self.assertEqual(len(problems), 5)  # One row lists two tests.
        self.assertTrue(all("did not run" in problem for problem in problems))

    def test_parameters_are_one_test_and_the_worst_counts(self):
        instances = [f"Mtu/Tcp.{A.split('.')[1]}/{n}" for n in range(3)]
        listing = listing_of(SOURCES[1:]) + "Mtu/Tcp.\n" + "".join(
            f"  {i.split('.')[1]}  # GetParam() = {n}\n" for n, i in enumerate(instances))
        tests = (*SOURCES[1:], *instances)
        self.assertEqual(self.check(self.program(listing, report_of(tests))), [])
        failed = {instances[1].split(".")[1]: ('status="run" result="completed"', "<failure/>")}
        problems = self.check(self.program(listing, report_of(tests, **failed)))
        self.assert_one(problems, "9293-MUST-1:", A, "failed")

    def test_a_test_behind_a_macro_is_caught(self):
        novel = "Tcp.R_9293_MUST_1_BehindAMacro"
        programs = self.program(listing_of((*SOURCES, novel)), report_of((*SOURCES, novel)))
        self.assert_one(self.check(programs), novel, "write TEST")

    # The other modes.

    def test_a_departure_stands_in_the_code_and_in_the_ledger(self):
        self.plant(rows=self.changed(0, note="DEVIATES: one minute"))
        os.makedirs(os.path.join(self.root, "stack/tcp"))
        self.assert_one(ledger.check(self.root), "9293-MUST-1", "no code does")
        self.write("stack/tcp/a.cc", "// 2 MSL. DEVIATES: 9293-MUST-1. As\n// others do.\n")
        self.assertEqual(ledger.check(self.root), [])
        self.write("stack/tcp/b.h", "// DEVIATES: RFC 9293 has more.\n")
        self.assert_one(ledger.check(self.root), "stack/tcp/b.h", "RFC", "no row's note")
        self.write("stack/tcp/b.h", "// DEVIATES: 791-3.1-VER\n")
        self.assert_one(ledger.check(self.root), "stack/tcp/b.h", "791-3.1-VER")

    def test_update_fills_in_what_the_names_say(self):
        self.plant()
        stale = [{**r, "tests": "", "status": r["status"].replace("tested", "")} for r in CLEAN]
        tests = ledger.tests_in_sources(self.root)
        of_row, problems = ledger.map_tests(stale, tests)
        self.assertEqual(problems, [])
        self.assertEqual(ledger.updated(stale, of_row), CLEAN)

    def test_update_takes_back_what_lost_its_tests(self):
        after = ledger.updated(CLEAN, {})
        self.assertEqual([r["status"] for r in after], ["", "", "", "waived", "later", "later"])

    def test_the_table_counts_by_rfc_and_level(self):
        lines = ledger.table(self.changed(0, status="", tests="")).splitlines()
        self.assertEqual(lines[0], "| RFC | MUST | SHOULD | MAY | waived | later | missing |")
        self.assertEqual(lines[2], "| 791 |  | 1 |  |  |  |  |")
        self.assertIn("| 9293 | 1 |  |  |  |  | 1 |", lines)
        self.assertEqual(lines[-1], "| all | 1 | 1 |  | 1 | 2 | 1 |")
        self.assertNotIn("missing", ledger.table(CLEAN))

    def test_writing_the_table_leaves_the_rest_of_the_page_alone(self):
        self.plant(readme="stale\n")
        ledger.write_readme(self.root, CLEAN)
        with open(os.path.join(self.root, "README.md"), encoding="utf-8") as file:
            self.assertEqual(file.read(), page(ledger.table(CLEAN)))
        self.assertEqual(ledger.check(self.root), [])


if __name__ == "__main__":
    unittest.main()
