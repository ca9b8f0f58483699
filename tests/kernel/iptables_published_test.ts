/** Published ports and masqueraded prefixes, asked of both variants of iptables and the kernel. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { compileChange } from "../../backends/iptables/compile.ts";
import type { Variant } from "../../backends/iptables/variant.ts";
import { questionOf } from "../../core/change/join_scripts.ts";
import type { PublishedPort } from "../../core/network/published_port.ts";
import { parseNetwork } from "../../core/network/parse_network.ts";
import { derivePolicy } from "../../core/policy/derive_policy.ts";
import { masqueradePolicy } from "../../core/policy/masquerade.ts";
import type { FilteredPolicy } from "../../core/policy/policy.ts";
import { hostilePolicies } from "../backends/iptables/arbitrary_policies.ts";
import { factsOf } from "../backends/iptables/facts.ts";
import { publishing } from "../backends/iptables/publishing.ts";
import { installCommands, withoutSettings } from "../backends/iptables/tables.ts";
import { IPTABLES } from "../hosts/backends.ts";
import { ANSWERING_PORT, changeSetting } from "../hosts/namespace.ts";
import { publishing as publishingNetwork } from "../hosts/published_ports.ts";
import { hostTest } from "../hosts/requirements.ts";
import { mustRun } from "../hosts/run_program.ts";
import { definition, testNetwork } from "../hosts/test_network.ts";
import { makeTopology } from "../hosts/topology.ts";
import { udp } from "../hosts/traffic.ts";
import { PREFIXES } from "../support/arbitrary.ts";
import { address, filtered, IPV4, subnet } from "../support/definitions.ts";
import { assertStands, bringUp, comeAndGo } from "./iptables_standing.ts";
import { openKernel, runAll } from "./open_kernel.ts";

/** Addresses whose forms differ from one C library to another, too. */
const GUESTS: readonly string[] = [
  ..."10.44.0.9 fd44::9 1:0:2:3:4:5:6:7 0:2:3:4:5:6:7:8 2001:db8:0:1:1:1:1:1".split(" "),
  ..."64:ff9b::a00:9 ::5 ::1:2300 ::ffff:a00:9 ::a00:9 fd44::ffff:a00:9".split(" "),
];

/** In the form of a definition's attributes, none of them wanting the packets of another. */
const PORTS: readonly string[] = [
  'proto="tcp" port="8080" to="10.44.0.9:80" localhost="yes"',
  'proto="udp" port="8080" to="10.44.0.9:80"',
  'proto="tcp" port="5000-5009" to="10.44.0.8:6000"',
  'proto="sctp" port="20000-29999" to="10.44.0.9"',
  'proto="tcp" address="127.0.0.5" port="8080" to="10.44.0.7:80"',
  'proto="tcp" port="8080" to="[fd44::9]:80"',
  'proto="udp" address="2001:db8::1" port="5000-5009" to="[fd44::8]:6000"',
];

/** A network that publishes a port of this guest alone, and one of this address of the host's. */
function leadingTo(text: string): FilteredPolicy {
  const guest = address(text);
  const ports = { start: 80, end: 81 };
  const common = { protocol: "tcp" as const, guest, localhost: false, runtime: false };
  const published: readonly PublishedPort[] = [
    { ...common, ports, guestPorts: ports },
    { ...common, hostAddress: guest, ports: { start: 90, end: 91 }, guestPorts: ports },
  ];
  const policy = filtered(`<forward mode='route'/>${IPV4}`);
  const own = {
    family: guest.family,
    subnets: [subnet(text)],
    hostAddresses: [],
    forwarding: { direction: "both" as const },
    published,
  };
  return { ...policy, families: [own] };
}

/** Publishes one choice after another; what differs is changed alone where that is possible. */
async function changePorts(
  choices: readonly (readonly string[])[],
  variant: Variant,
): Promise<void> {
  await using host = await openKernel();
  const [first, ...others] = choices.map((ports) => publishing("<forward/>", ports));
  assert(first !== undefined);
  let standing = await bringUp(host, [first], variant);
  let before = first;
  for (const after of others) {
    const told = { variant, standing, before: [before] };
    const { networks } = compileChange([after], factsOf(told));
    const adjustment = networks[0]?.adjustment?.map(({ command }) => command);
    const commands = withoutSettings(adjustment ?? installCommands(networks, standing));
    for (const command of commands) await runAll(host, [questionOf(command) ?? command, command]);
    await assertStands(host, [after], networks);
    [standing, before] = [networks, after];
  }
}

/** Where a client has one port for all it asks, as telephones have. */
const CLIENT_PORT = 5060;

/**
 * Ports that move by a difference: iptables could say it in one rule, but then the kernel leads the second
 * of two such connections beside its port.
 */
async function assertExact(variant: Variant): Promise<void> {
  const network = testNetwork(101, "lan", { forward: "<forward/>" });
  await using topology = await makeTopology([network]);
  const { host, uplink, secondUplink } = topology;
  const { v4 } = topology.guest("lan-a");
  const port = 8000 + ANSWERING_PORT;
  const published = publishingNetwork(network, [
    { proto: "udp", port: `${port - 1}-${port + 1}`, to: `${v4}:${ANSWERING_PORT - 1}` },
  ]);
  const policy = derivePolicy({
    network: parseNetwork(definition(published), "test"),
    bridge: network.bridge,
  });
  assert(policy.kind === "filtered");
  const { networks } = compileChange([policy], factsOf({ variant }));
  for (const { program, args, stdin } of withoutSettings(installCommands(networks))) {
    await mustRun([program, ...args], { namespace: host, stdin });
  }
  await changeSetting(host, "net.ipv4.ip_forward", 1);
  for (const at of [uplink.host4, secondUplink.host4]) {
    const { outcome, by } = await udp(uplink.outside, at, { port, fromPort: CLIENT_PORT });
    assertEquals([outcome, by], ["passed", `lan-a:${ANSWERING_PORT}`], at);
  }
}

for (const { name, variant, tools } of IPTABLES) {
  hostTest({
    name: `${name} lists every address of a guest in the form in which it was written`,
    tools,
    body: async (t) => {
      for (const text of GUESTS) await t.step(text, () => comeAndGo([leadingTo(text)], variant));
    },
  });

  hostTest({
    name: `whatever prefixes are masqueraded, ${name} takes them, beside networks and alone`,
    tools,
    body: async () => {
      const property = fc.asyncProperty(
        PREFIXES,
        hostilePolicies(),
        fc.integer({ min: 0, max: 2 }),
        async (prefixes, policy, which) => {
          const masquerade = masqueradePolicy(prefixes);
          const orders = [[masquerade], [masquerade, policy], [policy, masquerade]];
          await comeAndGo(orders[which] ?? [], variant);
        },
      );
      await fc.assert(property, { numRuns: 10 });
    },
  });

  hostTest({
    name: `with ${name} ports come and go one by one while the network is up`,
    tools,
    body: async () => {
      const some = fc.array(fc.subarray([...PORTS]), { minLength: 2, maxLength: 6 });
      const property = fc.asyncProperty(some, (choices) => changePorts(choices, variant));
      await fc.assert(property, { numRuns: 10 });
    },
  });

  hostTest({
    name: `${name}: a client that asks twice from one port reaches the same port of the guest`,
    tools,
    body: () => assertExact(variant),
  });
}
