import { assertEquals } from "@std/assert";
import { BACKENDS } from "./backends.ts";
import { openBridgewall } from "./bridgewall.ts";
import { setting } from "./namespace.ts";
import { hostTest } from "./requirements.ts";
import { type NetworkOptions, testNetwork } from "./test_network.ts";
import { makeTopology } from "./topology.ts";

interface Case {
  readonly says: string;
  readonly network: NetworkOptions;
  readonly flags?: readonly string[];
  /** net.ipv4.ip_forward and net.ipv6.conf.all.forwarding afterwards. */
  readonly expect: readonly [string, string];
}

const NAT = '<forward mode="nat"/>';
const ROUTE = '<forward mode="route"/>';
const CASES: readonly Case[] = [
  { says: "isolated needs none", network: {}, expect: ["0", "0"] },
  { says: "nat with both families", network: { forward: NAT }, expect: ["1", "1"] },
  {
    says: "nat with IPv4 only",
    network: { forward: NAT, addresses: ["192.168.101.1/24"] },
    expect: ["1", "0"],
  },
  {
    says: "route with IPv6 only",
    network: { forward: ROUTE, addresses: ["2001:db8:101::1/64"] },
    expect: ["0", "1"],
  },
  { says: "open", network: { forward: '<forward mode="open"/>' }, expect: ["1", "1"] },
  {
    says: "nat with --no-sysctl",
    network: { forward: NAT },
    flags: ["--no-sysctl"],
    expect: ["0", "0"],
  },
];

for (const backend of BACKENDS) {
  const { name, tools } = backend;
  hostTest({
    name: `${name}: up switches forwarding on where the network needs it, for its families only`,
    tools,
    body: async (t) => {
      for (const { says, network, flags = [], expect } of CASES) {
        await t.step(says, async () => {
          const lan = testNetwork(101, "lan", { ...network, guests: {} });
          await using topology = await makeTopology([lan]);
          const bridgewall = await openBridgewall(topology, backend);
          await bridgewall.succeed(["up", ...flags, await bridgewall.write(lan)]);
          // firewalld itself switches IPv4 forwarding on where it masquerades.
          const [ipv4, ipv6] = expect;
          const isFirewallds = backend.firewalld !== undefined && network.forward === NAT;
          assertEquals([
            await setting(topology.host, "net.ipv4.ip_forward"),
            await setting(topology.host, "net.ipv6.conf.all.forwarding"),
          ], [isFirewallds ? "1" : ipv4, ipv6]);
        });
      }
    },
  });
}
