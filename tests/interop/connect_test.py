#!/usr/bin/env python3
"""`runnel connect` to servers on the kernel's TCP."""
import os
import socket
import subprocess
import threading
import time

from harness import (BULK_OCTETS, PEER, RUNNEL, HashingReader, InteropTest, Sender, main,
                     wait_until, write_bulk)

PORT = 5000


class ConnectTest(InteropTest):
    def listen(self):
        """A kernel listener on every address: the device that has PEER is not there yet."""
        listener = socket.create_server(("0.0.0.0", PORT))
        listener.settimeout(20)
        self.addCleanup(listener.close)
        return listener

    def accept(self, listener):
        stream, _ = listener.accept()
        stream.settimeout(60)
        self.addCleanup(stream.close)
        return stream

    def test_what_is_typed_arrives_and_the_answer_is_printed(self):
        listener = self.listen()
        client = self.runnel("connect", PEER, str(PORT), stdin=subprocess.PIPE)
        stream = self.accept(listener)
        client.process.stdin.write(b"a question\n")
        client.process.stdin.close()
        self.assertEqual(stream.makefile("rb").read(), b"a question\n")
        stream.sendall(b"an answer\n")  # half-closed: this direction is still open
        stream.close()
        self.assertEqual(client.wait(10), 0, client.errors())
        self.assertEqual(client.output(), "an answer\n")

    def test_nc_on_the_other_side(self):
        server = self.start("nc", "-l", "-N", "-p", str(PORT), stdin=subprocess.PIPE)
        wait_until(lambda: f":{PORT} " in self.run_program("ss", "-Hltn"), 5, "nc listens")
        client = self.runnel("connect", PEER, str(PORT), stdin=subprocess.PIPE)
        for process, line in ((client, b"from runnel\n"), (server, b"from the kernel\n")):
            process.process.stdin.write(line)
            process.process.stdin.flush()
        wait_until(lambda: client.output() == "from the kernel\n", 10, "the kernel's line")
        wait_until(lambda: server.output() == "from runnel\n", 10, "runnel's line")
        client.process.stdin.close()
        server.process.stdin.close()
        self.assertEqual(client.wait(10), 0, client.errors())
        self.assertEqual(server.wait(10), 0, server.errors())

    def test_a_file_goes_out_and_one_comes_in_with_their_hashes(self):
        path = os.path.join(self.folder(), "bulk")
        digest = write_bulk(path, BULK_OCTETS)
        for offload in ([], ["--no-offload"]):
            listener = self.listen()
            with open(path, "rb") as file:
                client = subprocess.Popen([RUNNEL, "connect", *offload, PEER, str(PORT)],
                                          stdin=file, stdout=subprocess.PIPE)
            self.addCleanup(client.wait)
            self.addCleanup(client.kill)
            self.addCleanup(client.stdout.close)
            stream = self.accept(listener)
            received = HashingReader(stream.recv)
            hashing = threading.Thread(target=received.take, daemon=True)
            hashing.start()
            Sender(stream, BULK_OCTETS)
            printed = HashingReader(lambda most: os.read(client.stdout.fileno(), most))
            self.assertEqual(printed.take(), digest)
            hashing.join(60)
            self.assertEqual(received.octets, BULK_OCTETS)
            self.assertEqual(received.take(), digest)
            self.assertEqual(client.wait(10), 0)
            listener.close()

    def test_refused_exits_1_at_once(self):
        began = time.monotonic()
        client = self.runnel("connect", PEER, str(PORT))
        self.assertEqual(client.wait(10), 1, client.errors())
        self.assertIn("refused", client.errors())
        self.assertEqual(client.errors().count("\n"), 1, client.errors())
        self.assertLess(time.monotonic() - began, 3)

    def test_a_reset_in_the_middle_exits_1(self):
        listener = self.listen()
        client = self.runnel("connect", PEER, str(PORT), stdin=subprocess.PIPE)
        stream = self.accept(listener)
        stream.sendall(b"the beginning")
        wait_until(lambda: client.output() == "the beginning", 10, "the beginning")
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        stream.close()
        self.assertEqual(client.wait(10), 1, client.errors())
        self.assertIn("reset", client.errors())

    def test_bad_arguments_exit_2_with_the_reason(self):
        for arguments in ((PEER,), (PEER, "0"), (PEER, "65536"), (PEER, "-1"), (PEER, "x"),
                          ("localhost", "80"), ("192.0.2.256", "80"), ("::1", "80"), ()):
            with self.subTest(arguments=arguments):
                client = self.runnel("connect", *arguments)
                self.assertEqual(client.wait(10), 2, client.errors())
                self.assertTrue(client.errors().strip())

    def test_an_interrupt_ends_it_and_the_device_is_gone(self):
        listener = self.listen()
        client = self.runnel("connect", PEER, str(PORT), stdin=subprocess.PIPE)
        self.accept(listener)
        client.terminate()
        client.wait(8)
        self.assertNotIn("tun0", self.run_program("ip", "-o", "link"))


if __name__ == "__main__":
    main()
