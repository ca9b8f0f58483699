import { assert } from "@std/assert";
import fc from "fast-check";
import { compileChange } from "../../../backends/iptables/compile.ts";
import { parseSubnet } from "../../../core/address.ts";
import type { Command } from "../../../core/command.ts";
import type { FilteredPolicy } from "../../../core/policy/policy.ts";
import { byteLength } from "../../../core/quoted.ts";
import { filtered, IPV4 } from "../../support/definitions.ts";
import { wordsOf } from "../../support/model_iptables.ts";
import { hostilePolicies } from "./arbitrary_policies.ts";
import { factsOf } from "./facts.ts";

/** Chains of ours. */
const CHAIN =
  /^(?:BRIDGEWALL_(?:POSE|FROM|TO|LET|INP|OUT|PRE|POST|MASQ|LO|SUM)|BWALL_[A-Za-z0-9._=-]{1,22})$/;
const BUILT_IN = /^(?:PREROUTING|INPUT|FORWARD|OUTPUT|POSTROUTING)$/;

/** Addresses, alone or with ports. */
const ADDRESS = String.raw`[\da-f:.]+`;
const PORTS = String.raw`\d{1,5}(?::\d{1,5})?`;

/** What may follow each option. */
const OPTIONS: Readonly<Record<string, RegExp>> = {
  "-p": /^(?:tcp|udp|sctp)$/,
  "-m": /^(?:addrtype|comment|conntrack|tcp|udp|sctp)$/,
  "--dport": new RegExp(`^${PORTS}$`),
  "--sport": /^(?:53|67|69|547|1024:65535)$/,
  "--dst-type": /^LOCAL$/,
  "--ctstate": /^(?:SNAT|DNAT|NEW|NEW,RELATED|RELATED,ESTABLISHED|ESTABLISHED)$/,
  "--ctstatus": /^(?:EXPECTED|CONFIRMED)$/,
  "--ctdir": /^(?:ORIGINAL|REPLY)$/,
  "--ctproto": /^(?:6|17|132)$/,
  "--ctorigdst": new RegExp(`^${ADDRESS}$`),
  "--ctreplsrc": new RegExp(`^${ADDRESS}$`),
  "--ctorigdstport": new RegExp(`^${PORTS}$`),
  "--ctreplsrcport": new RegExp(`^${PORTS}$`),
  "--to-destination": new RegExp(`^(?:${ADDRESS}|\\[${ADDRESS}\\]:\\d{1,5})$`),
  "--reject-with": /^icmp6?-port-unreachable$/,
  "--to-ports": /^\d{1,5}-\d{1,5}$/,
  "--to-source": /^[\d.]+(?:-[\d.]+)?(?::\d{1,5}-\d{1,5})?$/,
};

/** What is wrong with a line of a script for this network; undefined: nothing. */
function problemOf(line: string, policy: FilteredPolicy): string | undefined {
  if (/^\*(?:filter|nat|mangle|raw)$|^COMMIT$/.test(line)) return undefined;
  const [verb = "", chain = "", ...rule] = wordsOf(line);
  const isOurs = CHAIN.test(chain);
  if (/^-[NFX]$/.test(verb)) return isOurs && rule.length === 0 ? undefined : "a chain of others";
  if (!/^-[AID]$/.test(verb)) return `the verb ${verb}`;
  if (!isOurs && !(BUILT_IN.test(chain) && verb !== "-A")) return "a rule in a chain of others";
  if (/-j,DROP/.test(rule.join()) && chain !== "BRIDGEWALL_LO") return "a packet without an answer";
  for (let at = 0; at < rule.length; at++) {
    const option = rule[at] ?? "";
    if (option === "--checksum-fill") continue;
    if (option === "!" && /^(?:--ctstatus|-d)$/.test(rule[at + 1] ?? "")) continue;
    if (option === "!" && /^-[io] lo$/.test(rule.slice(at + 1, at + 3).join(" "))) {
      at += 2;
      continue;
    }
    if (option === "!" && chain === "BRIDGEWALL_POSE" && rule[at + 1] === "-i") continue;
    if (!isValue(option, rule[++at] ?? "", policy)) return `${option} ${rule[at]}`;
  }
  return undefined;
}

