#!/usr/bin/env python3
"""Keeps the requirement ledger, tests/conformance/requirements.csv, and the tests together.

A test states which requirements it proves by its name: TEST_F(TcpTester, R_9293_MUST_13_Text)
proves row 9293-MUST-13. Every character of an id that is neither letter nor digit is written as
`_`; up to four ids are joined as R_9293_MUST_1__R_9293_REC_1_Text; of ids that begin alike the
longest counts.

A departure from an RFC is marked in the code by `DEVIATES: ID.` with the row's id, and the row's
`note` says what is done instead, beginning with `DEVIATES:` as well.

Usage: check_requirements.py [--root DIR] MODE [options]

  check   [--program FILE]...  says what is wrong, if anything: rows without test or reason, tests
                               without row, a ledger or a README table that is not up to date. With
                               test programs: runs their R_ tests and expects each to pass.
  update  [--write-readme]     fills the columns `tests` and `status` from the names of the tests
  table   [--write-readme]     prints the ledger's state by RFC as a Markdown table; --write-readme
                               puts it into README.md between the markers
          [--missing]          prints the rows that have neither test nor reason instead
"""
import argparse
import collections
import csv
import glob
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

LEDGER = "tests/conformance/requirements.csv"
REQUIREMENT = "id rfc section level layer phase requirement test_idea".split()
COLUMNS = REQUIREMENT + "status tests note".split()
LEVELS = ("MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY")
PHASES = ("now", "congestion", "later")
MAX_IDS, MAX_WAIVED = 4, 25
BEGIN, END = "<!-- requirements -->", "<!-- /requirements -->"

# How many requirements there are, and the digest of their columns: a row that is lost, added or
# reworded must change this line too, where a reviewer sees it.
SEAL = "630 090d9aad65feaa8e"

DEVIATION = re.compile(r"\bDEVIATES: ?(\S*?)[.,;:]?(?:\s|$)")
TEST = re.compile(r"^TEST(?:_F|_P)?\(\s*(\w+),\s*(R_\w+)\s*\)", re.MULTILINE)


def mangled(requirement):
    """An id as it is written in a test's name."""
    return re.sub("[^A-Za-z0-9]", "_", requirement)


def seal_of(rows):
    text = "\n".join("\x1f".join(row[c] for c in REQUIREMENT) for row in rows)
    return f"{len(rows)} {hashlib.sha256(text.encode()).hexdigest()[:16]}"


