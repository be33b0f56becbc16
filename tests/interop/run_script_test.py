#!/usr/bin/env python3
"""scripts/run, as the README tells a newcomer to use it."""
import os
import subprocess
import time

from harness import ADDRESS, TOP, InteropTest, main, wait_until

RUN = os.path.join(TOP, "scripts", "run")
CURL = f"curl -sS -o /dev/null -w '%{{http_code}}' --max-time 10 http://{ADDRESS}/\n"


class RunScriptTest(InteropTest):
    def test_rootless_runs_the_commands_of_standard_input_beside_the_server(self):
        said = self.run_program(RUN, "--rootless", text=CURL, seconds=300)
        self.assertEqual(said, "200")
        self.assertNotIn("tun0", self.run_program("ip", "-o", "link"))

    def test_rootless_passes_options_on_and_the_last_status_back(self):
        self.run_program(RUN, "--rootless", "--http", "8080", text="exit 7\n", status=7)
        said = self.run_program(RUN, "--rootless", "--http", "8080",
                                text=CURL.replace("2/\n", "2:8080/\n"))
        self.assertEqual(said, "200")

    def test_rootless_reports_a_server_that_does_not_start(self):
        began = time.monotonic()
        ran = subprocess.run([RUN, "--rootless", "--echo", "70000"], input="echo not reached\n",
                             capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(ran.returncode, 2, ran.stderr)
        self.assertIn("exit status 2", ran.stderr)
        self.assertEqual(ran.stdout, "")
        self.assertLess(time.monotonic() - began, 30)

    def test_with_root_the_server_answers_a_second_terminal(self):
        script = self.start(RUN)
        wait_until(lambda: "\n" in script.output() or not script.is_running(), 60, "ready")
        self.assertEqual(self.fetch_status(), "200", script.errors())
        script.terminate()
        self.assertEqual(script.wait(10), 0, script.errors())
        self.assertNotIn("tun0", self.run_program("ip", "-o", "link"))

    def test_no_package_manager_is_called_when_nothing_is_missing(self):
        folder = self.folder()
        for name in ("apt-get", "apt", "dpkg", "sudo"):
            path = os.path.join(folder, name)
            with open(path, "w", encoding="ascii") as file:
                file.write("#!/bin/sh\necho called >&2\nexit 99\n")
            os.chmod(path, 0o755)
        subprocess.run([os.path.join(TOP, "scripts", "install-packages"), "build", "run"],
                       env={**os.environ, "PATH": folder + ":" + os.environ["PATH"]}, check=True,
                       timeout=30)


if __name__ == "__main__":
    main()
