/** Nothing of a definition gets out of its place in a file of firewalld, or in a command. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { compileChange } from "../../../backends/firewalld/compile.ts";
import type { Command } from "../../../core/command.ts";
import { NoBackendError, UnsupportedNetworkError } from "../../../core/firewall_backend.ts";
import { HostError } from "../../../core/host.ts";
import type { FilteredPolicy } from "../../../core/policy/policy.ts";
import { INTERFACE_NAMES, policies, TEXTS } from "../../support/arbitrary.ts";
import { FRESH_FACTS } from "../../support/definitions.ts";
import { answersOf } from "./answers.ts";

/** Names that firewalld takes for an interface or a zone, as they are. */
const NAME = "[A-Za-z0-9_.:@=,~^+-]{1,17}";
const SUBNET = "[0-9a-f.:]+/\\d{1,3}";
const PORTS = "\\d{1,5}(?:-\\d{1,5})?";
const SIDE = `address="${SUBNET}"(?: invert="yes")?/>`;
const ACTION = 'accept|masquerade|reject type="icmp6?-port-unreachable"|' +
  `forward-port port="${PORTS}" protocol="(?:tcp|udp|sctp)"(?: to-port="\\d{1,5}")? ` +
  'to-addr="[0-9a-f.:]+"';

/** All lines that a file of ours can have. */
const LINES = [
  '<\\?xml version="1.0" encoding="utf-8"\\?>',
  "</?zone>",
  '<policy priority="-?\\d{1,5}" target="(?:ACCEPT|CONTINUE|REJECT)">',
  "</policy>",
  `  <short>bridgewall: (?:guests on )?${NAME}(?:-\\w+)?</short>`,
  "  <description>Made by bridgewall, which changes it and takes it away</description>",
  '  <service name="(?:dhcp|dhcpv6|dns|tftp)"/>',
  '  <protocol value="(?:icmp|ipv6-icmp)"/>',
  `  <interface name="${NAME}"/>`,
  `  <(?:in|e)gress-zone name="(?:ANY|HOST|${NAME})"/>`,
  `  <rule family="ipv[46]"(?: priority="-?\\d{1,5}")?>(?:<source ${SIDE})?` +
  `(?:<destination ${SIDE})?(?:<service name="(?:dhcp|dhcpv6|dns|tftp)"/>)?<(?:${ACTION})/></rule>`,
  "",
];
const LINE = new RegExp(`^(?:${LINES.join("|")})$`);

/** Commands as words; what they are given is checked line by line. */
const WORDS = [
  "install -m 0644 /dev/stdin /etc/firewalld/(?:zones|policies)/bw-[A-Za-z0-9_-]{1,15}\\.xml",
  "rm -f /etc/firewalld/(?:zones|policies)/bw-[A-Za-z0-9_-]{1,15}\\.xml",
  "busctl --json=short --auto-start=no --timeout=600 call [A-Za-z0-9./ :_@=,~^+-]+",
  `firewall-(?:offline-)?cmd (?:--quiet )?--permanent --zone=${NAME} ` +
  `--(?:change|remove)-interface=${NAME}`,
  `sysctl -q -w net/ipv4/conf/${NAME}/route_localnet=[01]`,
  "sysctl -n net\\.netfilter\\.nf_conntrack_sctp_timeout_established",
  "conntrack -D [-a-z0-9 ./:]+",
];
const WORD_LINE = new RegExp(`^(?:${WORDS.join("|")})$`);

function assertGrammar({ program, args, stdin }: Command): void {
  const words = [program, ...args];
  assert(WORD_LINE.test(words.join(" ")), JSON.stringify(words));
  for (const line of (stdin ?? "").split("\n")) assert(LINE.test(line), line);
}

/** Undefined where firewalld cannot have such a network. */
function commandsOf(policy: FilteredPolicy): readonly Command[] | undefined {
  try {
    const zones = ["libvirt", "guests"];
    const facts = { ...FRESH_FACTS, answers: answersOf({ zones }) };
    return compileChange([policy], facts).networks.flatMap(({ install, removal }) => [
      ...install.map(({ command }) => command),
      ...removal.flatMap(({ commands }) => commands),
    ]);
  } catch (error) {
    const refusals = [UnsupportedNetworkError, HostError, NoBackendError];
    if (refusals.some((kind) => error instanceof kind)) return undefined;
    throw error;
  }
}

/** Most names firewalld refuses, so that there are plain ones as well. */
const BRIDGES = fc.oneof(INTERFACE_NAMES, fc.stringMatching(/^[a-z0-9_.-]{1,15}$/));
const ZONES = fc.option(fc.oneof(TEXTS, fc.constant("guests")), { nil: undefined });

Deno.test("nothing of a definition gets out of its place in a file of firewalld", () => {
  let written = 0;
  fc.assert(
    fc.property(policies(TEXTS, BRIDGES), ZONES, (policy, zone) => {
      const commands = commandsOf(zone === undefined ? policy : { ...policy, zone });
      commands?.forEach(assertGrammar);
      if (commands !== undefined) written++;
    }),
    { numRuns: 1000 },
  );
  assert(written > 10, `only ${written} networks were written`);
});

Deno.test("that property knows a breach when it sees one", () => {
  const breaches = [
    '  <interface name="x"/><interface name="eth0"/>',
    '  <short>bridgewall: a</short><interface name="eth0"/>',
    '  <rule family="ipv4"><accept/></rule><rule family="ipv6"><accept/></rule>',
    '  <service name="ssh"/>',
    '<policy priority="-1" target="DROP">',
  ];
  assertEquals(breaches.filter((line) => LINE.test(line)), []);
});
