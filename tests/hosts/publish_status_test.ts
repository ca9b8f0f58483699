/** What `status` and `masquerade list` tell of ports and prefixes, and of the packets they have carried. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { BACKENDS } from "./backends.ts";
import { type Bridgewall, openBridgewall } from "./bridgewall.ts";
import { attachContainer } from "./container.ts";
import { NAT66 } from "./five_networks.ts";
import { ANSWERING_PORT } from "./namespace.ts";
import { publishing } from "./published_ports.ts";
import { hostTest } from "./requirements.ts";
import { bare } from "./test_network.ts";
import { makeTopology, type Topology } from "./topology.ts";
import { tcp, udp } from "./traffic.ts";
import { trustEveryone } from "./trust_everyone.ts";

const [GUEST = "", GUEST6 = ""] = (NAT66.guests[`${NAT66.name}-a`] ?? []).map(bare);

/** Asked for, but for the last; the range is asked in its middle. */
const PORTS = ["8080/tcp", "8080/tcp IPv6", "203.0.113.1:5353/udp", "20000-20999/tcp", "9090/tcp"];

interface Traffic {
  readonly packets: number;
  readonly bytes: number;
}

/** What was asked for of the JSON. */
interface Status {
  readonly networks: readonly [
    {
      readonly published:
        readonly (Readonly<Record<string, unknown>> & { readonly traffic: Traffic | null })[];
    },
  ];
  readonly masquerade: readonly {
    readonly prefix: string;
    readonly backend: string;
    readonly translated: Traffic | null;
  }[];
}

async function readStatus(bridgewall: Bridgewall): Promise<Status> {
  return JSON.parse((await bridgewall.succeed(["status", "--json"])).stdout);
}

function packets(counted: readonly (Traffic | null)[]): readonly number[] {
  return counted.map((traffic) => traffic?.packets ?? -1);
}

async function sendSome({ uplink: { outside, host4, host6 } }: Topology): Promise<void> {
  const results = await Promise.all([
    tcp(outside, host4, { port: 8080 }),
    tcp(outside, host6, { port: 8080 }),
    udp(outside, host4, { port: 5353 }),
    tcp(outside, host4, { port: 20_500 }),
  ]);
  assertEquals(results.map(({ outcome }) => outcome), results.map(() => "passed"));
}

for (const backend of BACKENDS) {
  const { name, tools } = backend;
  // firewalld does not count what it translates.
  const counts = backend.firewalld === undefined;
  hostTest({
    name: `${name}: status shows ports and prefixes, ${counts ? "with" : "without"} their packets`,
    tools,
    body: async (t) => {
      await using topology = await makeTopology([NAT66], [ANSWERING_PORT, 20_500]);
      const { uplink: { outside } } = topology;
      const container = await attachContainer(topology, ["10.0.0.5", "fd00:3::5"]);
      const bridgewall = await openBridgewall(topology, backend);
      await trustEveryone(bridgewall);
      const to = `${GUEST}:${ANSWERING_PORT}`;
      await bridgewall.up(publishing(NAT66, [
        {
          proto: "tcp",
          port: 8080,
          to,
          ...(backend.firewalld === undefined ? { localhost: "yes" } : {}),
        },
        { proto: "tcp", port: 8080, to: `[${GUEST6}]:${ANSWERING_PORT}` },
        { proto: "udp", port: 5353, to, address: "203.0.113.1" },
        { proto: "tcp", port: "20000-20999", to: GUEST },
      ]));
      await bridgewall.succeed(["publish", NAT66.name, `9090:${GUEST}:80/tcp`]);
      await bridgewall.succeed([
        "masquerade",
        "add",
        "10.0.0.0/24",
        "10.0.0.0/8",
        "fd00:3::/64",
        "10.1.0.0/16",
      ]);
      await t.step("everything is told as it was said", async () => {
        const { networks: [{ published }], masquerade } = await readStatus(bridgewall);
        const common = { protocol: "tcp", address: null, localhost: false, runtime: false };
        assertEquals(published.map(({ traffic: _traffic, ...rest }) => rest), [
          { ...common, port: "8080", to, localhost: backend.firewalld === undefined },
          { ...common, port: "8080", to: `[${GUEST6}]:${ANSWERING_PORT}` },
          { ...common, port: "5353", to, protocol: "udp", address: "203.0.113.1" },
          { ...common, port: "20000-20999", to: `${GUEST}:20000-20999` },
          { ...common, port: "9090", to: `${GUEST}:80`, runtime: true },
        ]);
        assertEquals(masquerade.map(({ prefix, backend }) => [prefix, backend]), [
          ["10.0.0.0/8", backend.backend],
          ["10.0.0.0/24", backend.backend],
          ["10.1.0.0/16", backend.backend],
          ["fd00:3::/64", backend.backend],
        ]);
      });
      await t.step("people are told as well", async () => {
        const { stdout } = await bridgewall.succeed(["status"]);
        for (
          const words of [
            backend.firewalld === undefined ? "8080/tcp and 127.0.0.1 +192" : "8080/tcp +192",
            "203.0.113.1:5353/udp",
            "10.0.0.0/24",
            "fd00:3::/64",
          ]
        ) {
          assertMatch(stdout, new RegExp(words.replaceAll(".", "\\.")));
        }
      });
      const ask = async (): Promise<void> => {
        await sendSome(topology);
        await tcp(container, outside.v4);
        await tcp(container, outside.v6);
      };
      const read = async (): Promise<
        readonly [ports: readonly number[], prefixes: readonly number[]]
      > => {
        const { networks: [{ published }], masquerade } = await readStatus(bridgewall);
        return [
          packets(published.map(({ traffic }) => traffic)),
          packets(masquerade.map(({ translated }) => translated)),
        ];
      };
      await ask();
      const [ports, prefixes] = await read();
      if (!counts) {
        await t.step("nothing is counted", () => {
          assertEquals([...ports, ...prefixes], [...PORTS, ...prefixes].map(() => -1));
        });
        return;
      }
      await t.step("what was asked for has carried packets, and nothing else", () => {
        assert(ports.slice(0, -1).every((count) => count > 0), ports.join());
        assertEquals(ports.at(-1), 0);
        assert(prefixes.every((count) => count > 0), prefixes.join());
      });
      await ask();
      await t.step("and carries more", async () => {
        const [more, moreTranslated] = await read();
        for (const [index, port] of PORTS.slice(0, -1).entries()) {
          assert((more[index] ?? 0) > (ports[index] ?? 0), `${port}: ${ports} and then ${more}`);
        }
        assert(moreTranslated.every((count, index) => count > (prefixes[index] ?? 0)));
      });
      await t.step("masquerade list tells the same of prefixes", async () => {
        const { stdout } = await bridgewall.succeed(["masquerade", "list", "--json"]);
        assertEquals(JSON.parse(stdout).prefixes, (await readStatus(bridgewall)).masquerade);
      });
    },
  });
}
