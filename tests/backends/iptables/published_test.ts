import { assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Rule } from "../../../backends/iptables/parts.ts";
import { partsOf } from "../../../backends/iptables/ruleset.ts";
import type { Family } from "../../../core/address.ts";
import { formatSpec } from "../../../core/network/published_port.ts";
import { policies } from "../../support/arbitrary.ts";
import { address, filtered, IPV4, IPV6 } from "../../support/definitions.ts";
import { packetsOf } from "./arbitrary_packets.ts";
import { WRITABLE_NAMES } from "./names.ts";
import { chainsOf, type Connection, type Packet, verdictOf } from "./packets.ts";
import { led } from "./policy_answers.ts";
import { publishing } from "./publishing.ts";

Deno.test("what is sent to a published port of the host leads to its guest, nothing else does", () => {
  const cases = fc.tuple(
    policies(undefined, WRITABLE_NAMES).filter(({ families }) => families.length > 0),
    fc.constantFrom("PREROUTING", "OUTPUT"),
  ).chain(([policy, chain]) =>
    fc.constantFrom(...policy.families.map(({ family }) => family)).chain((family) =>
      fc.tuple(
        fc.constant(policy),
        fc.constant(chain),
        fc.constant(family),
        packetsOf([policy], family),
      )
    )
  );
  fc.assert(
    fc.property(cases, ([policy, chain, family, packet]) => {
      const chains = chainsOf([policy], family, "nat");
      assertEquals(verdictOf(chains, chain, packet), led(policy, family, packet));
    }),
    { numRuns: 1000 },
  );
});

const WEB = publishing("", [
  'proto="tcp" port="8080" to="10.44.0.9:80" localhost="yes"',
  'proto="udp" port="5000-5002" to="10.44.0.9:6000" address="192.0.2.7"',
  'proto="sctp" port="7000-7100" to="[fd44::9]"',
  'proto="tcp" port="9000" to="10.44.0.9" address="127.0.0.5"',
]);

const PACKET: Packet = {
  in: "eth0",
  out: "virbr0",
  source: address("198.51.100.9"),
  destination: address("192.0.2.7"),
  protocol: "tcp",
  port: 8080,
  isLocal: true,
  states: ["NEW"],
  statuses: [],
};

Deno.test("that property knows packets that are led away, and others that are left alone", () => {
  const ask = (packet: Partial<Packet>, family: Family = "ipv4"): string | undefined =>
    verdictOf(chainsOf([WEB], family, "nat"), "PREROUTING", { ...PACKET, ...packet });
  const to = (target: string): string => `-j DNAT --to-destination ${target}`;
  assertEquals(ask({}), to("10.44.0.9:80"));
  assertEquals(ask({ isLocal: false }), undefined);
  assertEquals(ask({ port: 80 }), undefined);
  assertEquals(ask({ destination: address("127.0.0.1") }), to("10.44.0.9:80"));
  assertEquals(ask({ destination: address("127.0.0.2") }), undefined);
  const range = { protocol: "udp", port: 5002 };
  assertEquals(ask(range), to("10.44.0.9:6002"));
  assertEquals(ask({ ...range, destination: address("192.0.2.8") }), undefined);
  const six = { protocol: "sctp", port: 7050, destination: address("2001:db8::1") };
  assertEquals(ask(six, "ipv6"), to("fd44::9"));
  assertEquals(ask({ ...six, destination: address("::1") }, "ipv6"), undefined);
});

const CONNECTION: Connection = {
  direction: "ORIGINAL",
  protocol: 6,
  asked: address("192.0.2.7"),
  askedPort: 8080,
  answers: address("10.44.0.9"),
  answersPort: 80,
};

