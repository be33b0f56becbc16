#!/usr/bin/env python3
"""ICMP echo, both ways: the kernel pings the stack, the stack pings the kernel."""
import re

from harness import ADDRESS, PEER, InteropTest, main


class PingTest(InteropTest):
    def assert_no_loss(self, *options, count=3):
        said = self.run_program("ping", "-n", "-c", str(count), "-i", "0.2", "-W", "2", *options,
                                ADDRESS)
        self.assertIn(f"{count} packets transmitted, {count} received, 0% packet loss", said)
        self.assertNotIn("wrong data", said)
        self.assertNotIn("DUP", said)

    def test_three_pings_are_answered(self):
        self.serve()
        self.run_program("ping", "-c", "3", "-i", "0.2", ADDRESS)
        self.assert_no_loss()

    def test_empty_fragmented_and_largest_pings_are_answered(self):
        for offload in ([], ["--no-offload"]):
            server = self.serve(*offload)
            # 1472 fills one packet, 1473 is the first that is fragmented, 65507 the largest.
            for octets in (0, 1, 1472, 1473, 4000, 65507):
                with self.subTest(octets=octets, offload=offload):
                    self.assert_no_loss("-s", str(octets))
            self.expect_end(server)

    def test_a_burst_of_pings_is_answered(self):
        self.serve()
        self.assert_no_loss("-i", "0.002", count=300)

    def test_another_address_of_the_network_does_not_answer(self):
        self.serve()
        said = self.run_program("ping", "-n", "-c", "2", "-i", "0.2", "-W", "1", "192.0.2.99",
                                status=1)
        self.assertIn("100% packet loss", said)

    def test_runnel_pings_the_kernel(self):
        ping = self.runnel("ping", "-c", "3", PEER)
        self.assertEqual(ping.wait(15), 0, ping.errors())
        self.assertEqual(len(re.findall(rf"{re.escape(PEER)}.*time", ping.output())), 3,
                         ping.output())

    def test_runnel_ping_without_an_answer_exits_1(self):
        ping = self.runnel("ping", "-c", "2", "192.0.2.77")
        self.assertEqual(ping.wait(20), 1, ping.output() + ping.errors())

    def test_runnel_ping_of_no_address_exits_2(self):
        for host in ("300.0.0.1", "example.org", "192.0.2", "::1", ""):
            with self.subTest(host=host):
                ping = self.runnel("ping", "-c", "1", host)
                self.assertEqual(ping.wait(10), 2, ping.errors())
                self.assertTrue(ping.errors().strip())


if __name__ == "__main__":
    main()
