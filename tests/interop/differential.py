"""One scripted peer, two hosts: runnel in virtual time, and the kernel's TCP behind a TUN device.

A script (differential_scripts.py) is a list of steps: what the peer sends and what the host's
application does, each so many milliseconds after the one before. A Conversation plays it to one
host and writes down what the host sends, in numbers that do not depend on the run: sequence numbers
count from each side's SYN, times become classes, windows too.
"""
import collections
import errno
import fcntl
import os
import selectors
import socket
import struct
import subprocess
import time

from segments import (MSS, SACK, SACK_PERMITTED, TIMESTAMPS, WINDOW_SCALE, Segment, mss, sack,
                      sack_permitted, timestamps, window_scale)

HOST = "192.0.2.2"
PEER_PORT, HOST_PORT = 40000, 5000
PEER_ISS = 0xFFFF_F000  # wraps within the first megabyte, and usually within a script
UNKNOWN_ISS = 0x5000_0000  # what the peer acknowledges while it knows no sequence number
TIMESTAMP_BASE = 100_000
LINGER_MS = 60  # for what follows the last step at once

# Times since the line before, in milliseconds: the upper bounds of classes. Between two of them lie
# the moments that RFCs and both hosts use: at once, delayed ACK (40 ms), and RTO, probe and backoff
# times, of which 200 ms is the shortest.
CLASSES = ((25, "at once"), (130, "soon"), (320, "0.2 s"), (650, "0.4 s"), (1300, "1 s"),
           (2600, "2 s"), (5200, "4 s"))

Step = collections.namedtuple("Step", "after kind arguments")


def peer(after, flags, seq=1, ack=1, n=0, **options):
    """The peer sends a segment. seq counts from its SYN, ack from the host's SYN.

    mss, ws, permitted: options; ts: (value, echo) or None for none; blocks: SACK; win, urg.
    """
    return Step(after, "peer", (flags, seq, ack, n, options))


def app(after, *command):
    """The host's application does something: see scripted_host.cc."""
    return Step(after, "app", command)


def fill(after, seq=1, ack=1):
    """The peer sends full segments, 10 ms apart, until the offered window is full."""
    return Step(after, "fill", (seq, ack))


def wait(after):
    return Step(after, "wait", ())


class Script:
    """`uses_ts`: segments of the peer carry timestamps when none are given."""

    def __init__(self, *steps, ts=True, settings=()):
        self.steps, self.uses_ts = steps, ts
        # Linux's Nagle is another one (Minshall's), which only the scripts about it should show.
        self.settings = settings or (("nagle", 0),)


def time_class(milliseconds):
    for bound, name in CLASSES:
        if milliseconds < bound:
            return name
    return "later"


