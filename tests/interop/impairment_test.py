#!/usr/bin/env python3
"""Transfers each way over a path that delays, loses, reorders, repeats and spoils packets: every
octet, in order."""
import os
import socket
import subprocess
import time

from harness import (ADDRESS, ECHO, HTTP, PEER, HashingReader, InteropTest, MIB, SANITIZED, Sender,
                     bulk_hash, connect, main, write_bulk)

OCTETS = (16 if SANITIZED else 64) * MIB
BAD = "delay=0.5ms,jitter=0.1ms,rate=500mbit,loss=3%,reorder=2%,dup=1%,corrupt=0.5%"


class ImpairmentTest(InteropTest):
    def report(self, octets, began, what):
        print(f"{octets * 8e-6 / (time.monotonic() - began):.0f} Mbit/s {what}", end=" ", flush=True)

    def test_runnel_sends_over_a_bad_path(self):
        folder = self.folder()
        digest = write_bulk(os.path.join(folder, "bulk"), OCTETS)
        self.serve("--http-root", folder, "--impair", f"{BAD},seed=1")
        began = time.monotonic()
        with subprocess.Popen(["curl", "-sSf", "--max-time", "120", f"http://{ADDRESS}:{HTTP}/bulk"],
                              stdout=subprocess.PIPE) as curl:
            reader = HashingReader(lambda most: os.read(curl.stdout.fileno(), most))
            self.assertEqual(reader.take(), digest)
            self.assertEqual(curl.wait(10), 0)
        self.report(OCTETS, began, "down")

    def test_runnel_receives_over_a_bad_path(self):
        """What runnel receives it prints: here its standard output is hashed."""
        with socket.create_server(("0.0.0.0", 5000)) as listener:
            listener.settimeout(20)
            client = self.runnel("connect", PEER, "5000", "--impair", f"{BAD},seed=2")
            stream, _ = listener.accept()
        began = time.monotonic()
        with stream:
            stream.settimeout(120)
            sender = Sender(stream, OCTETS)
            sender.join(120)
            self.assertIsNone(sender.error)
            self.assertEqual(client.wait(60), 0, client.errors())
        client.out.seek(0)
        self.assertEqual(HashingReader(client.out.read).take(), bulk_hash(OCTETS))
        self.report(OCTETS, began, "up")

    def test_both_directions_at_once_over_a_bad_path(self):
        octets = OCTETS // 8
        self.serve("--impair", f"{BAD},seed=3")
        with connect(ECHO, seconds=60) as stream:
            began = time.monotonic()
            sender = Sender(stream, octets)
            self.assertEqual(HashingReader(stream.recv).take(), bulk_hash(octets))
            sender.join(10)
            self.assertIsNone(sender.error)
            self.report(octets, began, "echoed")

    def test_a_delay_is_what_ping_measures(self):
        self.serve("--impair", "delay=30ms")
        said = self.run_program("ping", "-c", "3", "-i", "0.2", ADDRESS)
        shortest = float(said.rpartition(" = ")[2].split("/")[0])
        self.assertGreaterEqual(shortest, 60)
        self.assertLess(shortest, 80)


if __name__ == "__main__":
    main()
