#!/usr/bin/env python3
"""TCP Fast Open with the kernel's TCP on the other side: a first connection brings a cookie, a
second one has data in its SYN, which are acknowledged by the SYN,ACK."""
import os
import socket
import threading

from harness import ADDRESS, ECHO, TOP, InteropTest, main, read_exactly
from segments import captured_segments

CLIENT = os.environ.get("RUNNEL_FAST_OPEN_CLIENT",
                        os.path.join(TOP, "build", "tests", "interop", "fast_open_client"))
PORT = 5000
FAST_OPEN = 34  # the option's kind, RFC 7413 section 4.1.1
TCP_FASTOPEN_CONNECT = 30


def syns_of(segments):
    return [segment for segment in segments if segment.flags.strip("EC") == "S"]


class FastOpenTest(InteropTest):
    def setUp(self):
        # Client and server, in this test's own network namespace.
        with open("/proc/sys/net/ipv4/tcp_fastopen", "w", encoding="ascii") as file:
            file.write("3")

    def capture(self):
        return os.path.join(self.folder(), "capture.pcap")

    def expect_cookie_then_data(self, segments, requests):
        """The first SYN asks for a cookie, each later one carries it and its request."""
        syns = syns_of(segments)
        self.assertEqual(len(syns), len(requests), [str(syn) for syn in syns])
        cookies = [dict(syn.option_list()).get(FAST_OPEN) for syn in syns]
        self.assertEqual(cookies[0], b"")
        self.assertEqual(syns[0].payload, b"")
        for syn, cookie, request in list(zip(syns, cookies, requests))[1:]:
            self.assertGreaterEqual(len(cookie), 4)
            self.assertEqual(syn.payload, request)
            answer = next(s for s in segments if s.flags.strip("EC") == "SA" and
                          s.destination_port == syn.source_port)
            self.assertEqual((answer.ack - syn.seq) % 2**32, 1 + len(request))

    def exchange(self, request, connect):
        with socket.socket() as stream:
            connect(stream, request)  # blocking: the kernel sends no data later by itself
            stream.settimeout(10)
            self.assertEqual(read_exactly(stream, len(request)), request)

    def test_the_kernel_is_the_client(self):
        def send_to(stream, request):
            self.assertEqual(stream.sendto(request, socket.MSG_FASTOPEN, (ADDRESS, ECHO)),
                             len(request))

        def connect_later(stream, request):
            stream.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
            stream.connect((ADDRESS, ECHO))
            stream.sendall(request)

        path = self.capture()
        server = self.serve("--fast-open", "--pcap", path)
        requests = [b"one", b"two, in the SYN", b"three, too"]
        for request, connect in zip(requests, (send_to, send_to, connect_later)):
            self.exchange(request, connect)
        self.expect_end(server)
        self.expect_cookie_then_data(captured_segments(path), requests)

    def test_without_the_flag_the_option_means_nothing(self):
        path = self.capture()
        server = self.serve("--pcap", path)
        for request in (b"one", b"two"):
            self.exchange(request, lambda stream, data: stream.sendto(
                data, socket.MSG_FASTOPEN, (ADDRESS, ECHO)))
        self.expect_end(server)
        # Even a cookie, and data, of another server's time: the kernel may have one.
        answers = [s for s in captured_segments(path) if s.flags.strip("EC") == "SA"]
        self.assertEqual(len(answers), 2)
        for answer in answers:
            self.assertNotIn(FAST_OPEN, answer.option_kinds())

    def answer(self, listener, count, heard):
        for _ in range(count):
            stream, _ = listener.accept()
            with stream:
                heard.append(stream.recv(1000))
                stream.sendall(b"<" + heard[-1] + b">")

    def test_runnel_is_the_client(self):
        requests = [b"one", b"two, in the SYN", b"three, too"]
        path, heard = self.capture(), []
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("0.0.0.0", PORT))
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 16)
            listener.listen(16)
            listener.settimeout(20)
            server = threading.Thread(target=self.answer, args=(listener, len(requests), heard))
            server.start()
            said = self.run_program(CLIENT, "tun0", path, str(PORT),
                                    *(request.decode() for request in requests))
            server.join(20)
        self.assertEqual(heard, requests)
        self.assertIn("<one><two, in the SYN><three, too>", said)
        self.assertIn("fast opens 2", said)
        self.expect_cookie_then_data(captured_segments(path), requests)


if __name__ == "__main__":
    main()
