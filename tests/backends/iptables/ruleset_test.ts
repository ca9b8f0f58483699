import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { networkParts, usesFamily } from "../../../backends/iptables/ruleset.ts";
import {
  contains,
  type Family,
  formatRange,
  isLinkLocal,
  parseSubnet,
} from "../../../core/address.ts";
import { type FilteredPolicy, NEVER_TRANSLATED } from "../../../core/policy/policy.ts";
import { policies } from "../../support/arbitrary.ts";
import { address, filtered, IPV4, IPV6 } from "../../support/definitions.ts";
import { WRITABLE_NAMES } from "./names.ts";
import { packetsOf } from "./arbitrary_packets.ts";
import { chainsOf, type Packet, verdictOf } from "./packets.ts";

const FAMILIES = ["ipv4", "ipv6"] as const;

/** What the policies say of a forwarded packet, in the words of iptables; undefined: nothing. */
function wanted(
  all: readonly FilteredPolicy[],
  family: Family,
  packet: Packet,
): string | undefined {
  const reject = `-j REJECT --reject-with icmp${family === "ipv4" ? "" : "6"}-port-unreachable`;
  const source = all.find(({ bridge }) => bridge === packet.in);
  const destination = all.find(({ bridge }) => bridge === packet.out);
  if (source !== undefined && source === destination) return "-j ACCEPT";
  if (source !== undefined && !mayLeave(source, family, packet)) return reject;
  if (destination !== undefined && !mayEnter(destination, family, packet)) return reject;
  return source === undefined && destination === undefined ? undefined : "-j ACCEPT";
}

function mayLeave({ families }: FilteredPolicy, family: Family, packet: Packet): boolean {
  const own = families.find((one) => one.family === family);
  if (own === undefined || own.forwarding.direction === "none") return false;
  const { device = packet.out, translation } = own.forwarding;
  const isTranslated = packet.states.includes("SNAT") || packet.statuses.includes("EXPECTED");
  const willBe = ["NEW", "RELATED"].some((state) => packet.states.includes(state)) &&
    !packet.statuses.includes("CONFIRMED");
  return device === packet.out && own.subnets.some((one) => contains(one, packet.source)) &&
    (translation === undefined || isTranslated || willBe);
}

function mayEnter({ families }: FilteredPolicy, family: Family, packet: Packet): boolean {
  const own = families.find((one) => one.family === family);
  if (own === undefined || own.forwarding.direction === "none") return false;
  const { device = packet.in, direction } = own.forwarding;
  const isReply = ["RELATED", "ESTABLISHED"].some((state) => packet.states.includes(state)) &&
    (packet.states.includes("SNAT") || packet.statuses.includes("EXPECTED"));
  return device === packet.in && own.subnets.some((one) => contains(one, packet.destination)) &&
    (direction === "both" || isReply);
}

const TWO_POLICIES = fc.tuple(
  policies(undefined, WRITABLE_NAMES),
  policies(undefined, WRITABLE_NAMES),
).filter(([one, other]) => one.bridge !== other.bridge);

Deno.test("a forwarded packet passes where the policies of both its networks let it, else never", () => {
  const cases = fc.tuple(TWO_POLICIES, fc.constantFrom(...FAMILIES)).chain(([all, family]) =>
    fc.tuple(fc.constant(all), fc.constant(family), packetsOf(all, family))
  );
  fc.assert(
    fc.property(cases, ([all, family, packet]) => {
      const chains = chainsOf(all, family, "filter");
      assertEquals(verdictOf(chains, "FORWARD", packet), wanted(all, family, packet));
    }),
    { numRuns: 3000 },
  );
});

/** How a packet that leaves is translated; undefined: not. */
function translated(
  { families }: FilteredPolicy,
  family: Family,
  packet: Packet,
): string | undefined {
  const own = families.find((one) => one.family === family);
  if (own === undefined || own.forwarding.direction === "none") return undefined;
  const { device = packet.out, translation } = own.forwarding;
  const stays = [
    ...own.subnets,
    ...NEVER_TRANSLATED[family].flatMap((one) => parseSubnet(one) ?? []),
  ];
  const sources = own.subnets.filter((one) => !isLinkLocal(one));
  const leaves = device === packet.out && sources.some((one) => contains(one, packet.source)) &&
    !stays.some((one) => contains(one, packet.destination));
  if (translation === undefined || !leaves) return undefined;
  const { addresses, ports: { start, end } } = translation;
  const ports = ["tcp", "udp"].includes(packet.protocol) ? `${start}-${end}` : "";
  if (addresses === undefined) return `-j MASQUERADE${ports === "" ? "" : ` --to-ports ${ports}`}`;
  return `-j SNAT --to-source ${formatRange(addresses)}${ports === "" ? "" : `:${ports}`}`;
}

