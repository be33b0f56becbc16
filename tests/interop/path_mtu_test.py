#!/usr/bin/env python3
"""Files for curl behind a link that carries smaller packets, with ICMP and without."""
import os
import subprocess

from harness import ADDRESS, HTTP, InteropTest, MIB, link, main, wait_until, write_bulk

NEAR, FAR = "198.51.100.1", "198.51.100.2"  # TEST-NET-2: the router's end and curl's
NARROW = 1280


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, timeout=10)


def unreachables_sent():
    """How many Destination Unreachables this namespace has sent: Fragmentation Needed is one."""
    with open("/proc/net/snmp", encoding="ascii") as file:
        names, values = [line.split() for line in file if line.startswith("Icmp:")]
    return int(values[names.index("OutDestUnreachs")])


class PathMtuTest(InteropTest):
    """runnel ── tun0, 1500 ── this namespace, a router ── veth ── another namespace: curl."""

    def far_host(self, near_mtu, far_mtu):
        """Makes the other namespace; returns how to run a program in it."""
        host = self.start("unshare", "--net", "sleep", "300")
        here = os.readlink("/proc/self/ns/net")
        wait_until(lambda: os.readlink(f"/proc/{host.pid}/ns/net") != here, 10, "a namespace")
        enter = ["nsenter", "-t", str(host.pid), "-n"]
        link("add", "near", "type", "veth", "peer", "name", "far", "netns", str(host.pid))
        self.addCleanup(link, "del", "near")
        ip("address", "add", f"{NEAR}/24", "dev", "near")
        link("set", "near", "mtu", str(near_mtu), "up")
        inside = [*enter, "ip"]
        for command in (["address", "add", f"{FAR}/24", "dev", "far"],
                        ["link", "set", "far", "mtu", str(far_mtu), "up"],
                        # The peer's MSS says nothing of the narrow link.
                        ["route", "add", "default", "via", NEAR, "advmss", "1460"]):
            subprocess.run([*inside, *command], check=True, timeout=10)
        with open("/proc/sys/net/ipv4/ip_forward", "w", encoding="ascii") as file:
            file.write("1")
        return enter

    def fetch(self, near_mtu, far_mtu, *options):
        """Has curl fetch 1 MiB from behind the narrow link. Returns seconds."""
        folder = self.folder()
        digest = write_bulk(os.path.join(folder, "bulk"), MIB)
        self.serve("--http-root", folder, *options)
        enter = self.far_host(near_mtu, far_mtu)
        got = os.path.join(folder, "got")
        seconds = self.run_program(*enter, "curl", "-sSf", "--max-time", "30", "-o", got, "-w",
                                   "%{time_total}", f"http://{ADDRESS}:{HTTP}/bulk", seconds=60)
        said = self.run_program("sha256sum", got)
        self.assertEqual(said.split()[0], digest)
        print(f"{float(seconds):.2f} s", end=" ", flush=True)
        return float(seconds)

    def test_a_router_that_says_so(self):
        """The router's own link is the narrow one: Fragmentation Needed, and no timeout."""
        before = unreachables_sent()
        self.assertLess(self.fetch(NARROW, 1500, "--no-offload"), 5)
        self.assertGreater(unreachables_sent(), before)

    def test_a_router_that_says_so_of_super_packets(self):
        before = unreachables_sent()
        self.assertLess(self.fetch(NARROW, 1500), 5)
        self.assertGreater(unreachables_sent(), before)

    def test_a_black_hole(self):
        """The far end of the link drops what is larger than it takes, and nobody says so."""
        before = unreachables_sent()
        seconds = self.fetch(1500, NARROW, "--no-offload")
        self.assertEqual(unreachables_sent(), before)
        self.assertGreater(seconds, 1, "was anything dropped at all?")
        self.assertLess(seconds, 20)


if __name__ == "__main__":
    main()
