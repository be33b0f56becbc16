"""TCP segments as values: built octet by octet, read back, and found in captures.

Nothing here asks runnel or the kernel what a segment looks like.
"""
import dataclasses
import socket
import struct

FLAGS = "FSRPAUEC"  # from the lowest bit up, RFC 9293 section 3.1

MSS, WINDOW_SCALE, SACK_PERMITTED, SACK, TIMESTAMPS = 2, 3, 4, 5, 8
ACC_ECN = {172, 174}  # RFC 9768


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def option(kind, value=b""):
    return bytes([kind, len(value) + 2]) + value


def mss(octets):
    return option(MSS, struct.pack("!H", octets))


def window_scale(shift):
    return option(WINDOW_SCALE, bytes([shift]))


def sack_permitted():
    return option(SACK_PERMITTED)


def timestamps(value, echo):
    return option(TIMESTAMPS, struct.pack("!II", value % 2**32, echo % 2**32))


def sack(*blocks):
    return option(SACK, b"".join(struct.pack("!II", left % 2**32, right % 2**32)
                                 for left, right in blocks))


@dataclasses.dataclass
class Segment:
    """One segment in an IPv4 packet. `options` holds their octets, as they are on the wire."""
    source: str
    destination: str
    source_port: int
    destination_port: int
    seq: int = 0
    ack: int = 0
    flags: str = ""
    window: int = 65535
    urgent: int = 0
    options: bytes = b""
    payload: bytes = b""
    ttl: int = 64
    tos: int = 0
    may_fragment: bool = False
    ae: bool = False  # the flag before CWR, RFC 9768; parsed alone

    def pack(self):
        options = self.options + b"\1" * (-len(self.options) % 4)
        bits = sum(1 << FLAGS.index(flag) for flag in self.flags)
        header = struct.pack("!HHIIBBHHH", self.source_port, self.destination_port,
                             self.seq % 2**32, self.ack % 2**32, (20 + len(options)) << 2, bits,
                             self.window, 0, self.urgent) + options
        source, destination = map(socket.inet_aton, (self.source, self.destination))
        length = len(header) + len(self.payload)
        pseudo = source + destination + struct.pack("!HH", socket.IPPROTO_TCP, length)
        tcp = bytearray(header + self.payload)
        tcp[16:18] = struct.pack("!H", checksum(pseudo + bytes(tcp)))
        ip = bytearray(struct.pack("!BBHHHBBH", 0x45, self.tos, 20 + length, 0,
                                   0 if self.may_fragment else 0x4000, self.ttl,
                                   socket.IPPROTO_TCP, 0) + source + destination)
        ip[10:12] = struct.pack("!H", checksum(bytes(ip)))
        return bytes(ip) + bytes(tcp)

    @classmethod
    def parse(cls, packet):
        """The segment in an IPv4 packet; None when there is none."""
        if len(packet) < 40 or packet[0] >> 4 != 4 or packet[9] != socket.IPPROTO_TCP:
            return None
        tcp = packet[(packet[0] & 15) * 4:struct.unpack_from("!H", packet, 2)[0]]
        ports = struct.unpack_from("!HHIIBBHHH", tcp)
        data_offset = (ports[4] >> 4) * 4
        flags = "".join(flag for bit, flag in enumerate(FLAGS) if ports[5] >> bit & 1)
        return cls(socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20]), *ports[:4],
                   flags=flags, window=ports[6], urgent=ports[8], options=tcp[20:data_offset],
                   payload=tcp[data_offset:], ttl=packet[8], tos=packet[1],
                   may_fragment=not packet[6] & 0x40, ae=bool(ports[4] & 1))

    def ecn_bits(self):
        """AE, CWR and ECE as a number, AE highest: the ACE field of AccECN."""
        return 4 * self.ae + 2 * ("C" in self.flags) + ("E" in self.flags)

    def ecn(self):
        """The ECN field of the IP header: 0 Not-ECT, 1 ECT(1), 2 ECT(0), 3 CE."""
        return self.tos & 3

    def option_list(self):
        """(kind, value) of each option but padding, in their order."""
        found, at = [], 0
        while at < len(self.options) and self.options[at] != 0:
            if self.options[at] == 1:
                at += 1
                continue
            length = self.options[at + 1]
            found.append((self.options[at], self.options[at + 2:at + length]))
            at += length
        return found

    def option_kinds(self):
        return {kind for kind, _ in self.option_list()}


def read_capture(path):
    """The packets of a capture file: (seconds, octets) each."""
    with open(path, "rb") as file:
        data = file.read()
    magic, major, minor, _, _, snaplen, linktype = struct.unpack_from("<IHHiIII", data)
    assert (magic, major, minor, linktype) == (0xA1B23C4D, 2, 4, 101), (hex(magic), linktype)
    at, packets = 24, []
    while at < len(data):
        seconds, nanoseconds, captured, length = struct.unpack_from("<IIII", data, at)
        assert nanoseconds < 10**9 and captured == length <= snaplen, (captured, length)
        at += 16
        packets.append((seconds + nanoseconds * 1e-9, data[at:at + captured]))
        assert len(packets[-1][1]) == captured, "the file ends in the middle of a packet"
        at += captured
    return packets


def captured_segments(path):
    segments = (Segment.parse(packet) for _, packet in read_capture(path))
    return [segment for segment in segments if segment]
