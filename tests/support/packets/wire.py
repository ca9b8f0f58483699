"""Cables into a host: frames go in where guests and the outside are, and what comes out is told.

    wire.py MARK NAME=MAC=silent|answering ...

Makes a TAP interface of each name in this network namespace, and keeps it for as long as it runs. For each
line of standard input, a list of operations in JSON, it prints a list with the answer to each:

    {"send": NAME, "frame": HEX}    a frame comes in by the interface
    {"send": "host", "packet": HEX} the host itself sends a packet, with whatever source stands in it
    {"wait": SECONDS}               no longer than until something comes out
    {"forget": true}                the kernel forgets all connections

An answer is a list of what came out since the last one, `[NAME, HEX]`: a frame, or for "host" a packet that
the host took for itself, when its firewall had let it in. What does not hold the mark is not told: the kernel
itself speaks now and then. Who is asked for an address (ARP, RFC 826, or
neighbour discovery, RFC 4861) at an answering interface is answered, whatever the address.
"""
import errno
import fcntl
import json
import os
import select
import socket
import struct
import sys
import time

# <linux/if_tun.h>
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
ARP, IPV4, IPV6 = 0x0806, 0x0800, 0x86DD
ICMPV6, NEIGHBOUR_SOLICITATION, NEIGHBOUR_ADVERTISEMENT = 58, 135, 136
# ICMP of both families, TCP, UDP, GRE, ESP and SCTP: what the host is listened to for.
PROTOCOLS = {socket.AF_INET: (1, 6, 17, 47, 50, 132), socket.AF_INET6: (58, 6, 17, 47, 50, 132)}
# <linux/netfilter/nfnetlink_conntrack.h>: without a tuple, a deletion is of all.
NETLINK_NETFILTER, DELETE_CONNECTION = 12, 1 << 8 | 2
REQUEST, ACKNOWLEDGE = 1, 4
# What the host itself is called where cables have their names.
HOST = "host"


def open_tap(name):
    tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    return tap


def open_listener(family, protocol):
    listener = socket.socket(family, socket.SOCK_RAW, protocol)
    listener.setblocking(False)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    return listener


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def advertisement(mac, frame):
    """What RFC 4861 section 7.2.4 says to a solicitation; None where the frame is none."""
    if len(frame) < 78 or frame[20] != ICMPV6 or frame[54] != NEIGHBOUR_SOLICITATION:
        return None
    asker, target = frame[22:38], frame[62:78]
    # Solicited, override; and the option with the link-layer address.
    body = struct.pack("!BBHI", NEIGHBOUR_ADVERTISEMENT, 0, 0, 0x60000000) + target
    body += b"\x02\x01" + mac
    ends = target + asker
    sum_ = checksum(ends + struct.pack("!II", len(body), ICMPV6) + body)
    body = body[:2] + struct.pack("!H", sum_) + body[4:]
    header = struct.pack("!IHBB", 6 << 28, len(body), ICMPV6, 255) + ends
    return frame[6:12] + mac + struct.pack("!H", IPV6) + header + body


def arp_reply(mac, frame):
    """None where the frame asks for nothing."""
    if frame[20:22] != b"\x00\x01":
        return None
    asker, target = frame[22:32], frame[38:42]
    body = frame[14:20] + b"\x00\x02" + mac + target + asker
    return frame[6:12] + mac + struct.pack("!H", ARP) + body


def is_discovery(packet):
    """What routers and neighbours tell one another, redirects with packets inside among it."""
    return packet[0] >> 4 == 6 and packet[6] == ICMPV6 and 130 <= packet[40] <= 143


class Wires:
    def __init__(self, mark, words):
        self.mark = mark.encode()
        self.taps, self.names, self.macs = {}, {}, {}
        for name, mac, kind in (word.split("=") for word in words):
            tap = open_tap(name)
            self.taps[name] = tap
            self.names[tap] = name
            if kind == "answering":
                self.macs[tap] = bytes.fromhex(mac.replace(":", ""))
        self.listeners = {}
        for family, protocols in PROTOCOLS.items():
            for protocol in protocols:
                listener = open_listener(family, protocol)
                self.listeners[listener.fileno()] = listener
        self.senders = {
            family: socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW) for family in PROTOCOLS
        }
        self.netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self.poll = select.poll()
        for one in [*self.names, *self.listeners]:
            self.poll.register(one, select.POLLIN)

    def send(self, name, operation):
        if name != HOST:
            os.write(self.taps[name], bytes.fromhex(operation["frame"]))
            return
        packet = bytes.fromhex(operation["packet"])
        if packet[0] >> 4 == 4:
            to = socket.AF_INET, (socket.inet_ntop(socket.AF_INET, packet[16:20]), 0)
        else:
            to = socket.AF_INET6, (socket.inet_ntop(socket.AF_INET6, packet[24:40]), 0)
        try:
            self.senders[to[0]].sendto(packet, to[1])
        except OSError as error:
            # What the firewall rejects on its way out is an error of the call.
            if error.errno not in (errno.EPERM, errno.EACCES, errno.EHOSTUNREACH, errno.ECONNREFUSED):
                raise

    def drain(self, patience):
        """Everything that is there, and what answers to our own answers bring."""
        came, until = [], time.monotonic() + patience
        while True:
            left = 0 if came else max(0, until - time.monotonic())
            ready = self.poll.poll(1000 * left)
            if not ready:
                return came
            for one, _ in ready:
                name = self.names.get(one, HOST)
                data = self.from_host(one) if name == HOST else self.from_tap(one)
                packet = data if name == HOST else data[14:]
                if self.mark in packet and not is_discovery(packet):
                    came.append([name, data.hex()])

    def from_tap(self, tap):
        frame = os.read(tap, 65536)
        mac = self.macs.get(tap)
        if mac is not None:
            kind = struct.unpack("!H", frame[12:14])[0]
            answer = {ARP: arp_reply, IPV6: advertisement}.get(kind, lambda *_: None)(mac, frame)
            if answer is not None:
                os.write(tap, answer)
        return frame

    def from_host(self, number):
        listener = self.listeners[number]
        data, ancillary, _, source = listener.recvmsg(65536, 256)
        if listener.family == socket.AF_INET:
            return data
        # The kernel leaves the header out; what is asked for is in the pktinfo (RFC 3542).
        to = next(value[:16] for level, kind, value in ancillary if kind == socket.IPV6_PKTINFO)
        ends = socket.inet_pton(socket.AF_INET6, source[0].split("%")[0]) + to
        header = struct.pack("!IHBB", 6 << 28, len(data), listener.proto, 64) + ends
        return header + data

    def forget(self):
        message = struct.pack("!BBH", socket.AF_UNSPEC, 0, 0)
        head = struct.pack("=IHHII", 16 + len(message), DELETE_CONNECTION, REQUEST | ACKNOWLEDGE, 1, 0)
        self.netlink.send(head + message)
        problem = struct.unpack("=i", self.netlink.recv(65536)[16:20])[0]
        if problem != 0:
            raise OSError(-problem, "the kernel does not forget its connections")

    def do(self, operation):
        if "send" in operation:
            self.send(operation["send"], operation)
        if "forget" in operation:
            self.forget()
        return self.drain(operation.get("wait", 0))


def main():
    wires = Wires(sys.argv[1], sys.argv[2:])
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps([wires.do(operation) for operation in json.loads(line)]), flush=True)


main()
