"""Asks ports by TCP, UDP and SCTP in many network namespaces, and answers by SCTP in each.

    asking.py NAMESPACE=LABEL,... PORT...

For each line `ID NAMESPACE PROTOCOL TO TO-PORT SECONDS [FROM]` of standard input it asks so, and prints
`ID` and what became of it: `passed` with what was answered, `dropped`, `damaged` or an error.

The kernel need not speak SCTP: it is the first exchange of an association, by raw sockets. Every INIT to
one of the ports is answered by an INIT-ACK, whose cookie says what `responder.ts` says: who was seen
asking, and who answers. What is not as RFC 9260 wants it (the checksum, the verification tag) is not
answered, and an answer that is not is damaged: a translation that forgets the checksum shows itself.
"""
import ctypes
import os
import select
import socket
import struct
import sys
import time

SCTP = 132

# <sched.h>
CLONE_NEWNET = 0x40000000
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
    """A question that waits for its answer."""

    def __init__(self, number, socket_type, protocol, to, to_port, seconds, own=None):
        self.number, self.to, self.to_port = number, to, int(to_port)
        self.until = time.monotonic() + float(seconds)
        family = socket.AF_INET6 if ":" in to else socket.AF_INET
        self.socket = socket.socket(family, socket_type, protocol)
        self.socket.setblocking(False)
        self.is_connecting = False
        self.failure = None
        try:
            if own is not None:
                self.socket.bind((own, 0))
            self.begin()
        except OSError as error:
            self.failure = error.strerror

    def result(self, is_ready):
        """None as long as there is none."""
        if self.failure is None and is_ready:
            try:
                found = self.read()
                if found is not None:
                    return found
            except OSError as error:
                self.failure = error.strerror
        return self.failure or ("dropped" if time.monotonic() > self.until else None)


class AskedByTcp(Asked):
    def __init__(self, number, *args):
        super().__init__(number, socket.SOCK_STREAM, 0, *args)

    def begin(self):
        self.is_connecting = True
        try:
            self.socket.connect((self.to, self.to_port))
        except BlockingIOError:
            pass

    def read(self):
        if not self.is_connecting:
            return "passed " + self.socket.recv(65535).decode().strip()
        failure = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if failure:
            return os.strerror(failure)
        self.is_connecting = False
        self.socket.send(b"hello\n")
        return None


class AskedByUdp(Asked):
    def __init__(self, number, *args):
        super().__init__(number, socket.SOCK_DGRAM, 0, *args)

    def begin(self):
        # A connected socket hears of rejections.
        self.socket.connect((self.to, self.to_port))
        self.socket.send(b"hello\n")

    def read(self):
        return "passed " + self.socket.recv(65535).decode().strip()


class AskedBySctp(Asked):
    asked = 0

    def __init__(self, number, *args):
        self.from_port = 40000 + AskedBySctp.asked % 20000
        AskedBySctp.asked += 1
        self.tag = int.from_bytes(os.urandom(4), "big") | 1
        super().__init__(number, socket.SOCK_RAW, SCTP, *args)

    def begin(self):
        self.socket.setsockopt(*RECEIVE_ERRORS[self.socket.family], 1)
        self.socket.connect((self.to, 0))
        self.socket.send(make_packet(self.from_port, self.to_port, 0, INIT, self.tag))

    def read(self):
        return self.rejection() or self.answer()

    def rejection(self):
        """Any raw socket between two addresses hears of any rejection: the packet tells whose it is."""
        while True:
            try:
                data, about, _, _ = self.socket.recvmsg(65535, 1024, socket.MSG_ERRQUEUE)
            except OSError:
                return None
            if struct.unpack("!H", data[:2])[0] == self.from_port:
                return os.strerror(struct.unpack("=I", about[0][2][:4])[0])

    def answer(self):
        try:
            data, _ = receive(self.socket)
        except OSError:
            # The rejection of another one, told here as well.
            return None
        found = read_packet(data)
        if found is None:
            return "damaged" if struct.unpack("!H", data[2:4])[0] == self.from_port else None
        is_answer = found[:4] == (self.to_port, self.from_port, self.tag, INIT_ACK)
        return "passed " + found[5] if is_answer else None


KINDS = {"tcp": AskedByTcp, "udp": AskedByUdp, "sctp": AskedBySctp}


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


def enter(namespace):
    """A socket stays where it was made, wherever the process goes (network_namespaces(7))."""
    file = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    failed = ctypes.CDLL(None, use_errno=True).setns(file, CLONE_NEWNET)
    os.close(file)
    if failed:
        raise OSError(ctypes.get_errno(), "setns")


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


def main(places, *ports):
    answering = {}
    for place in places.split(","):
        namespace, label = place.split("=")
        enter(namespace)
        for family in RECEIVE_ERRORS:
            answering[socket.socket(family, socket.SOCK_RAW, SCTP)] = label
    asked, rest = set(), b""
    print("ready", flush=True)
    while True:
        connecting = [one.socket for one in asked if one.is_connecting]
        waiting = [one.socket for one in asked if not one.is_connecting]
        readable, writable, _ = select.select(
            [0, *answering, *waiting], connecting, [], 0.05 if asked else None)
        if 0 in readable:
            # Lines that a buffer holds already, select would not see.
            text = os.read(0, 65536)
            if not text:
                return
            *lines, rest = (rest + text).split(b"\n")
            for line in lines:
                number, namespace, protocol, *args = line.decode().split()
                enter(namespace)
                asked.add(KINDS[protocol](number, *args))
        for raw, label in answering.items():
            if raw in readable:
                answer(raw, label, {int(port) for port in ports})
        for one in list(asked):
            result = one.result(one.socket in readable or one.socket in writable)
            if result is not None:
                print(one.number, result, flush=True)
                one.socket.close()
                asked.remove(one)


main(*sys.argv[1:])
