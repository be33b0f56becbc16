#!/usr/bin/env python3
"""--pcap and -v: what crossed the device, to the octet and the nanosecond. --trace: how TCP sent."""
import csv
import os
import time

from harness import ADDRESS, PEER, InteropTest, main
from segments import read_capture


def ends(packet):
    """Source and destination of an IPv4 packet."""
    return ".".join(map(str, packet[12:16])), ".".join(map(str, packet[16:20]))


class CaptureTest(InteropTest):
    def test_the_file_has_every_packet_with_nanoseconds(self):
        path = os.path.join(self.folder(), "capture.pcap")
        server = self.serve("--pcap", path)
        began = time.time()
        self.run_program("ping", "-c", "3", "-i", "0.2", "-p", "c0ffee", ADDRESS)
        self.assertEqual(self.fetch_status(), "200")
        self.expect_end(server)
        packets = read_capture(path)

        echoes = [packet for _, packet in packets if packet[9] == 1]
        self.assertEqual([packet[20] for packet in echoes], [8, 0] * 3)
        for request, reply in zip(echoes[::2], echoes[1::2]):
            self.assertEqual((ends(request), ends(reply)), ((PEER, ADDRESS), (ADDRESS, PEER)))
            self.assertIn(b"\xc0\xff\xee" * 8, request)
            self.assertEqual(request[28:], reply[28:])

        segments = [packet for _, packet in packets if packet[9] == 6]
        flags = [packet[33] for packet in segments]
        self.assertEqual(flags[:3], [0x02, 0x12, 0x10])  # SYN, SYN-ACK, ACK
        self.assertTrue(any(b"GET / HTTP/1.1" in packet for packet in segments))
        self.assertTrue(any(b"HTTP/1.1 200" in packet for packet in segments))

        for at, packet in packets:
            self.assertEqual(packet[0] >> 4, 4)
            self.assertEqual(int.from_bytes(packet[2:4], "big"), len(packet))
            self.assertTrue(began - 5 < at < time.time() + 1, at)
        times = [at for at, _ in packets]
        self.assertEqual(times, sorted(times))
        self.assertTrue(any(round(at * 1e9) % 1000 for at in times), "only microseconds")

    def test_v_prints_each_packet_on_a_line(self):
        server = self.serve("-v")
        self.run_program("ping", "-c", "1", ADDRESS)
        self.assertEqual(self.fetch_status(), "200")
        self.expect_end(server)
        said = server.output() + server.errors()
        self.assertGreater(said.count("\n"), 8)
        for words in (PEER, ADDRESS, "echo request", "echo reply"):
            self.assertIn(words, said.replace("Echo", "echo"))

    def test_the_trace_shows_how_a_connection_sent(self):
        path = os.path.join(self.folder(), "trace.csv")
        server = self.serve("--trace", path)
        self.assertEqual(self.fetch_status(), "200")
        self.expect_end(server)
        with open(path, newline="") as file:
            rows = list(csv.DictReader(file))
        sent = [row for row in rows if row["event"] == "send"]
        acks = [row for row in rows if row["event"] == "ack"]
        self.assertEqual(sent[0]["offset"], "0")
        self.assertEqual(sent[-1]["nxt"], acks[-1]["una"])
        self.assertEqual({row["connection"] for row in rows}, {rows[0]["connection"]})
        self.assertGreater(int(rows[0]["cwnd"]), 0)


if __name__ == "__main__":
    main()
