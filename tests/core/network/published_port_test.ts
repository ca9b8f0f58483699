import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  formatListener,
  formatSpec,
  formatTarget,
  listeners,
  needsLocalhost,
  parseNamedPort,
  parseSpec,
  type PublishedPort,
  PublishedPortError,
} from "../../../core/network/published_port.ts";
import { TEXTS } from "../../support/arbitrary.ts";
import { address } from "../../support/definitions.ts";
import { PUBLISHED_PORTS } from "../../support/arbitrary_ports.ts";

function read(spec: string, localhost = false): PublishedPort {
  return parseSpec(spec, { localhost });
}

const PORT = {
  protocol: "tcp",
  ports: { start: 8080, end: 8080 },
  guest: address("192.168.122.10"),
  guestPorts: { start: 80, end: 80 },
  localhost: false,
  runtime: true,
} as const;

const RANGE = { start: 8000, end: 8010 };

/** Every form of the grammar, and what it says. */
const FORMS: Readonly<Record<string, PublishedPort>> = {
  "8080:192.168.122.10:80/tcp": PORT,
  "8080:192.168.122.10:80/udp": { ...PORT, protocol: "udp" },
  "8080:192.168.122.10:80/sctp": { ...PORT, protocol: "sctp" },
  "8080:192.168.122.10/tcp": { ...PORT, guestPorts: PORT.ports },
  "8000-8010:192.168.122.10/tcp": { ...PORT, ports: RANGE, guestPorts: RANGE },
  "8000-8010:192.168.122.10:80/tcp": {
    ...PORT,
    ports: RANGE,
    guestPorts: { start: 80, end: 90 },
  },
  "8000-8010:192.168.122.10:80-90/tcp": {
    ...PORT,
    ports: RANGE,
    guestPorts: { start: 80, end: 90 },
  },
  "192.0.2.1:8080:192.168.122.10:80/tcp": { ...PORT, hostAddress: address("192.0.2.1") },
  "127.0.0.5:8080:192.168.122.10:80/tcp": { ...PORT, hostAddress: address("127.0.0.5") },
  "8080:[fd00::10]:80/tcp": { ...PORT, guest: address("fd00::10") },
  "8080:[fd00::10]/tcp": { ...PORT, guest: address("fd00::10"), guestPorts: PORT.ports },
  "8080:[192.168.122.10]:80/tcp": PORT,
  "[2001:DB8::1]:8080:[fd00::10]:80/tcp": {
    ...PORT,
    hostAddress: address("2001:db8::1"),
    guest: address("fd00::10"),
  },
  "1:192.168.122.10:65535/tcp": {
    ...PORT,
    ports: { start: 1, end: 1 },
    guestPorts: { start: 65535, end: 65535 },
  },
  "1-65535:192.168.122.10/tcp": {
    ...PORT,
    ports: { start: 1, end: 65535 },
    guestPorts: { start: 1, end: 65535 },
  },
};

for (const [spec, published] of Object.entries(FORMS)) {
  Deno.test(`${spec} is understood`, () => {
    assertEquals(read(spec), published);
  });
}