class Conversation:
    """Plays a script. The host is anything with send(packet), do(command) and now_ms()."""

    def __init__(self, name, script, host, address):
        self.name, self.script, self.host, self.address = name, script, host, address
        self.next_step, self.nominal_ms = 0, 0
        self.due_ms = host.now_ms() + (script.steps[0].after if script.steps else 0)
        self.lines, self.last_record_ms = [], host.now_ms()
        self.iss, self.host_port, self.peer_port = None, HOST_PORT, PEER_PORT
        self.shift, self.edge, self.host_ts = 0, None, None
        self.filled_to, self.is_filling, self.ends_ms = None, False, None
        self.read_octets, self.endings = 0, []

    def is_over(self):
        return self.ends_ms is not None and self.host.now_ms() >= self.ends_ms

    def next_ms(self):
        return self.ends_ms if self.due_ms is None else self.due_ms

    # --- what the script does

    def play_due(self):
        while self.due_ms is not None and self.host.now_ms() >= self.due_ms:
            step = self.script.steps[self.next_step]
            if step.kind != "fill" or not self.is_filling:
                self.nominal_ms += step.after
            if step.kind == "fill" and self.fill_more(*step.arguments):
                self.due_ms = self.host.now_ms() + 10
                continue
            if step.kind != "fill":
                self.is_filling = False
            self.next_step += 1
            if self.next_step < len(self.script.steps):
                self.due_ms = self.host.now_ms() + self.script.steps[self.next_step].after
            else:
                self.due_ms, self.ends_ms = None, self.host.now_ms() + LINGER_MS
            if step.kind == "peer":
                self.send(*step.arguments)
            elif step.kind == "app":
                self.mark("   " + " ".join(map(str, step.arguments)))
                self.host.do(self, step.arguments)
            elif step.kind == "fill":
                self.mark("<- (fills the window)")

    def fill_more(self, seq, ack):
        """Sends one more segment if there is room; false when there is none."""
        if not self.is_filling:
            self.filled_to = seq
        self.is_filling = True
        room = (self.edge - (PEER_ISS + self.filled_to)) % 2**32
        if room == 0 or room >= 2**31 or self.filled_to > 100_000:
            return False
        octets = min(room, 1400)
        self.host.send(self.segment("A", self.filled_to, ack, octets, {}).pack())
        self.filled_to += octets
        return True

    def send(self, flags, seq, ack, n, options):
        at = self.filled_to if seq == "filled" else seq
        segment = self.segment(flags, at, ack, n, options)
        shown = f"<- {flags} seq {seq}" + (f"+{n}" if n else "") + (f" ack {ack}" if "A" in flags
                                                                  else "")
        self.mark(shown + "".join(f" {key} {value}" for key, value in options.items()))
        self.host.send(segment.pack())

    def segment(self, flags, seq, ack, n, options):
        wire = b""
        if "mss" in options:
            wire += mss(options["mss"])
        if options.get("permitted"):
            wire += sack_permitted()
        ts = options.get("ts", (0, 0) if self.script.uses_ts else None)
        if ts is not None:
            echo = 0 if self.host_ts is None or "A" not in flags else self.host_ts
            wire += timestamps(TIMESTAMP_BASE + self.nominal_ms + ts[0], echo + ts[1])
        if "ws" in options:
            wire += window_scale(options["ws"])
        wire += options.get("raw", b"")
        base = UNKNOWN_ISS if self.iss is None else self.iss
        if "blocks" in options:
            wire += sack(*((base + left, base + right) for left, right in options["blocks"]))
        return Segment(self.address, HOST, self.peer_port, self.host_port, PEER_ISS + seq,
                       base + ack if "A" in flags else 0, flags, window=options.get("win", 65535),
                       urgent=options.get("urg", 0), options=wire, payload=b"p" * n)

    # --- what the host does

    def mark(self, text):
        self.lines.append(text)
        self.last_record_ms = self.host.now_ms()

    def receive(self, packet, at_ms):
        segment = Segment.parse(packet)
        if segment is None:
            self.mark(f"-> protocol {packet[9]}, type {packet[(packet[0] & 15) * 4]}")
            return
        if segment.destination_port != self.peer_port:
            return
        if "S" in segment.flags:
            self.iss, self.host_port = segment.seq, segment.source_port
            self.shift = dict(segment.option_list()).get(WINDOW_SCALE, b"\0")[0]
        text, window = self.describe(segment)
        if "R" not in segment.flags and "A" in segment.flags:
            self.edge = (segment.ack + window) % 2**32
        if self.is_filling:
            return  # how often it acknowledges meanwhile depends on the sizes of buffers
        self.lines.append(f"-> {time_class(at_ms - self.last_record_ms)}: {text}")
        self.last_record_ms = at_ms

    def describe(self, segment):
        window = segment.window << (0 if "S" in segment.flags else self.shift)
        base = UNKNOWN_ISS if self.iss is None else self.iss
        flags = segment.flags
        if len(segment.payload) in (536, 1448, 1460):
            flags = flags.replace("P", "")  # Linux sets PSH in full segments at its convenience
        text = f"{flags} seq {'none' if segment.seq == 0 else (segment.seq - base) % 2**32}"
        if segment.payload:
            text += f"+{len(segment.payload)}"
        if "A" in segment.flags:
            ack = (segment.ack - PEER_ISS) % 2**32
            text += f" ack {'filled' if ack == self.filled_to else ack}"
        if "R" not in segment.flags:
            text += " win " + ("0" if window == 0 else "small" if window < 1400 else "open")
        if segment.urgent:
            text += f" urg {segment.urgent}"
        for kind, value in segment.option_list():
            text += " " + self.describe_option(kind, value)
        for name, value, usual in (("ttl", segment.ttl, 64), ("tos", segment.tos, 0),
                                   ("may fragment", segment.may_fragment, False)):
            if value != usual:
                text += f" {name} {value}"
        return text, window

    def describe_option(self, kind, value):
        if kind == MSS:
            return f"mss {struct.unpack('!H', value)[0]}"
        if kind == WINDOW_SCALE:
            return "ws"
        if kind == SACK_PERMITTED:
            return "sack-permitted"
        if kind == TIMESTAMPS:
            own, echo = struct.unpack("!II", value)
            self.host_ts = own
            return "ts echo " + ("0" if echo == 0 else str(echo - TIMESTAMP_BASE))
        if kind == SACK:
            numbers = [(number - PEER_ISS) % 2**32
                       for number in struct.unpack(f"!{len(value) // 4}I", value)]
            numbers = [number - 2**32 if number >= 2**31 else number for number in numbers]
            blocks = (f"{left}-{right}" for left, right in zip(numbers[::2], numbers[1::2]))
            return "sack " + " ".join(blocks)
        return f"option {kind} {value.hex()}"

    def app_saw(self, what):
        if isinstance(what, int):
            self.read_octets += what
        else:
            self.endings.append(what)

    def transcript(self):
        """All lines; the last one says what the application saw."""
        read = "what was sent" if self.filled_to == self.read_octets + 1 else self.read_octets
        seen = ([f"read {read}"] if self.read_octets else []) + self.endings
        return self.lines + ["   application: " + (", ".join(seen) or "nothing")]


