#!/usr/bin/env python3
"""The same scripted peer against the kernel and against runnel: every difference in what they send
is listed and explained in observed/, and every difference that is listed there is still one.

  RUNNEL_SCRIPTED_HOST        the program scripted_host; build/tests/interop/scripted_host otherwise
  RUNNEL_DIFFERENTIAL_UPDATE  1: writes observed/expected.json anew, for the pages that are there
  RUNNEL_DIFFERENTIAL_SHOW    part of a script's name: prints both transcripts of those scripts
"""
import difflib
import json
import os
import unittest

from differential import KernelHost, RunnelHost
from differential_scripts import SCRIPTS
from harness import TOP, main

PROGRAM = os.environ.get("RUNNEL_SCRIPTED_HOST",
                         os.path.join(TOP, "build", "tests", "interop", "scripted_host"))
OBSERVED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "observed")
EXPECTED = os.path.join(OBSERVED, "expected.json")
# The kernel keeps real time, so on a busy machine one of its timers may come late once.
ATTEMPTS = 8
ADDRESSES = {name: f"198.18.0.{number}" for number, name in enumerate(SCRIPTS, 1)}


def side_by_side(kernel, runnel):
    """Both transcripts in one: "- " before the kernel's lines, "+ " before runnel's."""
    return [line for line in difflib.ndiff(kernel, runnel) if line[0] != "?"]


def difference(kernel, runnel):
    return [line for line in side_by_side(kernel, runnel) if line[0] in "-+"]


class DifferentialTest(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        with open(EXPECTED, encoding="utf-8") as file:
            cls.expected = json.load(file)["differences"]
        cls.runnel = {name: RunnelHost(PROGRAM).play(name, script, ADDRESSES[name])
                      for name, script in SCRIPTS.items()}
        host = KernelHost()
        cls.kernel = host.play(SCRIPTS, ADDRESSES)
        for _ in range(ATTEMPTS - 1):
            again = {name: SCRIPTS[name] for name in SCRIPTS
                     if difference(cls.kernel[name], cls.runnel[name])
                     != cls.expected.get(name, {}).get("difference", [])}
            if again:
                cls.kernel.update(host.play(again, ADDRESSES))
        host.close()

    def test_every_difference_is_listed_and_every_listed_one_is_there(self):
        if os.environ.get("RUNNEL_DIFFERENTIAL_UPDATE") == "1":
            self.update()
        show = os.environ.get("RUNNEL_DIFFERENTIAL_SHOW")
        for name in SCRIPTS:
            both = side_by_side(self.kernel[name], self.runnel[name])
            if show and show in name:
                print("", f"== {name}", *both, sep="\n")
            with self.subTest(script=name):
                listed = self.expected.get(name, {}).get("difference", [])
                if difference(self.kernel[name], self.runnel[name]) != listed:
                    self.fail("\n".join([
                        f"{name}: not the difference that observed/expected.json lists (kernel -, "
                        "runnel +).", *both, "", "Listed:", *(listed or ["nothing"])]))

    def test_every_listed_difference_is_explained(self):
        for name, entry in self.expected.items():
            with self.subTest(script=name):
                self.assertIn(name, SCRIPTS, "no such script")
                self.assertTrue(entry["pages"], "no page explains it")
                for page in entry["pages"]:
                    self.assertTrue(os.path.exists(os.path.join(OBSERVED, page)), page)

    def test_every_page_is_about_a_difference(self):
        pages = {name for name in os.listdir(OBSERVED) if name.endswith(".md")} - {"README.md"}
        used = {page for entry in self.expected.values() for page in entry["pages"]}
        self.assertEqual(pages, used)

    def test_nothing_is_in_the_list_for_no_reason(self):
        self.assertEqual([name for name, entry in self.expected.items()
                          if not entry["difference"]], [])

    def update(self):
        """Lists what there is now; which pages explain it stays to be written by hand."""
        found = {}
        for name in SCRIPTS:
            lines = difference(self.kernel[name], self.runnel[name])
            if lines:
                pages = self.expected.get(name, {}).get("pages", [])
                found[name] = {"pages": pages, "difference": lines}
        type(self).expected = found
        with open(EXPECTED, "w", encoding="utf-8") as file:
            json.dump({"kernel": os.uname().release, "differences": found}, file, indent=1)
            file.write("\n")


if __name__ == "__main__":
    main()
