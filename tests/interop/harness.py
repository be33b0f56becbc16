"""What the interop tests share: a network namespace, servers in it, and octets to send.

Each test file is a program. It runs itself again in namespaces of its own (network, processes, and
users when it is not root), so that whatever happens, everything that it started and every device
that it made is gone when it ends, and no packet can leave. The kernel's TCP is the other side.

  RUNNEL                  the program under test; build/apps/runnel otherwise
  RUNNEL_INTEROP_OCTETS   how much a bulk transfer moves; 1 GiB otherwise
"""
import hashlib
import os
import random
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

TOP = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
RUNNEL = os.path.abspath(os.environ.get("RUNNEL", os.path.join(TOP, "build", "apps", "runnel")))
BULK_OCTETS = int(os.environ.get("RUNNEL_INTEROP_OCTETS", 1 << 30))
SANITIZED = os.environ.get("RUNNEL_INTEROP_SANITIZED", "") not in ("", "0", "OFF")

ADDRESS, PEER = "192.0.2.2", "192.0.2.1"  # the stack's and the kernel's, in TEST-NET-1
ECHO, DISCARD, CHARGEN, HTTP, CHAT = 7, 9, 19, 80, 4000
MIB = 1 << 20


def main():
    """Runs the tests of the calling file, in namespaces of their own."""
    if os.environ.get("RUNNEL_INTEROP_INSIDE") == "1":
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        # Silence from the kernel itself: no router solicitations among the packets.
        with open("/proc/sys/net/ipv6/conf/default/disable_ipv6", "w", encoding="ascii") as file:
            file.write("1")
        unittest.main(verbosity=2)
    if not os.access(RUNNEL, os.X_OK):
        sys.exit(f"{RUNNEL}: not there; build it first, or set RUNNEL")
    os.environ["RUNNEL_INTEROP_INSIDE"] = "1"
    for users in ([], ["--user", "--map-root-user"]):
        enter = ["unshare", *users, "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
        if subprocess.run([*enter, "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0:
            os.execvp(enter[0], [*enter, sys.executable, "-u", "-B", *sys.argv])
    sys.exit("interop tests need root or user namespaces, and this system gives neither")


def wait_until(condition, seconds, what):
    """Asks `condition` until it answers with something true, which is returned."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.01)


class Process:
    """A program in the background, with its output in files."""

    def __init__(self, command, stdin=subprocess.DEVNULL, env=None):
        self.out = tempfile.TemporaryFile()
        self.err = tempfile.TemporaryFile()
        self.process = subprocess.Popen(command, stdin=stdin, stdout=self.out, stderr=self.err,
                                        env={**os.environ, **(env or {})})
        self.pid = self.process.pid

    @staticmethod
    def _text(file):
        return os.pread(file.fileno(), 1 << 22, 0).decode(errors="replace")

    def output(self):
        return self._text(self.out)

    def errors(self):
        return self._text(self.err)

    def is_running(self):
        return self.process.poll() is None

    def wait(self, seconds):
        """The exit status; fails the test when there is none within `seconds`."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {seconds} s: {self.process.args}") from None

    def terminate(self):
        self.process.terminate()

    def kill(self):
        if self.is_running():
            self.process.kill()
            self.process.wait()

    def close(self):
        self.kill()
        for file in (self.out, self.err, self.process.stdin):
            if file:
                file.close()

    def cpu_seconds(self):
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_octets(self):
        with open(f"/proc/{self.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def feed(pipe, octets):
    for piece in bulk(octets):
        pipe.write(piece)
    pipe.close()


class InteropTest(unittest.TestCase):
    """A test with a server: ended, and found to have ended well, when the test is over."""

    def start(self, *command, **options):
        process = Process(list(command), **options)
        self.addCleanup(process.close)
        return process

    def runnel(self, *arguments, **options):
        """Starts runnel with a quarantine that does not count as its memory, if instrumented."""
        env = {"ASAN_OPTIONS": "quarantine_size_mb=4:detect_stack_use_after_return=0"}
        return self.start(RUNNEL, *arguments, env=env, **options)

    def serve(self, *options):
        """Starts `runnel serve`, waits for its ready line, and has it ended after the test."""
        server = self.runnel("serve", *options)
        wait_until(lambda: "\n" in server.output() or not server.is_running(), 30,
                   "the server's ready line")
        if not server.is_running():
            self.fail(f"the server ended with {server.wait(1)}: {server.errors()}")
        self.addCleanup(self.expect_end, server)
        return server

    def echo(self, octets):
        """The kernel connects; octets go to runnel and come back."""
        with connect(ECHO, seconds=60) as stream:
            sender = Sender(stream, octets)
            reader = HashingReader(stream.recv)
            self.assertEqual(reader.take(), bulk_hash(octets))
            sender.join(30)
            self.assertIsNone(sender.error)

    def exchange(self, port, octets, *flags):
        """runnel connects; octets go both ways at the same time."""
        with socket.create_server(("0.0.0.0", port)) as listener:
            listener.settimeout(20)
            client = self.runnel("connect", PEER, str(port), *flags, stdin=subprocess.PIPE)
            stream, _ = listener.accept()
        with stream:
            stream.settimeout(60)
            sender = Sender(stream, octets)
            feeder = threading.Thread(target=feed, args=(client.process.stdin, octets))
            feeder.start()
            self.assertEqual(HashingReader(stream.recv).take(), bulk_hash(octets))
            sender.join(30)
            feeder.join(30)
        self.assertEqual(client.wait(20), 0, client.errors())
        client.out.seek(0)
        self.assertEqual(HashingReader(client.out.read).take(), bulk_hash(octets))

    def expect_end(self, server):
        """SIGTERM ends the server with 0, whatever the test did; a sanitizer's find ends it too."""
        if server.is_running():
            server.terminate()
        status = server.wait(20)
        self.assertEqual(status, 0, f"the server's exit status; it said: {server.errors()}")

    def run_program(self, *command, seconds=30, text=None, status=0):
        """Runs a program to its end, expects `status`, and returns what it wrote."""
        ran = subprocess.run(command, input=text, capture_output=True, text=True, timeout=seconds,
                             check=False, stdin=subprocess.DEVNULL if text is None else None)
        said = f"{command}\n{ran.stdout[-2000:]}{ran.stderr[-2000:]}"
        if status is not None:
            self.assertEqual(ran.returncode, status, said)
        return ran.stdout

    def fetch_status(self, path="/", *options, host=ADDRESS):
        """The status code of an HTTP request by curl, which must see the whole response."""
        return self.run_program("curl", "-sS", "--max-time", "30", "-o", os.devnull, "-w",
                                "%{http_code}", *options, f"http://{host}{path}", seconds=60)

    def folder(self):
        """A directory on disk for large files, gone after the test."""
        path = tempfile.mkdtemp(prefix="runnel-interop-", dir=os.environ.get("RUNNEL_INTEROP_DIR"))
        self.addCleanup(shutil.rmtree, path)
        return path


def link(*arguments):
    """ip link ..., which must succeed."""
    subprocess.run(["ip", "link", *arguments], check=True, timeout=10)


def connect(port, host=ADDRESS, seconds=10):
    return socket.create_connection((host, port), timeout=seconds)


def read_exactly(stream, octets):
    got = bytearray()
    while len(got) < octets:
        piece = stream.recv(octets - len(got))
        if not piece:
            raise AssertionError(f"the stream ended after {len(got)} of {octets} octets")
        got += piece
    return bytes(got)


def read_until(descriptor, wanted, seconds=5):
    """Reads from a pipe until `wanted` has come; returns everything that did."""
    got, deadline = b"", time.monotonic() + seconds
    while wanted not in got:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([descriptor], [], [], left)[0]:
            raise AssertionError(f"{wanted!r} did not come within {seconds} s, but {got!r}")
        piece = os.read(descriptor, 65536)
        if not piece:
            raise AssertionError(f"{wanted!r} did not come before the end, but {got!r}")
        got += piece
    return got


def bulk(octets):
    """Yields `octets` octets in pieces that differ from each other, the same in every run.

    Each piece is one block rotated by an amount of its own: as quick as copying, and any piece
    that is lost, repeated or out of place changes the hash.
    """
    block = random.Random(1).randbytes(MIB)
    left, turn = octets, 0
    while left > 0:
        at = turn * 7919 % MIB
        piece = (block[at:] + block[:at])[:left]
        yield piece
        left -= len(piece)
        turn += 1


def bulk_hash(octets):
    digest = hashlib.sha256()
    for piece in bulk(octets):
        digest.update(piece)
    return digest.hexdigest()


def write_bulk(path, octets):
    """Writes a file of bulk octets and returns its hash."""
    digest = hashlib.sha256()
    with open(path, "wb") as file:
        for piece in bulk(octets):
            digest.update(piece)
            file.write(piece)
    return digest.hexdigest()


class Sender(threading.Thread):
    """Sends bulk octets into a socket, then ends that direction."""

    def __init__(self, stream, octets):
        super().__init__(daemon=True)
        self.stream, self.octets, self.error = stream, octets, None
        self.start()

    def run(self):
        try:
            for piece in bulk(self.octets):
                self.stream.sendall(piece)
            self.stream.shutdown(socket.SHUT_WR)
        except OSError as error:
            self.error = error


class HashingReader:
    """Reads a stream to its end and hashes it. `read` is called with a length."""

    def __init__(self, read):
        self.read, self.octets, self.digest = read, 0, hashlib.sha256()

    def take(self, octets=None):
        """Reads until `octets` have come in all, or to the end; returns the hash so far."""
        while octets is None or self.octets < octets:
            piece = self.read(MIB)
            if not piece:
                break
            self.octets += len(piece)
            self.digest.update(piece)
        return self.digest.hexdigest()