def error_name(text):
    """The same short name for the kernel's and runnel's words."""
    for name in ("reset", "refused", "timed out", "pipe", "unreachable"):
        if name in text.lower():
            return "error " + name
    return "error " + text


class RunnelHost:
    """scripted_host, for one conversation."""

    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        self.time_us = 1_000_000
        self.conversation = None

    def now_ms(self):
        return self.time_us / 1000

    def line(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()
        while True:
            answer = self.process.stdout.readline().split(maxsplit=2)
            if not answer:
                raise AssertionError(f"scripted_host ended at: {text}")
            if answer == ["."]:
                return
            if answer[0] == "out":
                self.conversation.receive(bytes.fromhex(answer[2]), int(answer[1]) / 1000)
            elif answer[1] == "read":
                self.conversation.app_saw(int(answer[2]))
            else:
                said = " ".join(answer[1:]).strip()
                self.conversation.app_saw(error_name(said) if said.startswith("error") else said)

    def send(self, packet):
        self.line("in " + packet.hex())

    def do(self, conversation, command):
        command = list(command)
        if command[0] == "listen":
            command.append(HOST_PORT)
        elif command[0] == "connect":
            command += [conversation.address, PEER_PORT]
        self.line(" ".join(map(str, command)))

    def play(self, name, script, address):
        for setting in script.settings:
            self.line("set " + " ".join(map(str, setting)))
        self.conversation = conversation = Conversation(name, script, self, address)
        while not conversation.is_over():
            self.time_us = max(self.time_us, int(conversation.next_ms() * 1000 + 0.999))
            self.line(f"at {self.time_us}")
            conversation.play_due()
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()
        return conversation.transcript()


class KernelApplication:
    """What scripted_host's application does, on the kernel's sockets."""

    def __init__(self, host, port, settings):
        self.host, self.port, self.settings = host, port, dict(settings)
        self.listener = self.stream = self.conversation = None
        self.is_reading, self.is_watched = True, False

    def new_socket(self):
        made = socket.socket()
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if "receive_buffer" in self.settings:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.settings["receive_buffer"])
        if "keepalive_ms" in self.settings:
            seconds = self.settings["keepalive_ms"] // 1000
            made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, seconds)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, seconds)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
        if self.settings.get("nagle") == 0:
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def do(self, command):
        verb = command[0]
        if verb == "listen":
            self.listener = self.new_socket()
            self.listener.bind((HOST, self.port))
            self.listener.listen(16)
            self.host.selector.register(self.listener, selectors.EVENT_READ, self)
        elif verb == "connect":
            self.stream = self.new_socket()
            self.stream.bind((HOST, 0))
            self.stream.connect_ex((self.conversation.address, self.conversation.peer_port))
            self.watch()
        elif verb == "reading":
            self.is_reading = bool(command[1])
            self.watch()
        elif self.stream is None:
            self.conversation.app_saw(f"no connection for {verb}")
        elif verb == "write":
            try:
                if self.stream.send(b"r" * command[1]) != command[1]:
                    self.conversation.app_saw("short write")
            except OSError as error:
                self.conversation.app_saw("write " + error_name(os.strerror(error.errno)))
        elif verb == "shutdown":
            self.stream.shutdown(socket.SHUT_WR)
        elif verb in ("close", "abort"):
            if verb == "abort":
                self.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.unwatch()
            self.stream.close()
            self.stream = None

    def watch(self):
        if self.stream and self.is_reading and not self.is_watched:
            self.host.selector.register(self.stream, selectors.EVENT_READ, self)
            self.is_watched = True
        elif not self.is_reading:
            self.unwatch()

    def unwatch(self):
        if self.is_watched:
            self.host.selector.unregister(self.stream)
            self.is_watched = False

    def ready(self, which):
        if which is self.listener:
            self.stream, _ = self.listener.accept()
            self.stream.setblocking(False)
            self.host.selector.unregister(self.listener)  # one connection at a time
            self.watch()
            return
        try:
            got = len(self.stream.recv(1 << 20))
        except BlockingIOError:
            return
        except OSError as error:
            self.conversation.app_saw(error_name(os.strerror(error.errno or errno.EIO)))
            self.unwatch()
            return
        self.conversation.app_saw(got if got else "end")
        if not got:
            self.unwatch()

    def close(self):
        self.unwatch()
        if self.listener and self.listener in self.host.selector.get_map():
            self.host.selector.unregister(self.listener)
        for each in (self.stream, self.listener):
            if each:
                each.close()