/** What is refused, why, and what to type instead. */
const REFUSALS: readonly (readonly [spec: string, message: string, hint: string])[] = [
  ["", 'Cannot read "" as a published port', "8080:192.168.122.10:80/tcp"],
  ["8080", 'Cannot read "8080" as a published port', "Write [HOST-ADDRESS:]PORT[-PORT]:GUEST"],
  ["8080:80/tcp", 'Cannot read "8080:80/tcp" as a published port', "Write [HOST-ADDRESS:]PORT"],
  [
    "8080:192.168.122.10:80",
    'Cannot read "8080:192.168.122.10:80" as a published port',
    "Write the protocol as well: 8080:192.168.122.10:80/tcp",
  ],
  ["8080:web:80/tcp", 'Cannot read "8080:web:80/tcp" as a published port', "Write [HOST-ADDRESS:]"],
  ["8080:fd00::10:80/tcp", 'Cannot read "8080:fd00::10:80/tcp"', "an IPv6 address in brackets"],
  ["8080:192.168.122.10:80/TCP", 'Cannot read "8080:192.168.122.10:80/TCP"', "Write [HOST-"],
  ["8080:192.168.122.10:80/tcp ", "as a published port", "Write [HOST-"],
  ["\n8080:192.168.122.10:80/tcp", 'Cannot read "\\u{a}8080', "Write [HOST-"],
  [
    "8080:192.168.122.10:80/icmp",
    'Cannot publish the protocol "icmp"',
    "Choose one of tcp, udp, sctp",
  ],
  ["0:192.168.122.10:80/tcp", 'Cannot read "0" as ports', "Write numbers from 1 to 65535"],
  ["65536:192.168.122.10:80/tcp", 'Cannot read "65536" as ports', "Write numbers from 1 to 65535"],
  ["99999999999999999999:192.168.122.10/tcp", "as ports", "Write numbers from 1 to 65535"],
  ["8080:192.168.122.10:0/tcp", 'Cannot read "0" as ports', "Write numbers from 1 to 65535"],
  ["0-80:192.168.122.10/tcp", 'Cannot read "0-80" as ports', "Write numbers from 1 to 65535"],
  ["90-80:192.168.122.10/tcp", 'Ports "90-80" end before they begin', "Write 80-90"],
  ["80-90:192.168.122.10:90-80/tcp", 'Ports "90-80" end before they begin', "Write 80-90"],
  [
    "80-90:192.168.122.10:180-189/tcp",
    "Ports 80-90 of the host and 180-189 of the guest are not equally many",
    "Write the first alone: 180",
  ],
  [
    "8080:192.168.122.10:80-81/tcp",
    "Ports 8080 of the host and 80-81 of the guest are not equally many",
    "Write the first alone: 80",
  ],
  [
    "1-10:192.168.122.10:65530/tcp",
    "Ports of the guest would end at 65539, at most 65535",
    "Begin with 65526 or less",
  ],
  ["8080:192.168.122.300:80/tcp", 'Cannot read "192.168.122.300" as an IP address', "Write 192."],
  ["8080:192.168.122.010:80/tcp", 'Cannot read "192.168.122.010" as an IP address', "Write 192."],
  ["010.0.0.1:8080:10.0.0.2:80/tcp", 'Cannot read "010.0.0.1" as an IP address', "Write 192."],
  ["8080:[fd00::10::]:80/tcp", 'Cannot read "[fd00::10::]" as an IP address', "an IPv6 address"],
  ["0.0.0.0:8080:10.0.0.2:80/tcp", '"0.0.0.0" is no address of a host', "Leave it out for any"],
  ["[::]:8080:[fd00::2]:80/tcp", '"::" is no address of a host', "Leave it out for any"],
  [
    "192.0.2.1:8080:[fd00::2]:80/tcp",
    `"192.0.2.1" and the guest's address "fd00::2" are of two families`,
    "Publish each family by itself",
  ],
  [
    "224.0.0.1:8080:10.0.0.2:80/tcp",
    '"224.0.0.1" is an address that cannot lead to a guest',
    "Name an address that the host has",
  ],
  ["255.255.255.255:80:10.0.0.2/tcp", '"255.255.255.255" is an address that cannot', "Name an"],
  ["[ff02::1]:80:[fd00::2]/tcp", '"ff02::1" is an address that cannot lead to a guest', "Name an"],
  ["[::1]:80:[fd00::2]/tcp", '"::1" is an address that cannot lead to a guest', "Name an address"],
];

for (const [spec, message, hint] of REFUSALS) {
  Deno.test(`${JSON.stringify(spec)} is refused with something to type`, () => {
    const error = assertThrows(() => read(spec), PublishedPortError, message);
    assert(error.hint?.includes(hint), `hint: ${error.hint}`);
  });
}

Deno.test("what the refusals tell to type is understood", () => {
  for (const [spec] of REFUSALS) {
    const { hint = "" } = assertThrows(() => read(spec), PublishedPortError);
    const typed = /\S+\/tcp$/.exec(hint)?.[0];
    if (typed !== undefined) assertEquals(formatTarget(read(typed)), "192.168.122.10:80", hint);
  }
});

Deno.test("127.0.0.1 leads to IPv4 guests only, and is not added to itself", () => {
  assertEquals(read("8080:10.0.0.2:80/tcp", true).localhost, true);
  assertEquals(read("192.0.2.1:8080:10.0.0.2:80/tcp", true).localhost, true);
  for (const host of ["127.0.0.1", "127.0.0.9"]) {
    assertEquals(read(`${host}:8080:10.0.0.2:80/tcp`, true).localhost, false);
  }
  const error = assertThrows(() => read("8080:[fd00::2]:80/tcp", true), PublishedPortError);
  assertEquals(
    error.message,
    "Localhost cannot lead to an IPv6 guest: the kernel sends nothing from ::1 elsewhere",
  );
  assertEquals(
    error.hint,
    "Leave localhost out, or publish an IPv4 address of the guest as well",
  );
});

