"""SCTP without a kernel that speaks it: the first exchange of an association, by raw sockets.

    sctp_chunks.py NAME PORT...

Answers every INIT to one of the ports by an INIT-ACK, whose cookie says what `responder.ts` says: who
was seen asking, and who answers. For each line `ID TO TO-PORT SECONDS [FROM]` of standard input it asks
so itself, and prints `ID` and what became of it: `passed COOKIE`, `dropped`, `damaged` or an error.

What is not as RFC 9260 wants it (the checksum, the verification tag) is not answered, and an answer
that is not is damaged: a translation that forgets the checksum shows itself.
"""
import os
import select
import socket
import struct
import sys
import time

SCTP = 132
INIT, INIT_ACK, COOKIE = 1, 2, 7

# IP_RECVERR and IPV6_RECVERR (ip(7), ipv6(7)), which Python has no names for.
RECEIVE_ERRORS = {socket.AF_INET: (socket.IPPROTO_IP, 11), socket.AF_INET6: (socket.IPPROTO_IPV6, 25)}


def make_table():
    """Castagnoli's polynomial, bits reversed (RFC 9260 appendix A)."""
    table = []
    for crc in range(256):
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return table


TABLE = make_table()


def checksum(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 255]
    return struct.pack("<I", crc ^ 0xFFFFFFFF)


def make_packet(from_port, to_port, tag, kind, own_tag, cookie=b""):
    parameter = struct.pack("!HH", COOKIE, 4 + len(cookie)) + cookie if cookie else b""
    body = struct.pack("!IIHHI", own_tag, 65536, 1, 1, 1) + parameter
    chunk = struct.pack("!BBH", kind, 0, 4 + len(body)) + body
    chunk += bytes(-len(chunk) % 4)
    ends = struct.pack("!HHI", from_port, to_port, tag)
    return ends + checksum(ends + bytes(4) + chunk) + chunk


def read_packet(data):
    """Its ports, tag and chunk type, the chunk's own tag, its cookie; None when it is damaged."""
    if len(data) < 32 or data[8:12] != checksum(data[:8] + bytes(4) + data[12:]):
        return None
    from_port, to_port, tag, kind, _, length, own_tag = struct.unpack("!HHIBBHI", data[:8] + data[12:20])
    return from_port, to_port, tag, kind, own_tag, data[36:12 + length].decode()


def receive(raw):
    """IPv4 gives raw sockets the header, too (raw(7)); IPv6 does not (RFC 3542)."""
    data, (source, *_) = raw.recvfrom(65535)
    return data[(data[0] & 15) * 4:] if raw.family == socket.AF_INET else data, source


class Asked:
    """One INIT, and the wait for what comes back."""

    asked = 0

    def __init__(self, number, to, to_port, seconds, own=None):
        self.number, self.to_port = number, int(to_port)
        self.from_port = 40000 + Asked.asked % 20000
        Asked.asked += 1
        self.tag = int.from_bytes(os.urandom(4), "big") | 1
        self.until = time.monotonic() + float(seconds)
        family = socket.AF_INET6 if ":" in to else socket.AF_INET
        self.raw = socket.socket(family, socket.SOCK_RAW, SCTP)
        self.raw.setblocking(False)
        self.failure = None
        try:
            self.raw.setsockopt(*RECEIVE_ERRORS[family], 1)
            if own is not None:
                self.raw.bind((own, 0))
            self.raw.connect((to, 0))
            self.raw.send(make_packet(self.from_port, self.to_port, 0, INIT, self.tag))
        except OSError as error:
            self.failure = error.strerror

    def result(self, is_readable):
        """None as long as there is none."""
        found = self.failure or is_readable and (self.rejection() or self.answer())
        return found or ("dropped" if time.monotonic() > self.until else None)

    def rejection(self):
        """Any socket between two addresses hears of any rejection: the packet tells whose it is."""
        while True:
            try:
                data, about, _, _ = self.raw.recvmsg(65535, 1024, socket.MSG_ERRQUEUE)
            except OSError:
                return None
            if struct.unpack("!H", data[:2])[0] == self.from_port:
                return os.strerror(struct.unpack("=I", about[0][2][:4])[0])

    def answer(self):
        try:
            data, _ = receive(self.raw)
        except OSError:
            # The rejection of another one, told here as well.
            return None
        found = read_packet(data)
        if found is None:
            return "damaged" if struct.unpack("!H", data[2:4])[0] == self.from_port else None
        is_answer = found[:4] == (self.to_port, self.from_port, self.tag, INIT_ACK)
        return "passed " + found[5] if is_answer else None


def answer(raw, name, ports):
    data, source = receive(raw)
    found = read_packet(data)
    if found is None or found[2:4] != (0, INIT) or found[1] not in ports:
        return
    from_port, to_port, _, _, tag, _ = found
    cookie = f"{source} {from_port} {name}:{to_port}".encode()
    try:
        raw.sendto(make_packet(to_port, from_port, tag, INIT_ACK, 1, cookie), (source, 0))
    except OSError:
        # An answer that cannot be sent must not end the answering.
        pass


def main(name, *ports):
    answering = [socket.socket(family, socket.SOCK_RAW, SCTP)
                 for family in (socket.AF_INET, socket.AF_INET6)]
    asked, rest = {}, b""
    print("ready", flush=True)
    while True:
        readable = select.select([0, *answering, *asked], [], [], 0.05 if asked else None)[0]
        if 0 in readable:
            # Lines that a buffer holds already, select would not see.
            text = os.read(0, 65536)
            if not text:
                return
            *lines, rest = (rest + text).split(b"\n")
            for line in lines:
                one = Asked(*line.decode().split())
                asked[one.raw] = one
        for raw in answering:
            if raw in readable:
                answer(raw, name, {int(port) for port in ports})
        for raw, one in list(asked.items()):
            result = one.result(raw in readable)
            if result is not None:
                print(one.number, result, flush=True)
                raw.close()
                del asked[raw]


main(*sys.argv[1:])
