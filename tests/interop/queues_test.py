#!/usr/bin/env python3
"""Several queues with a stack each, polling before sleep, and windows that fit the device's queue."""
import json
import os
import time

from harness import (ADDRESS, CHARGEN, CHAT, DISCARD, ECHO, MIB, InteropTest, connect, link, main,
                     read_exactly, wait_until)

QUEUES = ("--queues", "2")
FLOW_EXPIRY_SECONDS = 3  # after which the kernel forgets which queue a flow was written by


def thread_seconds(pid):
    """The processor time of each thread, by its number."""
    seconds = {}
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        seconds[thread] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return seconds



class QueuesTest(InteropTest):
    def converse(self, streams, turns=20):
        for turn in range(turns):
            for number, stream in enumerate(streams):
                stream.sendall(b"%d:%d;" % (number, turn) * 100)
            for number, stream in enumerate(streams):
                wanted = b"%d:%d;" % (number, turn) * 100
                self.assertEqual(read_exactly(stream, len(wanted)), wanted)

    def test_connections_spread_over_the_queues_and_all_are_served(self):
        server = self.serve(*QUEUES)
        streams = [connect(ECHO) for _ in range(64)]
        before = thread_seconds(server.pid)
        self.assertEqual(len(before), 2)
        end = time.monotonic() + 1
        while time.monotonic() < end:
            self.converse(streams, 5)
        after = thread_seconds(server.pid)
        for thread, seconds in before.items():
            self.assertGreater(after[thread], seconds, "a queue had nothing to do")
        for stream in streams:
            stream.close()
        self.assertEqual(self.fetch_status(), "200")

    def test_connections_outlive_the_kernels_memory_of_their_queue(self):
        self.serve(*QUEUES)
        streams = [connect(ECHO) for _ in range(16)]
        self.converse(streams, 1)
        time.sleep(FLOW_EXPIRY_SECONDS + 1.5)
        self.converse(streams, 1)
        for stream in streams:
            stream.close()

    def test_more_connections_than_the_kernel_remembers(self):
        self.serve(*QUEUES)
        for _ in range(6000):  # its table has 4,096 entries
            with connect(ECHO) as stream:
                stream.sendall(b"?")
                self.assertEqual(read_exactly(stream, 1), b"?")

    def test_members_of_the_chat_meet_whatever_queue_they_come_by(self):
        self.serve(*QUEUES)
        members = [connect(CHAT) for _ in range(8)]
        said = {member: b"" for member in members}

        def has_heard(member, word):
            member.setblocking(False)
            try:
                said[member] += member.recv(65536)
            except BlockingIOError:
                pass
            return word in said[member]

        for member in members:
            wait_until(lambda: has_heard(member, b"welcome"), 5, "welcome")  # noqa: B023
        for pause in 0, FLOW_EXPIRY_SECONDS + 1.5:
            time.sleep(pause)
            for number, speaker in enumerate(members):
                word = b"from %d after %d" % (number, pause)
                speaker.sendall(word + b"\n")
                for member in members:
                    if member is not speaker:
                        wait_until(lambda: has_heard(member, word), 5, word)  # noqa: B023
        for member in members:
            member.close()

    def test_ping_and_refusals_work_on_every_queue(self):
        self.serve(*QUEUES)
        self.run_program("ping", "-q", "-c", "3", "-i", "0.05", "-W", "2", ADDRESS)
        for _ in range(50):
            with self.assertRaises(ConnectionRefusedError):
                connect(4242)

    def test_a_signal_ends_all_queues_in_order(self):
        server = self.serve(*QUEUES)
        streams = [connect(port) for port in (ECHO, DISCARD, 80, CHAT) for _ in range(8)]
        time.sleep(0.2)
        server.terminate()
        for stream in streams:
            stream.settimeout(3)
            while stream.recv(65536):  # ConnectionResetError would be a reset
                pass
            stream.close()
        self.assertEqual(server.wait(6), 0, server.errors())

    def test_a_second_signal_cuts_short(self):
        server = self.serve(*QUEUES)
        streams = [connect(CHARGEN) for _ in range(4)]
        time.sleep(0.2)
        began = time.monotonic()
        server.terminate()
        time.sleep(0.3)
        server.terminate()
        self.assertEqual(server.wait(6), 0, server.errors())
        self.assertLess(time.monotonic() - began, 3)
        for stream in streams:
            stream.close()

    def test_a_device_deleted_under_the_server_ends_it_with_one_line(self):
        server = self.runnel("serve", *QUEUES)
        wait_until(lambda: "\n" in server.output(), 20, "ready")
        link("del", "tun0")
        self.assertEqual(server.wait(5), 1, server.errors())
        self.assertEqual(server.errors().strip(), "runnel: tun0: the device was deleted")

    def test_a_device_of_one_queue_is_refused_with_what_to_do(self):
        self.run_program("ip", "tuntap", "add", "dev", "tun0", "mode", "tun")
        self.addCleanup(link, "del", "tun0")
        server = self.runnel("serve", *QUEUES)
        self.assertEqual(server.wait(10), 1, server.errors())
        self.assertIn("mode tun user $USER multi_queue", server.errors())

    def test_a_device_made_for_several_queues_serves_one_as_well(self):
        self.run_program("ip", "tuntap", "add", "dev", "tun0", "mode", "tun", "multi_queue")
        self.addCleanup(link, "del", "tun0")
        server = self.serve()
        streams = [connect(ECHO) for _ in range(16)]
        self.converse(streams, 2)
        for stream in streams:
            stream.close()
        self.expect_end(server)


class BusyPollTest(InteropTest):
    def test_a_ping_pong_is_polled_for_and_silence_is_not(self):
        for options in ((), ("--busy-poll",), ("--busy-poll=300us", *QUEUES)):
            with self.subTest(options=options):
                server = self.serve(*options)
                with connect(ECHO) as stream:
                    for turn in range(5000):
                        stream.sendall(b"%d" % (turn % 10))
                        self.assertEqual(read_exactly(stream, 1), b"%d" % (turn % 10))
                    time.sleep(1)
                    before = server.cpu_seconds()
                    time.sleep(1)
                    self.assertEqual(server.cpu_seconds(), before)
                self.expect_end(server)


class DeviceQueueTest(InteropTest):
    def counters(self):
        return json.loads(self.run_program("ip", "-s", "-j", "link", "show", "tun0"))[0]["stats64"]

    def test_without_offload_nothing_is_lost_in_a_short_queue(self):
        self.run_program("ip", "tuntap", "add", "dev", "tun0", "mode", "tun")
        self.addCleanup(link, "del", "tun0")
        link("set", "tun0", "txqueuelen", "100")
        server = self.serve("--no-offload")
        self.assertIn("its queue holds 100 packets", server.errors())
        with connect(DISCARD, seconds=30) as stream:
            for _ in range(64):
                stream.sendall(bytes(MIB))
            stream.shutdown(1)
            self.assertEqual(stream.recv(1), b"")
        counters = self.counters()
        self.assertEqual(counters["tx"]["dropped"], 0)
        self.assertGreater(counters["tx"]["packets"], 64 * MIB // 1500)

    def test_a_device_of_its_own_has_room(self):
        server = self.serve("--no-offload")
        self.assertEqual(server.errors(), "")
        with connect(DISCARD, seconds=30) as stream:
            for _ in range(64):
                stream.sendall(bytes(MIB))
            stream.shutdown(1)
            self.assertEqual(stream.recv(1), b"")
        self.assertEqual(self.counters()["tx"]["dropped"], 0)


if __name__ == "__main__":
    main()