Deno.test("a port listens on any address but those of lo, on one, or on 127.0.0.1 as well", () => {
  const local = address("127.0.0.1");
  const one = address("192.0.2.1");
  assertEquals(listeners(read("80:10.0.0.2/tcp")), ["any"]);
  assertEquals(listeners(read("80:10.0.0.2/tcp", true)), ["any", local]);
  assertEquals(listeners(read("192.0.2.1:80:10.0.0.2/tcp")), [one]);
  assertEquals(listeners(read("192.0.2.1:80:10.0.0.2/tcp", true)), [one, local]);
  assertEquals(listeners(read("127.0.0.1:80:10.0.0.2/tcp", true)), [local]);
  const needs = (spec: string, localhost: boolean): boolean =>
    needsLocalhost(read(spec, localhost));
  assertEquals(needs("80:10.0.0.2/tcp", false), false);
  assertEquals(needs("80:10.0.0.2/tcp", true), true);
  assertEquals(needs("127.0.0.7:80:10.0.0.2/tcp", false), true);
  assertEquals(needs("128.0.0.1:80:10.0.0.2/tcp", false), false);
  assertEquals(needs("80:[fd00::2]/tcp", false), false);
});

Deno.test("any published port reads back as it is written, and so does its host's end", () => {
  fc.assert(fc.property(PUBLISHED_PORTS, (port) => {
    const spec = formatSpec(port);
    assertEquals(read(spec, port.localhost), { ...port, runtime: true }, spec);
    const named = parseNamedPort(spec);
    assertEquals(named.listener, formatListener(port));
    assertEquals(named.whole === undefined ? "" : formatSpec(named.whole), spec);
    const end = parseNamedPort(formatListener(port));
    assertEquals([end.listener, end.whole], [formatListener(port), undefined]);
    assertEquals(end.end.ports, port.ports);
  }));
});

Deno.test("two published ports that differ are never written alike", () => {
  fc.assert(fc.property(PUBLISHED_PORTS, PUBLISHED_PORTS, (one, other) => {
    const same = (port: PublishedPort): unknown => ({ ...port, localhost: false, runtime: false });
    const isSame = JSON.stringify(same(one), bigints) === JSON.stringify(same(other), bigints);
    assertEquals(formatSpec(one) === formatSpec(other), isSame);
  }));
});

function bigints(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}

/** The host's end alone, as it is typed and as it is known then. */
const ENDS: Readonly<Record<string, string>> = {
  "8080/tcp": "8080/tcp",
  "8000-8010/udp": "8000-8010/udp",
  "8000-8000/udp": "8000/udp",
  "0080/tcp": "80/tcp",
  "192.0.2.1:8080/sctp": "192.0.2.1:8080/sctp",
  "[2001:DB8:0::1]:8080/tcp": "[2001:db8::1]:8080/tcp",
};

for (const [text, listener] of Object.entries(ENDS)) {
  Deno.test(`a port is named by ${text} alone`, () => {
    const named = parseNamedPort(text);
    assertEquals([named.listener, named.whole], [listener, undefined]);
  });
}

Deno.test("a name that is none is refused like a published port that is none", () => {
  const refusals: readonly (readonly [string, string])[] = [
    ["8080", 'Cannot read "8080" as a published port'],
    ["8080/xyz", 'Cannot publish the protocol "xyz"'],
    ["0/tcp", 'Cannot read "0" as ports'],
    ["9-8/tcp", 'Ports "9-8" end before they begin'],
    ["999.0.0.1:80/tcp", 'Cannot read "999.0.0.1" as an IP address'],
    ["", 'Cannot read "" as a published port'],
  ];
  for (const [text, message] of refusals) {
    assertThrows(() => parseNamedPort(text), PublishedPortError, message, text);
  }
});

Deno.test("no text at all does more than be refused", () => {
  fc.assert(
    fc.property(fc.oneof(TEXTS, fc.stringMatching(/^[0-9.:[\]/-]{1,40}(tcp|udp)?$/)), (text) => {
      try {
        assertEquals(formatSpec(read(formatSpec(read(text)))), formatSpec(read(text)));
      } catch (error) {
        assert(error instanceof PublishedPortError, String(error));
        assert(!/[\p{Cc}\p{Cs}]/u.test(error.message + error.hint), JSON.stringify(error.message));
      }
    }),
    { numRuns: 2000 },
  );
});