def read_ledger(root):
    with open(os.path.join(root, LEDGER), encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    if reader.fieldnames != COLUMNS or any(None in r or None in r.values() for r in rows):
        sys.exit(f"{LEDGER}: the columns should be {','.join(COLUMNS)}, in every line")
    return rows


def write_ledger(root, rows):
    with open(os.path.join(root, LEDGER), "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def tests_in_sources(root):
    """Suite.Name of every R_ test in the sources, without building anything."""
    tests = set()
    for path in glob.glob(os.path.join(root, "tests", "**", "*.cc"), recursive=True):
        with open(path, encoding="utf-8") as file:
            tests.update(f"{suite}.{name}" for suite, name in TEST.findall(file.read()))
    return tests


def plain(suite, name):
    """A test's name in the ledger: of a parameterized test without instance and parameter."""
    return f"{suite.split('/')[-1]}.{name.split('/')[0]}"


def is_ours(test):
    return test.split(".")[1].startswith("R_")


def ids_of(test, by_mangled):
    """The ids that a test's name states, and the parts of it that match no id."""
    ids, unknown = [], []
    for part in test.split(".")[1][len("R_"):].split("__R_"):
        matching = [m for m in by_mangled if part == m or part.startswith(m + "_")]
        if matching:
            ids.append(by_mangled[max(matching, key=len)])
        else:
            unknown.append(part)
    return ids, unknown


def map_tests(rows, tests):
    """The tests of each row, and what is wrong with the tests' names."""
    by_mangled = {mangled(row["id"]): row["id"] for row in rows}
    of_row, problems = collections.defaultdict(list), []
    for test in sorted(tests):
        ids, unknown = ids_of(test, by_mangled)
        problems += [f"{test}: no row {part}" for part in unknown]
        if len(ids) + len(unknown) > MAX_IDS:
            problems.append(f"{test}: more than {MAX_IDS} ids: nobody can tell what it proves")
        for requirement in dict.fromkeys(ids):
            of_row[requirement].append(test)
    return of_row, problems


def updated(rows, of_row):
    """The rows with `tests` and `status` as the tests' names say."""
    result = []
    for row in rows:
        tests = of_row.get(row["id"], [])
        status = row["status"]
        if status != "waived":
            status = "tested" if tests else "" if row["phase"] == "now" else "later"
        result.append({**row, "status": status, "tests": " ".join(tests)})
    return result


def check_rows(rows):
    problems = []
    for requirement, count in collections.Counter(row["id"] for row in rows).items():
        if count > 1:
            problems.append(f"{requirement}: {count} rows with this id")
    names = collections.Counter(mangled(requirement) for requirement in {r["id"] for r in rows})
    problems += [f"R_{name}: stands for {count} ids" for name, count in names.items() if count > 1]
    if seal_of(rows) != SEAL:
        problems.append(f"the requirements themselves changed: sealed as {SEAL}, "
                        f"found {seal_of(rows)}")
    waived = [row["id"] for row in rows if row["status"] == "waived"]
    if len(waived) > MAX_WAIVED:
        problems.append(f"{len(waived)} rows are waived, more than {MAX_WAIVED}")
    for row in rows:
        problems += [f"{row['id']}: {problem}" for problem in check_row(row)]
    return problems


def check_row(row):
    """What is wrong with one row by itself."""
    if row["level"] not in LEVELS:
        yield f"level {row['level']!r} is none of {', '.join(LEVELS)}"
    if row["phase"] not in PHASES:
        yield f"phase {row['phase']!r} is none of {', '.join(PHASES)}"
    status, tests = row["status"], row["tests"].split()
    if status == "":
        yield "has neither a test nor a reason"
    elif status == "tested":
        if not tests:
            yield "is tested, but by no test"
    elif status == "waived":
        if not row["note"].strip():
            yield "is waived without a reason in `note`"
    elif status == "later":
        if row["phase"] == "now":
            yield "is put off, but its phase is now"
        if tests:
            yield "is put off, but has tests"
    else:
        yield f"status {status!r} is none of tested, waived, later"


def check_names(rows, tests):
    """Whether the column `tests` and the tests' names say the same."""
    of_row, problems = map_tests(rows, tests)
    for row in rows:
        listed, named = row["tests"].split(), of_row.get(row["id"], [])
        problems += [f"{row['id']}: {t}: there is no such test" for t in listed if t not in tests]
        problems += [f"{row['id']}: {t}: its name does not state this row"
                     for t in listed if t in tests and t not in named]
        problems += [f"{row['id']}: {t}: not listed; run check_requirements.py update"
                     for t in named if t not in listed]
    return problems


def deviations_in_sources(root):
    """File and row of every DEVIATES mark in the product's code."""
    for folder in ("stack", "tun", "apps"):
        for path in sorted(glob.glob(os.path.join(root, folder, "**", "*"), recursive=True)):
            if path.endswith((".h", ".cc")):
                with open(path, encoding="utf-8") as file:
                    for requirement in DEVIATION.findall(file.read()):
                        yield os.path.relpath(path, root), requirement


def check_deviations(rows, deviations):
    """Whether code and ledger tell of the same departures."""
    told = {row["id"] for row in rows if row["note"].startswith("DEVIATES:")}
    marked = set()
    for path, requirement in deviations:
        marked.add(requirement)
        if requirement not in told:
            yield f"{path}: DEVIATES: {requirement}: no row's note tells of it"
    for requirement in sorted(told - marked):
        yield f"{requirement}: its note says DEVIATES, but no code does"


def tests_of_program(program):
    """Every test of a test program, as the ledger writes them."""
    listing = subprocess.run([program, "--gtest_list_tests"], check=True, timeout=120,
                             capture_output=True, text=True).stdout
    tests, suite = set(), ""
    for line in listing.splitlines():
        line = line.split("#")[0].rstrip()
        if line.startswith("  "):
            tests.add(plain(suite, line.strip()))
        elif line.endswith("."):
            suite = line[:-1]
    return tests


def verdict(case):
    """What a testcase element of a gtest report says: passed, failed, skipped or disabled."""
    if case.get("status") != "run" or case.get("result") == "suppressed":
        return "disabled"
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    if case.find("skipped") is not None or case.get("result") == "skipped":
        return "skipped"
    return "passed" if case.get("result") == "completed" else "interrupted"


def verdicts_of_report(report):
    """The verdict on every test of a gtest report; of a parameterized one the worst."""
    verdicts = {}
    for case in report.iter("testcase"):
        test = plain(case.get("classname"), case.get("name"))
        if verdicts.get(test, "passed") == "passed":
            verdicts[test] = verdict(case)
    return verdicts


def run_program(program):
    """Runs the R_ tests of a program. Returns their verdicts."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "report.xml")
        command = [program, "--gtest_filter=*.R_*", f"--gtest_output=xml:{path}",
                   "--gtest_brief=1", "--gtest_color=no"]
        run = subprocess.run(command, capture_output=True, text=True, errors="replace",
                             timeout=1500, check=False)
        if run.returncode != 0:
            print(run.stdout[-8000:], run.stderr[-8000:], sep="\n")
        if not os.path.exists(path):  # It crashed.
            return {}
        return verdicts_of_report(xml.etree.ElementTree.parse(path).getroot())


def check_runs(rows, existing, verdicts):
    """Whether the tests that the rows list exist in the programs, ran, and passed."""
    problems = []
    for row in rows:
        for test in row["tests"].split():
            if test not in existing:
                problems.append(f"{row['id']}: {test}: in no test program")
            elif verdicts.get(test) != "passed":
                problems.append(f"{row['id']}: {test}: {verdicts.get(test, 'did not run')}")
    return problems


def natural(rfc):
    return (0, int(rfc), "") if rfc.isdigit() else (1, 0, rfc)


def table(rows):
    """The state of the ledger by RFC, as Markdown."""
    kinds = ("MUST", "SHOULD", "MAY")
    counts = collections.defaultdict(collections.Counter)
    for row in rows:
        state = row["status"] or "missing"
        column = row["level"].split()[0] if state == "tested" else state
        for line in (row["rfc"], "all"):
            counts[line][column] += 1
    states = ["waived", "later"] + (["missing"] if counts["all"]["missing"] else [])
    columns = list(kinds) + states
    lines = ["| RFC | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
    for name in sorted(set(counts) - {"all"}, key=natural) + ["all"]:
        cells = [str(counts[name][column] or "") for column in columns]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def readme_parts(root):
    """README.md before, between and after the markers."""
    with open(os.path.join(root, "README.md"), encoding="utf-8") as file:
        text = file.read()
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        sys.exit(f"README.md: {BEGIN} and {END} should stand there once")
    before, rest = text.split(BEGIN + "\n")
    between, after = rest.split(END)
    return before, between, after


def write_readme(root, rows):
    before, _, after = readme_parts(root)
    with open(os.path.join(root, "README.md"), "w", encoding="utf-8") as file:
        file.write(f"{before}{BEGIN}\n{table(rows)}{END}{after}")


def check(root, programs=()):
    """Every problem, one line each."""
    rows, tests = read_ledger(root), tests_in_sources(root)
    problems = check_rows(rows) + check_names(rows, tests)
    problems += check_deviations(rows, deviations_in_sources(root))
    if readme_parts(root)[1] != table(rows):
        problems.append("README.md: the table is stale; run check_requirements.py table "
                        "--write-readme")
    if programs:
        existing, verdicts = set(), {}
        for program in programs:
            listed = tests_of_program(program)
            existing |= listed
            if any(is_ours(test) for test in listed):
                verdicts.update(run_program(program))
        problems += check_runs(rows, existing, verdicts)
        # A test that a macro of its own defines is invisible to tests_in_sources().
        problems += [f"{test}: write TEST, TEST_F or TEST_P at the line's beginning"
                     for test in sorted(existing) if is_ours(test) and test not in tests]
    return problems


def missing(rows):
    for row in rows:
        if not row["status"]:
            yield f"{row['id']} ({row['level']}): {row['requirement']}\n    {row['test_idea']}"


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default=os.path.join(os.path.dirname(__file__), ".."))
    parser.add_argument("mode", choices=("check", "update", "table"))
    parser.add_argument("--program", action="append", default=[])
    parser.add_argument("--write-readme", action="store_true")
    parser.add_argument("--missing", action="store_true")
    options = parser.parse_args()
    root = options.root
    if options.mode == "check":
        problems = check(root, options.program)
        for problem in problems:
            print(problem)
        rows = read_ledger(root)
        states = collections.Counter(row["status"] or "missing" for row in rows)
        print(f"{len(rows)} requirements: "
              + ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
              + f"; {len(problems)} problems")
        return 1 if problems else 0
    rows = read_ledger(root)
    of_row, problems = map_tests(rows, tests_in_sources(root))
    rows = updated(rows, of_row)  # `table` shows how things stand, not what the file says.
    for problem in problems:
        print(problem, file=sys.stderr)
    if options.mode == "update":
        write_ledger(root, rows)
    if options.write_readme:
        write_readme(root, rows)
    elif options.mode == "table":
        sys.stdout.write("".join(line + "\n" for line in missing(rows)) if options.missing
                         else table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
