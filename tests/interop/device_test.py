#!/usr/bin/env python3
"""The TUN device that is busy, forbidden, deleted, down or made by somebody else; bad usage; the
end by a signal."""
import socket
import time

from harness import ADDRESS, CHARGEN, ECHO, PEER, RUNNEL, InteropTest, connect, link, main, \
    read_exactly, wait_until

# How to run a program as a user whose every privilege is gone (user 0 in its own namespace keeps
# the right to open /dev/net/tun, where that is not everybody's).
UNPRIVILEGED = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")


class DeviceTest(InteropTest):
    def tuntap(self, name, *options):
        self.run_program("ip", "tuntap", "add", "dev", name, "mode", "tun", *options)
        self.addCleanup(self.run_program, "ip", "link", "del", name, status=None)

    def assert_refused(self, process, *words, status=1, seconds=10):
        """The process ends with `status` and one line on standard error that has all words."""
        self.assertEqual(process.wait(seconds), status, process.output() + process.errors())
        said = process.errors()
        self.assertTrue(said.strip(), "nothing was said")
        for word in words:
            self.assertIn(word, said)
        if status == 1:
            self.assertEqual(said.strip().count("\n"), 0, said)

    def test_a_device_of_its_own_is_gone_afterwards(self):
        server = self.serve("--tun", "runnel7", "--address", "198.51.100.2/24", "--mtu", "1400")
        said = self.run_program("ip", "-o", "link", "show", "runnel7")
        self.assertIn("mtu 1400", said)
        self.assertIn("inet 198.51.100.1/24", self.run_program("ip", "-o", "address"))
        self.assertEqual(self.fetch_status(host="198.51.100.2"), "200")
        self.expect_end(server)
        self.assertNotIn("runnel7", self.run_program("ip", "-o", "link"))

    def test_a_device_made_by_somebody_else_is_left_as_it_is(self):
        self.tuntap("tun3")
        self.run_program("ip", "address", "add", "192.0.2.9/24", "dev", "tun3")
        link("set", "tun3", "up", "mtu", "1300")
        server = self.serve("--tun", "tun3")
        self.assertEqual(self.fetch_status(), "200")
        self.expect_end(server)
        said = self.run_program("ip", "-o", "address", "show", "tun3")
        self.assertIn("inet 192.0.2.9/24", said)
        self.assertNotIn(PEER, said)
        self.assertIn("mtu 1300", self.run_program("ip", "-o", "link", "show", "tun3"))

    def test_a_prepared_device_needs_no_privilege(self):
        self.tuntap("tun0", "user", "0")
        self.run_program("ip", "address", "add", f"{PEER}/24", "dev", "tun0")
        link("set", "tun0", "up")
        server = self.start(*UNPRIVILEGED, RUNNEL, "serve")
        wait_until(lambda: "\n" in server.output() or not server.is_running(), 20, "ready")
        self.assertEqual(self.fetch_status(), "200", server.errors())
        self.expect_end(server)

    def test_without_permission_the_ip_commands_are_named(self):
        server = self.start(*UNPRIVILEGED, RUNNEL, "serve", "--tun", "tun5")
        self.assertEqual(server.wait(10), 1, server.errors())
        for words in ("ip tuntap add", "tun5", "user", f"{PEER}/24", "ip link set"):
            self.assertIn(words, server.errors())

    def test_a_busy_device_is_an_error(self):
        self.serve()
        self.assert_refused(self.runnel("serve"), "tun0", "busy")
        self.assertEqual(self.fetch_status(), "200")

    def test_what_is_not_a_tun_is_an_error(self):
        self.run_program("ip", "tuntap", "add", "dev", "tap0", "mode", "tap")
        self.assert_refused(self.runnel("serve", "--tun", "tap0"), "tap0")
        self.assert_refused(self.runnel("serve", "--tun", "lo"), "lo")

    def test_a_device_deleted_under_the_server_ends_it(self):
        for busy in (False, True):
            server = self.runnel("serve")
            wait_until(lambda: "\n" in server.output(), 20, "ready")  # noqa: B023
            client = self.start("bash", "-c", f"exec nc {ADDRESS} {CHARGEN} >/dev/null") if busy \
                else None
            time.sleep(0.3)
            began = time.monotonic()
            link("del", "tun0")
            self.assert_refused(server, "tun0", seconds=4)
            self.assertLess(time.monotonic() - began, 2)
            if client:
                client.kill()

    def test_a_link_that_is_down_costs_nothing_and_comes_back(self):
        server = self.serve()
        with connect(ECHO) as stream:
            stream.sendall(b"before")
            read_exactly(stream, 6)
            link("set", "tun0", "down")
            stream.settimeout(15)
            time.sleep(0.3)
            before = server.cpu_seconds()
            time.sleep(1)
            self.assertLess(server.cpu_seconds() - before, 0.1, "spins while the link is down")
            link("set", "tun0", "up")
            stream.sendall(b"after")
            self.assertEqual(read_exactly(stream, 5), b"after")
        self.assertEqual(self.fetch_status(), "200")

    def test_bad_usage_exits_2_with_the_reason(self):
        for arguments in (("--address", "192.0.2.2"), ("--address", "300.0.2.2/24"),
                          ("--address", "192.0.2.2/33"), ("--address", "2001:db8::2/64"),
                          ("--address", ""), ("--peer", "192.0.2"), ("--echo", "65536"),
                          ("--http", "-1"), ("--chat", "seven"), ("--mtu", "67"),
                          ("--mtu", "70000"), ("--peer", "198.51.100.1"), ("--tun", ""),
                          ("--tun", "longer-than-15-octets"), ("--no-such-option",),
                          ("superfluous",)):
            with self.subTest(arguments=arguments):
                server = self.runnel("serve", *arguments)
                self.assert_refused(server, status=2)
                self.assertNotIn("tun0", self.run_program("ip", "-o", "link"))
        self.assert_refused(self.runnel(), status=2)
        self.assert_refused(self.runnel("dance"), status=2)

    def test_what_it_serves_from_or_writes_to_must_be_there(self):
        self.assert_refused(self.runnel("serve", "--http-root", "/no/such"), "/no/such")
        self.assert_refused(self.runnel("serve", "--pcap", "/no/such/file"), "/no/such/file")

    def test_help_is_no_error(self):
        said = self.run_program(RUNNEL, "serve", "--help")
        for option in ("--tun", "--address", "--peer", "--mtu", "--echo", "--discard", "--chargen",
                       "--http", "--chat", "--http-root", "--no-offload", "--pcap", "--queues",
                       "--busy-poll", "-v"):
            self.assertIn(option, said)


