#!/usr/bin/env python3
"""Explicit congestion notification with the kernel's TCP, each way: what is agreed upon, and that
marks come back and are answered. The impaired device marks packets both ways."""
import os

from harness import ADDRESS, MIB, PEER, InteropTest, main
from segments import ACC_ECN, captured_segments

PORT = 5000
OCTETS = 4 * MIB
MARKING = "delay=1ms,mark=2%,seed=5"

NOT_ECT, ECT_0, CE = 0, 2, 3
CLASSIC_SYN, CLASSIC_SYN_ACK, ACCURATE_SYN = 0b011, 0b001, 0b111
ACCURATE_SYN_ACKS = {0b010, 0b011, 0b100, 0b110}

# net.ipv4.tcp_ecn
KERNEL_OFF, KERNEL_CLASSIC, KERNEL_WHEN_ASKED, KERNEL_ACCURATE = 0, 1, 2, 3


def switch_kernel(mode):
    with open("/proc/sys/net/ipv4/tcp_ecn", "w", encoding="ascii") as file:
        file.write(str(mode))


class EcnTest(InteropTest):
    def use_kernel(self, mode):
        try:
            switch_kernel(mode)
        except OSError:
            if mode == KERNEL_ACCURATE:
                self.skipTest("this kernel has no AccECN")
            raise
        self.addCleanup(switch_kernel, KERNEL_WHEN_ASKED)

    def serve_and_echo(self, *flags):
        """The kernel connects; octets go to runnel and come back."""
        path = os.path.join(self.folder(), "capture.pcap")
        server = self.serve("--pcap", path, *flags)
        self.echo(OCTETS)
        self.expect_end(server)
        return captured_segments(path)

    def connect_and_exchange(self, *flags):
        """runnel connects; octets go both ways at the same time."""
        path = os.path.join(self.folder(), "capture.pcap")
        self.exchange(PORT, OCTETS, "--pcap", path, *flags)
        return captured_segments(path)

    def handshake(self, segments):
        syn = segments[0]
        syn_ack = next(s for s in segments if "S" in s.flags and "A" in s.flags)
        self.assertIn("S", syn.flags)
        self.assertEqual((syn.ecn(), syn_ack.ecn()), (NOT_ECT, NOT_ECT))
        return syn.ecn_bits(), syn_ack.ecn_bits()

    @staticmethod
    def after_handshake(segments, source):
        return [s for s in segments if s.source == source and not set("SR") & set(s.flags)]

    def expect_codepoints(self, segments, takes_part):
        """New data of runnel's are ECT(0) when ECN was agreed upon; nothing else ever is."""
        ours = self.after_handshake(segments, ADDRESS)
        seen = {s.ecn() for s in ours if s.payload}
        self.assertEqual(ECT_0 in seen or CE in seen, takes_part)
        self.assertLessEqual(seen, {NOT_ECT, ECT_0, CE})
        self.assertLessEqual({s.ecn() for s in ours if not s.payload}, {NOT_ECT})

    def expect_classic_marks(self, segments):
        """Both sides were marked, said so, and answered."""
        for source in ADDRESS, PEER:
            sent = self.after_handshake(segments, source)
            self.assertTrue(any("E" in s.flags for s in sent), f"no ECE from {source}")
            self.assertTrue(any("C" in s.flags for s in sent), f"no CWR from {source}")
            self.assertFalse(any("C" in s.flags and not s.payload for s in sent))

    def expect_accurate_marks(self, segments):
        """Both sides count marks in ACE, and report octets in options."""
        for source in ADDRESS, PEER:
            sent = self.after_handshake(segments, source)
            self.assertGreater(len({s.ecn_bits() for s in sent}), 4, f"ACE of {source}")
            self.assertTrue(any(ACC_ECN & s.option_kinds() for s in sent), f"options of {source}")

    # --- Classic ECN ---

    def test_the_kernel_asks_for_classic_ecn(self):
        self.use_kernel(KERNEL_CLASSIC)
        segments = self.serve_and_echo("--impair", MARKING)
        self.assertEqual(self.handshake(segments), (CLASSIC_SYN, CLASSIC_SYN_ACK))
        self.expect_codepoints(segments, True)
        self.expect_classic_marks(segments)

    def test_the_kernel_is_asked_for_classic_ecn(self):
        for mode in KERNEL_CLASSIC, KERNEL_WHEN_ASKED:
            with self.subTest(mode=mode):
                self.use_kernel(mode)
                segments = self.connect_and_exchange("--ecn", "classic", "--impair", MARKING)
                self.assertEqual(self.handshake(segments), (CLASSIC_SYN, CLASSIC_SYN_ACK))
                self.expect_codepoints(segments, True)
                self.expect_classic_marks(segments)

    def test_super_packets_take_part_too(self):
        self.use_kernel(KERNEL_CLASSIC)
        segments = self.serve_and_echo()
        self.assertEqual(self.handshake(segments), (CLASSIC_SYN, CLASSIC_SYN_ACK))
        self.expect_codepoints(segments, True)

    # --- No ECN ---

    def test_nobody_asks(self):
        self.use_kernel(KERNEL_WHEN_ASKED)
        self.assertEqual(self.handshake(self.serve_and_echo()), (0, 0))
        segments = self.connect_and_exchange("--impair", MARKING)
        self.assertEqual(self.handshake(segments), (0, 0))
        self.expect_codepoints(segments, False)
        for segment in segments:
            self.assertEqual(segment.ecn_bits(), 0)

    def test_one_side_does_not_want_to(self):
        self.use_kernel(KERNEL_CLASSIC)
        segments = self.serve_and_echo("--ecn", "off")
        self.assertEqual(self.handshake(segments), (CLASSIC_SYN, 0))
        self.expect_codepoints(segments, False)
        self.use_kernel(KERNEL_OFF)
        for ecn, syn in ("classic", CLASSIC_SYN), ("accurate", ACCURATE_SYN):
            segments = self.connect_and_exchange("--ecn", ecn)
            self.assertEqual(self.handshake(segments), (syn, 0))
            self.expect_codepoints(segments, False)

    # --- AccECN ---

    def test_a_wish_for_accecn_gets_classic_ecn(self):
        self.use_kernel(KERNEL_CLASSIC)
        segments = self.connect_and_exchange("--ecn", "accurate", "--impair", MARKING)
        self.assertEqual(self.handshake(segments), (ACCURATE_SYN, CLASSIC_SYN_ACK))
        self.expect_codepoints(segments, True)
        self.expect_classic_marks(segments)

    def test_the_kernel_asks_for_accecn(self):
        self.use_kernel(KERNEL_ACCURATE)
        segments = self.serve_and_echo("--impair", MARKING)
        syn, syn_ack = self.handshake(segments)
        self.assertEqual(syn, ACCURATE_SYN)
        self.assertIn(syn_ack, ACCURATE_SYN_ACKS)
        self.expect_codepoints(segments, True)
        self.expect_accurate_marks(segments)

    def test_the_kernel_is_asked_for_accecn(self):
        self.use_kernel(KERNEL_ACCURATE)
        segments = self.connect_and_exchange("--ecn", "accurate", "--impair", MARKING)
        syn, syn_ack = self.handshake(segments)
        self.assertEqual(syn, ACCURATE_SYN)
        self.assertIn(syn_ack, ACCURATE_SYN_ACKS)
        self.expect_codepoints(segments, True)
        self.expect_accurate_marks(segments)


if __name__ == "__main__":
    main()