Deno.test("a connection that was led to a guest passes, with its answers and errors about it", () => {
  const [accept, reject] = ["-j ACCEPT", "-j REJECT"];
  for (const forward of ["", "<forward/>", "<forward dev='eth1'/>"]) {
    const network = publishing(forward, [
      'proto="tcp" port="8080" to="10.44.0.9:80"',
      'proto="tcp" port="443" to="10.44.0.9:80" address="192.0.2.7"',
    ]);
    const chains = chainsOf([network], "ipv4", "filter");
    const request: Packet = {
      ...PACKET,
      destination: address("10.44.0.9"),
      port: 80,
      isLocal: false,
      states: ["NEW", "DNAT"],
    };
    const ask = (packet: Partial<Packet>, connection: Partial<Connection> = {}): string =>
      verdictOf(chains, "FORWARD", {
        ...request,
        ...packet,
        connection: { ...CONNECTION, ...connection },
      })?.split(" ", 2).join(" ") ?? "";
    const answer = { in: "virbr0", out: "eth0", source: address("10.44.0.9") };
    const error = { protocol: "icmp", port: 0, states: ["RELATED", "DNAT"] };
    assertEquals(ask({}), accept);
    assertEquals(ask(error), accept);
    assertEquals(ask(answer, { direction: "REPLY" }), accept);
    assertEquals(ask({ ...answer, ...error }, { direction: "REPLY" }), accept);
    const foreign = { ...answer, source: address("10.45.0.9") };
    assertEquals(ask(foreign, { direction: "REPLY" }), reject);
    assertEquals(ask({ states: ["NEW"] }), reject);
    assertEquals(ask({}, { askedPort: 443 }), accept);
    assertEquals(ask({}, { askedPort: 443, asked: address("192.0.2.8") }), reject);
    assertEquals(ask({}, { askedPort: 8081 }), reject);
    assertEquals(ask({}, { answersPort: 81 }), reject);
    assertEquals(ask({}, { answers: address("10.44.0.8") }), reject);
    assertEquals(ask({}, { protocol: 17 }), reject);
  }
});

function rulesOf(family: Family, chain: string): readonly Rule[] {
  return partsOf(WEB, family).flatMap(({ chains }) => chains)
    .filter(({ name }) => name === chain).flatMap(({ rules }) => rules);
}

Deno.test("ports that keep their number are one rule, each of the others has its own", () => {
  const targets = (family: Family): readonly (string | undefined)[] =>
    rulesOf(family, "BWALL_PRE_virbr0").map(({ verdict }) => verdict.at(-1));
  assertEquals(targets("ipv4"), [
    "10.44.0.9:80", // any address, and 127.0.0.1
    "10.44.0.9:80",
    "10.44.0.9:6000",
    "10.44.0.9:6001",
    "10.44.0.9:6002",
    "10.44.0.9",
  ]);
  assertEquals(targets("ipv6"), ["fd44::9"]);
});

Deno.test("what a published port has carried is counted in both directions, once each", () => {
  const counting = ["BWALL_ANS_virbr0", "BWALL_REQ_virbr0"].map((chain) =>
    rulesOf("ipv4", chain).map(({ counts, carries }) => `${counts} ${carries}`)
  );
  const [web, voice] = WEB.families.flatMap(({ published }) => published.map(formatSpec));
  // That of 127.0.0.5 is asked for by the host alone, and what it sends itself is not forwarded.
  assertEquals(counting, [
    [`out ${web}`, `out ${voice}`],
    [`in ${web}`, `in ${voice}`],
  ]);
});

Deno.test("nobody but the host has anything to do with 127.0.0.0/8, where a port of it is published", () => {
  const guards = (ports: readonly string[], family: Family): number =>
    partsOf(publishing("", ports), family).filter(({ shared }) => shared.table === "raw").length;
  const port = 'proto="tcp" port="8080" to="10.44.0.9"';
  assertEquals(guards([port], "ipv4"), 0);
  assertEquals(guards([`${port} localhost="yes"`], "ipv4"), 1);
  assertEquals(guards([`${port} address="127.0.0.5"`], "ipv4"), 1);
  assertEquals(guards([`${port} localhost="yes"`], "ipv6"), 0);
});

Deno.test("a network that publishes on 127.0.0.0/8 alone lets nobody in", () => {
  const port = 'proto="tcp" port="8080" to="10.44.0.9" address="127.0.0.5"';
  const filterOf = (network: typeof WEB): unknown =>
    partsOf(network, "ipv4").filter(({ shared }) => shared.table === "filter");
  assertEquals(filterOf(publishing("", [port])), filterOf(filtered(IPV4 + IPV6)));
});