class SignalTest(InteropTest):
    def end(self, server, seconds, interrupt=False):
        began = time.monotonic()
        server.process.send_signal(2 if interrupt else 15)
        self.assertEqual(server.wait(seconds + 5), 0, server.errors())
        self.assertLess(time.monotonic() - began, seconds)

    def test_an_idle_server_ends_at_once(self):
        for interrupt in (False, True):
            server = self.serve()
            self.end(server, 2, interrupt)

    def test_open_connections_get_a_fin(self):
        server = self.serve()
        streams = [connect(port) for port in (ECHO, 9, 80, 4000) for _ in range(3)]
        time.sleep(0.2)
        server.terminate()
        for stream in streams:
            stream.settimeout(3)
            while stream.recv(65536):  # ConnectionResetError would be a reset
                pass
            stream.close()
        self.assertEqual(server.wait(6), 0, server.errors())

    def test_peers_that_do_not_close_or_read_are_waited_for_5_seconds_at_most(self):
        server = self.serve()
        streams = [connect(port) for port in (ECHO, CHARGEN)]
        time.sleep(0.5)
        self.end(server, 6)
        for stream in streams:
            stream.close()

    def test_it_does_not_listen_while_it_ends(self):
        server = self.serve()
        with connect(CHARGEN):
            time.sleep(0.2)
            server.terminate()
            time.sleep(0.5)
            with self.assertRaises((ConnectionRefusedError, socket.timeout)):
                connect(ECHO, seconds=1)
        self.assertEqual(server.wait(6), 0)


if __name__ == "__main__":
    main()