class KernelHost:
    """The kernel of this namespace behind a TUN device, for all conversations at once."""

    class Handle:
        """One conversation's view of the host."""

        def __init__(self, host, application):
            self.host, self.application = host, application

        def now_ms(self):
            return time.monotonic() * 1000

        def send(self, packet):
            os.write(self.host.tun, packet)
            # What the host answers at once is written down before the next step.
            self.host.read_packets()

        def do(self, _conversation, command):
            self.application.do(command)
            self.host.read_packets()

    def __init__(self, name="tun9"):
        for setting, value in (("ipv4.tcp_no_metrics_save", "1"), ("ipv4.conf.all.rp_filter", "0"),
                               ("ipv4.tcp_congestion_control", "reno")):
            with open("/proc/sys/net/" + setting.replace(".", "/"), "w", encoding="ascii") as file:
                file.write(value)
        self.tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        tun_set_interface, tun_without_information = 0x400454CA, 0x1001
        fcntl.ioctl(self.tun, tun_set_interface,
                    struct.pack("16sH22x", name.encode(), tun_without_information))
        for command in (f"address add {HOST}/24 dev {name}", f"link set {name} up",
                        f"route add 198.18.0.0/15 dev {name}"):
            subprocess.run(["ip", *command.split()], check=True)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.tun, selectors.EVENT_READ, None)
        self.conversations = {}
        self.rounds = 0

    def play(self, scripts, addresses):
        """Plays all scripts side by side; returns their transcripts by name."""
        applications = []
        # Ports of their own in each round: connections of the one before may still be dying.
        self.rounds += 1
        for offset, (name, script) in enumerate(scripts.items(), 1000 * self.rounds):
            application = KernelApplication(self, HOST_PORT + offset, script.settings)
            conversation = Conversation(name, script, self.Handle(self, application),
                                        addresses[name])
            conversation.host_port = HOST_PORT + offset
            conversation.peer_port += self.rounds
            application.conversation = conversation
            self.conversations[addresses[name]] = conversation
            applications.append(application)
        left = list(self.conversations.values())
        while left:
            until = min(each.next_ms() for each in left) / 1000 - time.monotonic()
            for key, _ in self.selector.select(max(0, until)):
                if key.data:
                    key.data.ready(key.fileobj)
            self.read_packets()
            for each in left:
                each.play_due()
            left = [each for each in left if not each.is_over()]
        transcripts = {each.name: each.transcript() for each in self.conversations.values()}
        self.conversations.clear()
        for application in applications:
            application.close()
        self.read_packets()
        return transcripts

    def read_packets(self):
        while True:
            try:
                packet = os.read(self.tun, 65536)
            except BlockingIOError:
                return
            if packet[0] >> 4 != 4:
                continue
            conversation = self.conversations.get(socket.inet_ntoa(packet[16:20]))
            if conversation and not conversation.is_over():
                conversation.receive(packet, time.monotonic() * 1000)

    def close(self):
        self.selector.close()
        os.close(self.tun)
