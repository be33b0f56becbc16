#!/usr/bin/env python3
"""The web server, with curl and wrk."""
import os
import re
import socket

from harness import ADDRESS, HTTP, MIB, InteropTest, connect, main, write_bulk


class HttpTest(InteropTest):
    def test_the_front_page_and_what_is_not_there(self):
        self.serve()
        self.assertEqual(self.fetch_status("/"), "200")
        self.assertEqual(self.fetch_status("/none"), "404")
        self.assertEqual(self.fetch_status("/", "-X", "DELETE"), "405")
        self.assertEqual(self.fetch_status("/", "-I"), "200")
        self.assertEqual(self.fetch_status("/", "-H", "X: " + "x" * 100_000), "431")
        page = self.run_program("curl", "-sS", f"http://{ADDRESS}/")
        self.assertIn("runnel", page)

    def test_files_heads_and_ranges(self):
        folder = self.folder()
        write_bulk(os.path.join(folder, "file"), 3 * MIB + 5)
        with open(os.path.join(folder, "file"), "rb") as file:
            whole = file.read()
        self.serve("--http-root", folder)
        url, got = f"http://{ADDRESS}/file", os.path.join(folder, "got")
        for wanted, options in ((whole, []), (whole[100:200], ["-r", "100-199"]),
                                (whole[-7:], ["-r", "-7"]), (whole[MIB:], ["-r", f"{MIB}-"])):
            self.run_program("curl", "-sS", "-o", got, *options, url)
            with open(got, "rb") as file:
                self.assertEqual(file.read(), wanted, options)
        head = self.run_program("curl", "-sSI", url)
        self.assertRegex(head, rf"(?i)content-length: {len(whole)}\n")
        self.assertEqual(self.fetch_status("/file", "-r", f"{len(whole)}-"), "416")

    def test_nothing_outside_the_root_is_reachable(self):
        folder = self.folder()
        root = os.path.join(folder, "root")
        os.mkdir(root)
        with open(os.path.join(folder, "secret"), "w", encoding="ascii") as file:
            file.write("secret")
        os.symlink("../secret", os.path.join(root, "link"))
        os.symlink(folder, os.path.join(root, "up"))
        os.mkfifo(os.path.join(root, "pipe"))
        self.serve("--http-root", root)
        for path in ("/../secret", "/%2e%2e/secret", "/link", "/up/secret", "/..%2fsecret",
                     "//../secret", "/root/../../secret", "/pipe", "/%00"):
            with self.subTest(path=path):
                self.assertRegex(self.fetch_status(path, "--path-as-is"), "40[0-9]")

    def test_an_upload_of_100_mib_reads_its_refusal_in_full(self):
        folder = self.folder()
        body = os.path.join(folder, "body")
        with open(body, "wb") as file:
            file.truncate(100 * MIB)
        self.serve("--http-root", folder)
        for expectation in ("Expect:", "Expect: 100-continue"):
            for turn in range(3):
                with self.subTest(expectation=expectation, turn=turn):
                    # curl exits 0 only when it has seen the whole response.
                    code = self.fetch_status("/", "--data-binary", "@" + body, "-H", expectation)
                    self.assertIn(code, ("405", "413"))

    def test_two_requests_on_one_connection_and_nonsense(self):
        self.serve()
        code = self.run_program("curl", "-sS", "-o", os.devnull, "-o", os.devnull, "-w",
                                "%{http_code} %{num_connects};", f"http://{ADDRESS}/",
                                f"http://{ADDRESS}/")
        self.assertEqual(code, "200 1;200 0;")
        for nonsense in (b"\r\n\r\n\r\nnonsense\r\n\r\n", b"\x00\xff" * 64 + b"\r\n\r\n"):
            with connect(HTTP) as stream:
                stream.sendall(nonsense)
                stream.shutdown(socket.SHUT_WR)
                self.assertRegex(stream.recv(4096), rb"^HTTP/1.1 400 ")

    def test_wrk_sees_no_socket_errors(self):
        for offload in ([], ["--no-offload"]):
            server = self.serve(*offload)
            said = self.run_program("wrk", "-t1", "-c64", "-d5", f"http://{ADDRESS}/", seconds=30)
            self.assertNotIn("Socket errors", said)
            self.assertNotIn("Non-2xx", said)
            self.assertGreater(int(re.search(r"(\d+) requests in", said)[1]), 500, said)
            print(re.search(r"Requests/sec:.*", said)[0], *offload)
            self.expect_end(server)


if __name__ == "__main__":
    main()
