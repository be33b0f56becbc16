#!/usr/bin/env python3
"""Echo, discard, chargen and chat, with nc and with many sockets at once."""
import asyncio
import itertools
import os
import subprocess
import time

from harness import (ADDRESS, CHARGEN, CHAT, DISCARD, ECHO, MIB, SANITIZED, InteropTest, connect,
                     main, read_exactly, read_until)


class EchoTest(InteropTest):
    def test_nc_gets_its_lines_back(self):
        self.serve()
        said = self.run_program("nc", "-N", "-w", "5", ADDRESS, str(ECHO), text="hello\nworld\n")
        self.assertEqual(said, "hello\nworld\n")

    def test_port_0_switches_a_service_off(self):
        self.serve("--echo", "0", "--discard", "1009")
        with self.assertRaises(ConnectionRefusedError):
            connect(ECHO)
        with self.assertRaises(ConnectionRefusedError):
            connect(DISCARD)
        connect(1009).close()

    def test_200_connections_at_once_get_each_its_own_octets(self):
        self.serve()

        async def converse(number, all_open):
            reader, writer = await asyncio.open_connection(ADDRESS, ECHO)
            await all_open.wait()
            for turn in range(4):
                sent = f"{number}:{turn};".encode() * 4096
                writer.write(sent)
                got = await reader.readexactly(len(sent))
                self.assertEqual(got, sent)
            writer.write_eof()
            self.assertEqual(await reader.read(), b"")
            writer.close()

        async def everybody():
            all_open = asyncio.Barrier(200)
            await asyncio.gather(*(converse(number, all_open) for number in range(200)))

        asyncio.run(asyncio.wait_for(everybody(), 60))

    def test_a_thousand_short_connections_one_after_the_other(self):
        self.serve()
        for number in range(1000):
            with connect(ECHO) as stream:
                stream.sendall(b"%d" % number)
                self.assertEqual(read_exactly(stream, len(b"%d" % number)), b"%d" % number)


class DiscardAndChargenTest(InteropTest):
    def test_discard_takes_everything_and_says_nothing(self):
        self.serve()
        with connect(DISCARD) as stream:
            for _ in range(16):
                stream.sendall(bytes(MIB))
            stream.shutdown(1)
            self.assertEqual(stream.recv(1), b"")

    def test_chargen_sends_the_pattern_of_rfc_864(self):
        self.serve()
        printable = bytes(range(32, 127))
        lines = [(printable[n:] + printable[:n])[:72] + b"\r\n" for n in range(95)]
        with connect(CHARGEN) as stream:
            for line in itertools.islice(itertools.cycle(lines), 1000):
                self.assertEqual(read_exactly(stream, len(line)), line)

    def test_a_client_killed_in_the_middle_harms_nobody(self):
        server = self.serve()
        for port in (CHARGEN, ECHO):
            client = self.start("bash", "-c",
                                f"exec nc {ADDRESS} {port} </dev/zero >/dev/null")
            time.sleep(0.5)
            self.assertTrue(client.is_running(), client.errors())
            client.process.kill()
            client.wait(5)
            self.assertEqual(self.fetch_status(), "200")
        self.assertTrue(server.is_running())


class MemoryAndProcessorTest(InteropTest):
    """A peer that does not read costs two queues; nobody costs nothing."""

    # Per connection: a send and a receive queue of 1 MiB, slabs around them, and what the pool
    # keeps; with sanitizers every block has red zones.
    LIMIT_OCTETS = 64 * MIB * (4 if SANITIZED else 1)

    def test_clients_that_do_not_read_chargen_do_not_make_memory_grow(self):
        server = self.serve()
        before = server.resident_octets()
        streams = [connect(CHARGEN) for _ in range(8)]
        time.sleep(1)
        settled = server.resident_octets()
        time.sleep(2)
        self.assertLess(settled - before, self.LIMIT_OCTETS)
        self.assertLess(server.resident_octets() - settled, 4 * MIB)
        self.assertEqual(self.fetch_status(), "200")
        for stream in streams:
            stream.close()

    def test_clients_that_flood_echo_without_reading_are_held_back(self):
        server = self.serve()
        before = server.resident_octets()
        streams = [connect(ECHO) for _ in range(8)]
        for stream in streams:
            stream.setblocking(False)
        sent, piece, end = 0, bytes(65536), time.monotonic() + 3
        while time.monotonic() < end:
            moved = 0
            for stream in streams:
                try:
                    moved += stream.send(piece)
                except BlockingIOError:
                    pass
            sent += moved
            if not moved:
                time.sleep(0.01)
        self.assertLess(server.resident_octets() - before, self.LIMIT_OCTETS)
        self.assertLess(sent, 8 * 32 * MIB, "the peers were never held back")
        self.assertEqual(self.fetch_status(), "200")
        for stream in streams:
            stream.close()

    def test_an_idle_server_does_not_use_the_processor(self):
        server = self.serve()
        with connect(ECHO) as stream:
            stream.sendall(b"x")
            read_exactly(stream, 1)
            time.sleep(0.5)
            before = server.cpu_seconds()
            time.sleep(2)
            self.assertLess(server.cpu_seconds() - before, 0.05)


class ChatTest(InteropTest):
    def join(self):
        nc = subprocess.Popen(["nc", ADDRESS, str(CHAT)], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE)
        self.addCleanup(nc.stdout.close)
        self.addCleanup(nc.wait)
        self.addCleanup(nc.kill)
        self.addCleanup(nc.stdin.close)
        read_until(nc.stdout.fileno(), b"\n")  # the greeting
        return nc

    def say(self, nc, line):
        os.write(nc.stdin.fileno(), line)

    def test_two_ncs_see_each_others_lines_and_leaves(self):
        self.serve()
        ann, bob = self.join(), self.join()
        self.say(ann, b"/nick ann\n")
        read_until(bob.stdout.fileno(), b"ann")
        self.say(ann, b"good morning\n")
        self.assertIn(b"ann", read_until(bob.stdout.fileno(), b"good morning\n"))
        self.say(bob, b"good evening\n")
        read_until(ann.stdout.fileno(), b"good evening\n")
        self.say(bob, b"/who\n")
        read_until(bob.stdout.fileno(), b"ann")
        self.say(bob, b"/nick bob\n")
        read_until(ann.stdout.fileno(), b"bob")
        bob.kill()
        self.assertIn(b"bob", read_until(ann.stdout.fileno(), b"left"))

    def test_control_characters_do_not_reach_the_others(self):
        self.serve()
        ann, bob = self.join(), self.join()
        self.say(ann, b"red \x1b[31m\x07 alert\n")
        got = read_until(bob.stdout.fileno(), b"alert")
        self.assertNotIn(b"\x1b", got)
        self.assertNotIn(b"\x07", got)


if __name__ == "__main__":
    main()
