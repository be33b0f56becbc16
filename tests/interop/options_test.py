#!/usr/bin/env python3
"""Timestamps, SACK and window scaling, each switched off on either side, and all of them: the
octets arrive, and the options on the wire are those that both sides agreed upon."""
import itertools
import os

from harness import ADDRESS, MIB, PEER, InteropTest, main
from segments import (MSS, SACK, SACK_PERMITTED, TIMESTAMPS, WINDOW_SCALE, captured_segments)

PORT = 5000
OCTETS = 24 * MIB
LOSSY_OCTETS = 4 * MIB

# name: the option's kind, the kernel's switch, runnel's flag
OPTIONS = {
    "timestamps": (TIMESTAMPS, "tcp_timestamps", "--no-timestamps"),
    "sack": (SACK_PERMITTED, "tcp_sack", "--no-sack"),
    "window scaling": (WINDOW_SCALE, "tcp_window_scaling", "--no-window-scaling"),
}
KINDS = {kind for kind, _, _ in OPTIONS.values()}


def kinds_of(names):
    return {OPTIONS[name][0] for name in names}


class OptionsTest(InteropTest):
    def switch_off_in_the_kernel(self, names):
        for name, (_, switch, _) in OPTIONS.items():
            with open(f"/proc/sys/net/ipv4/{switch}", "w", encoding="ascii") as file:
                file.write("0" if name in names else "1")
        if names:
            self.addCleanup(self.switch_off_in_the_kernel, ())

    def flags(self, path, names, *more):
        return ("--pcap", path, *(OPTIONS[name][2] for name in names), *more)

    def serve_and_echo(self, kernel_off, runnel_off, octets=OCTETS, more=()):
        path = os.path.join(self.folder(), "capture.pcap")
        self.switch_off_in_the_kernel(kernel_off)
        server = self.serve(*self.flags(path, runnel_off, *more))
        self.echo(octets)
        self.expect_end(server)
        return captured_segments(path)

    def connect_and_exchange(self, kernel_off, runnel_off, octets=OCTETS, more=()):
        """runnel connects; octets go both ways at the same time."""
        path = os.path.join(self.folder(), "capture.pcap")
        self.switch_off_in_the_kernel(kernel_off)
        self.exchange(PORT, octets, *self.flags(path, runnel_off, *more))
        return captured_segments(path)

    def expect_options(self, segments, kernel_off, runnel_off, runnel_is_client):
        """What each side offered, and what both did with it."""
        syn, syn_ack = segments[0], next(s for s in segments if s.flags == "SA")
        self.assertEqual(syn.flags.strip("EC"), "S")
        client_off, server_off = \
            (runnel_off, kernel_off) if runnel_is_client else (kernel_off, runnel_off)
        offered = KINDS - kinds_of(client_off)
        agreed = offered - kinds_of(server_off)
        self.assertEqual(syn.option_kinds() & KINDS, offered, "of the SYN")
        self.assertEqual(syn_ack.option_kinds() & KINDS, agreed, "of the SYN,ACK")
        self.assertIn(MSS, syn.option_kinds() & syn_ack.option_kinds())
        for segment in segments[2:]:
            if segment.flags == "R":
                continue
            kinds = segment.option_kinds() - {SACK}
            self.assertEqual(kinds, agreed & {TIMESTAMPS}, segment.flags)
        return agreed

    def expect_scaled_windows(self, segments, agreed):
        """More than 64 KiB are in flight only when both scale their windows."""
        scale = {}
        for segment in segments[:2]:
            values = dict(segment.option_list())
            scale[segment.source] = \
                values[WINDOW_SCALE][0] if WINDOW_SCALE in agreed else 0
        largest = max(s.window << scale[s.source] for s in segments[2:])
        if WINDOW_SCALE in agreed:
            self.assertGreater(largest, 65535)
        else:
            self.assertLessEqual(largest, 65535)

    def each_switched_off(self):
        for side, names in itertools.product(("kernel", "runnel"),
                                             (*((name,) for name in OPTIONS), tuple(OPTIONS))):
            off = (names, ()) if side == "kernel" else ((), names)
            with self.subTest(side=side, off=names):
                yield off

    def test_all_are_used_when_nothing_is_switched_off(self):
        segments = self.serve_and_echo((), ())
        self.assertEqual(self.expect_options(segments, (), (), False), KINDS)
        self.expect_scaled_windows(segments, KINDS)
        segments = self.connect_and_exchange((), ())
        self.assertEqual(self.expect_options(segments, (), (), True), KINDS)
        self.expect_scaled_windows(segments, KINDS)

    def test_a_server_without_one_of_them(self):
        for off in self.each_switched_off():
            segments = self.serve_and_echo(*off)
            agreed = self.expect_options(segments, *off, False)
            self.expect_scaled_windows(segments, agreed)

    def test_a_client_without_one_of_them(self):
        for off in self.each_switched_off():
            segments = self.connect_and_exchange(*off)
            agreed = self.expect_options(segments, *off, True)
            self.expect_scaled_windows(segments, agreed)

    def test_sack_blocks_are_sent_only_when_both_permit_them(self):
        for off in (), ("sack",), tuple(OPTIONS):
            for kernel_off, runnel_off in {(off, ()), ((), off)}:
                with self.subTest(kernel_off=kernel_off, runnel_off=runnel_off):
                    segments = self.serve_and_echo(
                        kernel_off, runnel_off, LOSSY_OCTETS,
                        ("--impair", "delay=1ms,loss=1%,reorder=1%,dup=1%,seed=3"))
                    blocks = {segment.source for segment in segments
                              if SACK in segment.option_kinds()}
                    self.assertEqual(blocks, set() if off else {ADDRESS, PEER})


if __name__ == "__main__":
    main()
