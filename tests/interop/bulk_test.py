#!/usr/bin/env python3
"""Long transfers each way, with segmentation offload and without: every octet, in order."""
import os
import subprocess
import time

from harness import (ADDRESS, BULK_OCTETS, CHARGEN, DISCARD, ECHO, HTTP, InteropTest, HashingReader,
                     MIB, Sender, bulk_hash, connect, link, main, write_bulk)


class BulkTest(InteropTest):
    def download(self, url, octets, during=None):
        """Has curl fetch `url`; returns the hash. `during` is called in the middle."""
        curl = subprocess.Popen(["curl", "-sSf", "--max-time", "150", url], stdout=subprocess.PIPE)
        self.addCleanup(curl.stdout.close)
        self.addCleanup(curl.wait)
        self.addCleanup(curl.kill)
        began = time.monotonic()
        reader = HashingReader(lambda most: os.read(curl.stdout.fileno(), most))
        if during:
            reader.take(octets // 4)
            during()
        digest = reader.take()
        self.assertEqual(curl.wait(10), 0)
        self.assertEqual(reader.octets, octets)
        print(f"{octets * 8e-9 / (time.monotonic() - began):.2f} Gbit/s down", end=" ")
        return digest

    def echo(self, octets, during=None):
        """Sends octets to the echo service while reading them back; returns the hash."""
        with connect(ECHO, seconds=60) as stream:
            began = time.monotonic()
            sender = Sender(stream, octets)
            reader = HashingReader(stream.recv)
            if during:
                reader.take(octets // 4)
                during()
            digest = reader.take()
            sender.join(10)
            self.assertIsNone(sender.error)
            self.assertEqual(reader.octets, octets)
            print(f"{octets * 8e-9 / (time.monotonic() - began):.2f} Gbit/s echoed", end=" ")
        return digest

    def interrupt_link(self):
        link("set", "tun0", "down")
        time.sleep(0.7)
        link("set", "tun0", "up")

    def test_a_file_arrives_with_its_hash(self):
        folder = self.folder()
        digest = write_bulk(os.path.join(folder, "bulk"), BULK_OCTETS)
        for offload in ([], ["--no-offload"]):
            server = self.serve("--http-root", folder, *offload)
            self.assertEqual(self.download(f"http://{ADDRESS}:{HTTP}/bulk", BULK_OCTETS), digest)
            self.expect_end(server)

    def test_what_is_echoed_returns_with_its_hash(self):
        digest = bulk_hash(BULK_OCTETS)
        for offload in ([], ["--no-offload"]):
            server = self.serve(*offload)
            self.assertEqual(self.echo(BULK_OCTETS), digest)
            self.expect_end(server)

    def test_transfers_survive_a_link_that_goes_down_and_up(self):
        octets, folder = BULK_OCTETS // 4, self.folder()
        digest = write_bulk(os.path.join(folder, "bulk"), octets)
        for offload in ([], ["--no-offload"]):
            server = self.serve("--http-root", folder, *offload)
            url = f"http://{ADDRESS}/bulk"
            self.assertEqual(self.download(url, octets, self.interrupt_link), digest)
            self.assertEqual(self.echo(octets, self.interrupt_link), digest)
            self.expect_end(server)

    def test_many_transfers_share_the_link(self):
        octets = BULK_OCTETS // 128
        digest = bulk_hash(octets)
        self.serve()
        streams = [connect(ECHO, seconds=60) for _ in range(16)]
        senders = [Sender(stream, octets) for stream in streams]
        background = [connect(CHARGEN), connect(DISCARD)]
        background[1].sendall(bytes(MIB))
        for stream, sender in zip(streams, senders):
            self.assertEqual(HashingReader(stream.recv).take(), digest)
            sender.join(10)
            stream.close()
        for stream in background:
            stream.close()


if __name__ == "__main__":
    main()