function isValue(option: string, value: string, policy: FilteredPolicy): boolean {
  switch (option) {
    case "-i":
    case "-o":
      return value === policy.bridge ||
        policy.families.some(({ forwarding }) =>
          forwarding.direction !== "none" && forwarding.device === value
        );
    case "-s":
    case "-d":
      return parseSubnet(value) !== undefined;
    case "--comment":
      return byteLength(value) <= 255 && !/[\p{C}\p{Zl}\p{Zp}]/u.test(value);
    case "-j":
      return CHAIN.test(value) ||
        /^(?:ACCEPT|REJECT|RETURN|MASQUERADE|SNAT|DNAT|DROP|CHECKSUM)$/.test(value);
    case "-g":
      return value === "BRIDGEWALL_LET";
    default:
      return OPTIONS[option]?.test(value) ?? false;
  }
}

function assertGrammar({ program, args, stdin = "" }: Command, policy: FilteredPolicy): void {
  if (program === "sysctl") return assertSetting(args, policy);
  assert(/^ip6?tables-(?:nft|legacy)-restore$/.test(program), program);
  assert(args.join(" ") === "--noflush --wait=60");
  assert(stdin.startsWith("*") && stdin.endsWith("\nCOMMIT\n"), stdin);
  for (const line of stdin.slice(0, -1).split("\n")) {
    const problem = problemOf(line, policy);
    assert(problem === undefined, `${problem}: ${line}`);
  }
}

/** One of the bridge, or a question. */
function assertSetting(args: readonly string[], { bridge }: FilteredPolicy): void {
  const setting = `net/ipv4/conf/${bridge}/route_localnet=`;
  const question = "-n net.netfilter.nf_conntrack_sctp_timeout_established";
  const known = [`-q -w ${setting}0`, `-q -w ${setting}1`, question];
  assert(known.includes(args.join(" ")), args.join(" "));
}

Deno.test("nothing of a definition gets out of its place in a script", () => {
  fc.assert(
    fc.property(hostilePolicies(), (policy) => {
      const { networks } = compileChange([policy], factsOf());
      const standing = compileChange([policy], factsOf({ standing: networks })).networks;
      for (const { install, removal } of [...networks, ...standing]) {
        install.forEach(({ command }) => assertGrammar(command, policy));
        removal.forEach(({ commands }) => commands.forEach((one) => assertGrammar(one, policy)));
      }
    }),
    { numRuns: 300 },
  );
});

Deno.test("the grammar of that test knows a breach when it sees one", () => {
  const breaches = [
    "-F FORWARD",
    "-X DOCKER",
    "-P FORWARD ACCEPT",
    "-A FORWARD -j ACCEPT",
    "-A BWALL_FROM_x -j DROP",
    "-A BWALL_FROM_x -i virbr1 -j ACCEPT",
    '-A BWALL_FROM_x -m comment --comment "a" b" -j ACCEPT',
    `-A BWALL_FROM_x -m comment --comment ${"x".repeat(256)} -j ACCEPT`,
    "-A BWALL_FROM_x -s everything -j ACCEPT",
    "-A BWALL_FROM_x ! -i virbr0 -j ACCEPT",
    "-N BWALL_FROM_x -j ACCEPT",
    `-N BWALL_${"x".repeat(23)}`,
    "-A BWALL_FROM_x -s 10.0.0.1/32 -j DROP",
    "-A BWALL_PRE_x -d ::1/128 -j DNAT --to-destination [::1]:80-90",
    "-A BWALL_PRE_x ! -i virbr0 -j DNAT --to-destination 10.0.0.1",
    "-A BWALL_REQ_x -m conntrack --ctorigdstport 80,90 -j ACCEPT",
    "*security",
  ];
  for (const line of breaches) assert(problemOf(line, filtered(IPV4)) !== undefined, line);
});