Deno.test("what leaves the subnets of a network is translated as its policy says, nothing else", () => {
  const cases = fc.tuple(policies(undefined, WRITABLE_NAMES), fc.constantFrom(...FAMILIES))
    .chain(([policy, family]) =>
      fc.tuple(fc.constant(policy), fc.constant(family), packetsOf([policy], family))
    );
  fc.assert(
    fc.property(cases, ([policy, family, packet]) => {
      const chains = chainsOf([policy], family, "nat");
      assertEquals(verdictOf(chains, "POSTROUTING", packet), translated(policy, family, packet));
    }),
    { numRuns: 3000 },
  );
});

Deno.test("a link-local source is not translated: the host itself has one on every interface", () => {
  const nat = "<forward><nat ipv6='yes'/></forward>";
  const linkLocal = "<ip family='ipv6' address='fe80::1' prefix='64'/>";
  const chains = chainsOf([filtered(nat + IPV6 + linkLocal)], "ipv6", "nat");
  const sentFrom = (source: string): string | undefined =>
    verdictOf(chains, "POSTROUTING", {
      in: "",
      out: "eth0",
      source: address(source),
      destination: address("ff05::1:3"),
      protocol: "udp",
      states: ["NEW"],
      statuses: [],
    });
  assertEquals(sentFrom("fe80::5054:ff:fe12:3456"), undefined);
  assertEquals(sentFrom("fd44::1"), "-j MASQUERADE --to-ports 1024-65535");
});

Deno.test("that property knows packets that pass, are rejected, and are none of our business", () => {
  const policy = filtered(`<forward mode='nat'/>${IPV4}`);
  const packet: Packet = {
    in: "virbr0",
    out: "eth0",
    source: address("10.44.0.9"),
    destination: address("192.0.2.1"),
    protocol: "tcp",
    states: ["NEW"],
    statuses: [],
  };
  const chains = chainsOf([policy], "ipv4", "filter");
  const verdict = (one: Partial<Packet>): string | undefined =>
    verdictOf(chains, "FORWARD", { ...packet, ...one });
  assertEquals(verdict({}), "-j ACCEPT");
  assertEquals(verdict({ source: address("10.45.0.9") })?.startsWith("-j REJECT"), true);
  assertEquals(verdict({ states: ["INVALID"] })?.startsWith("-j REJECT"), true);
  assertEquals(verdict({ in: "eth1" }), undefined);
});

Deno.test("a network is stopped in the family that it does not use, and has nothing else there", () => {
  const parts = networkParts(filtered(`<forward mode='nat'/>${IPV4}`), "ipv6");
  assertEquals(
    parts.map(({ shared, chains }) => [
      shared.table,
      ...chains.map(({ rules }) => rules.map(({ verdict }) => verdict[1]).join()),
    ]),
    [["filter", "ACCEPT,REJECT", "REJECT"]],
  );
});

Deno.test("only a network that uses IPv6 cannot do without its rules for IPv6", () => {
  assertEquals(usesFamily(filtered(IPV4), "ipv4"), true);
  assertEquals(usesFamily(filtered(IPV6), "ipv4"), true);
  assertEquals(usesFamily(filtered(IPV4), "ipv6"), false);
  assertEquals(usesFamily(filtered(IPV6), "ipv6"), true);
  assertEquals(usesFamily({ ...filtered(IPV4), guestsOverIpv6: true }, "ipv6"), true);
});

Deno.test("everything that leaves, enters or is rejected is counted once", () => {
  const [forwarding] = networkParts(filtered(`<forward mode='nat'/>${IPV4}`), "ipv4");
  assertEquals(forwarding?.chains.map(({ rules }) => rules.map(({ counts }) => counts ?? "-")), [
    ["-", "out", "out", "out", "rejected"],
    ["in", "in", "rejected"],
  ]);
});

Deno.test("DHCP replies over IPv4 get their checksum, and nothing else is changed", () => {
  const dhcp = "<ip address='10.44.0.1' prefix='24'><dhcp><range start='10.44.0.2' " +
    "end='10.44.0.3'/></dhcp></ip>";
  const tables = (elements: string, family: Family): readonly string[] =>
    networkParts(filtered(elements), family).map(({ shared }) => shared.table);
  assertEquals(tables(dhcp, "ipv4"), ["filter", "filter", "mangle"]);
  assertEquals(tables(dhcp, "ipv6"), ["filter"]);
  assertEquals(tables(IPV4, "ipv4"), ["filter", "filter"]);
});
