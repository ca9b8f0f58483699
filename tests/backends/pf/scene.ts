/** A FreeBSD host with networks of every mode, whose pf has loaded what the backend compiles. */
import { assertEquals } from "@std/assert";
import { backends } from "../../../backends/mod.ts";
import { operationCommands } from "../../../core/change/operation.ts";
import type { Command } from "../../../core/command.ts";
import { prepareNetworks } from "../../../core/commands/prepare.ts";
import { NO_ANSWERS } from "../../../core/commands/snapshot.ts";
import { operationOf } from "../../../core/commands/transition.ts";
import type { HostFacts } from "../../../core/host.ts";
import { parseNetwork } from "../../../core/network/parse_network.ts";
import { FRESH_HOST } from "../../support/definitions.ts";
import { definitionOf } from "../../support/golden.ts";
import { equalRules } from "../../support/pf/pf_equal_rules.ts";
import { createHost, type HostSetup, type PfHost } from "../../support/pf/pf_host.ts";
import { answersOf, type SceneSetup } from "./releases.ts";

/** A host that leads to the outside by `re0`, and by `em1` to a second uplink. */
export const FREEBSD: HostFacts = {
  ...FRESH_HOST,
  platform: "freebsd",
  routes: [{ destination: { family: "ipv4", value: 0n, prefix: 0 }, device: "re0" }],
};

/** What `up` of these definitions would run on that host, one after the other. */
export function upCommands(
  definitions: readonly string[],
  setup?: SceneSetup,
): readonly Command[] {
  const facts = setup?.kernel === undefined ? FREEBSD : { ...FREEBSD, kernel: setup.kernel };
  const answers = setup === undefined ? NO_ANSWERS : answersOf(setup);
  const all = backends({ table: "bridgewall", anchor: "bridgewall" });
  const backend = all.find(({ name }) => name === "pf");
  if (backend === undefined) throw new Error("there is no pf backend");
  const known = { backends: all, facts, answers, records: [] };
  const networks = definitions.map((text) => parseNetwork(text, "test.xml"));
  const prepared = prepareNetworks(networks, { ...known, backend, sysctl: true });
  return operationCommands(operationOf(known, prepared));
}

/** Gives the commands that load something to the host's pf. */
export function loadInto({ machine }: PfHost, commands: readonly Command[]): void {
  for (const { program, args, stdin } of commands) {
    if (program !== "pfctl" || stdin === undefined) continue;
    const [option, path = "", ...rest] = args;
    assertEquals([option, ...rest], ["-a", "-f", "-"]);
    assertEquals(equalRules(stdin), [], stdin);
    machine.load(path, stdin);
  }
}

/** One network each, by what the tests call them. */
export const NETWORKS: Readonly<Record<string, string>> = {
  default: definitionOf("bsd-default"),
  natnet: definitionOf("bsd-natnet"),
  isolated: network("isolated", "", "virbr2", "<ip address='10.0.120.1' prefix='24'/>"),
  routed: network(
    "routed",
    "<forward mode='route'/>",
    "virbr3",
    "<ip address='198.51.100.1' prefix='24'/>",
  ),
  natByEm1: network(
    "nat-by-em1",
    "<forward mode='nat' dev='em1'/>",
    "virbr4",
    "<ip address='10.0.130.1' prefix='24'/>",
  ),
  routedByEm1: network(
    "routed-by-em1",
    "<forward mode='route' dev='em1'/>",
    "virbr5",
    "<ip address='198.51.101.1' prefix='24'/>",
  ),
  strangers: "<network ipv6='yes'><name>strangers</name><bridge name='virbr6'/></network>",
  talkative: "<network ipv6='yes'><name>talkative</name><forward mode='nat'/>" +
    "<bridge name='virbr7'/><ip address='10.0.150.1' prefix='24'/></network>",
};

function network(name: string, forward: string, bridge: string, ip: string): string {
  return `<network><name>${name}</name>${forward}<bridge name='${bridge}'/>${ip}</network>`;
}

/** The definition with published ports, as attributes: `proto='tcp' port='8080' to='10.0.0.2:80'`. */
export function publishing(definition: string, ...published: readonly string[]): string {
  const elements = published.map((attributes) => `<bridgewall:publish ${attributes}/>`).join("");
  return definition.replace(
    "</network>",
    `<metadata><bridgewall:network xmlns:bridgewall='urn:bridgewall:network:1'>${elements}` +
      "</bridgewall:network></metadata></network>",
  );
}

/** The same networks, some of which publish ports. */
export const PUBLISHING: Readonly<Record<string, string>> = {
  ...NETWORKS,
  default: publishing(
    NETWORKS["default"] ?? "",
    "proto='tcp' port='8080' to='192.168.122.10:80'",
    "proto='udp' port='5060-5062' to='192.168.122.11:6060'",
    "proto='tcp' address='203.0.113.2' port='443' to='192.168.122.10'",
    // An address that the host does not have.
    "proto='tcp' address='192.0.3.9' port='25' to='192.168.122.10'",
  ),
  isolated: publishing(
    NETWORKS["isolated"] ?? "",
    "proto='tcp' port='9090' to='10.0.120.7:90'",
  ),
  routed: publishing(
    NETWORKS["routed"] ?? "",
    "proto='tcp' port='5050' to='198.51.100.7:50'",
  ),
  natByEm1: publishing(
    NETWORKS["natByEm1"] ?? "",
    "proto='tcp' port='7070' to='10.0.130.7:70'",
  ),
  routedByEm1: publishing(
    NETWORKS["routedByEm1"] ?? "",
    "proto='tcp' port='6060' to='198.51.101.7:60'",
  ),
};

const ANCHORS = 'nat-anchor "bridgewall/*"\nrdr-anchor "bridgewall/*"\n';
const FILTER = 'anchor "bridgewall/*"\n';

/** What an administrator may have in /etc/pf.conf around the anchors. */
export const MAIN_RULESETS: Readonly<Record<string, string>> = {
  "the anchors alone": ANCHORS + FILTER,
  "pass all after them": `${ANCHORS}${FILTER}pass all\n`,
  "block all after them": `${ANCHORS}${FILTER}block all\n`,
  "pass all before them": `${ANCHORS}pass all\n${FILTER}`,
  "block all before them": `${ANCHORS}block all\n${FILTER}`,
  "set skip on lo": `set skip on lo0\n${ANCHORS}${FILTER}pass all\n`,
  "a careful ruleset": `set skip on lo0\nset block-policy return\nset state-policy if-bound\n` +
    `scrub in all\n${ANCHORS}block all\npass out all keep state\n` +
    `pass in on re0 inet proto tcp from any to (re0) port 22\n${FILTER}`,
};

/** What pf sees of bridges: the defaults of FreeBSD 14 and 15, those of 13, and each alone. */
export const BRIDGE_SETTINGS: Readonly<
  Record<string, Pick<HostSetup, "pfilMember" | "pfilBridge" | "untranslatable">>
> = {
  "pf off bridges": {},
  "pf on bridges and members": { pfilMember: true, pfilBridge: true },
  "pf on members": { pfilMember: true },
  "pf on bridges": { pfilBridge: true, untranslatable: "pass" },
};

const INTERFACES: HostSetup["interfaces"] = {
  lo0: { addresses: ["127.0.0.1/8"] },
  re0: { addresses: ["203.0.113.2/24", "2001:db8::2/64"] },
  em1: { addresses: ["192.0.2.2/24"] },
  virbr0: { addresses: ["192.168.122.1/24"], members: ["tap0", "tap1"] },
  virbr1: { addresses: ["10.0.100.1/24"], members: ["tap2", "tap3"] },
  virbr2: { addresses: ["10.0.120.1/24"], members: ["tap4", "tap5"] },
  virbr3: { addresses: ["198.51.100.1/24"], members: ["tap6", "tap7"] },
  virbr4: { addresses: ["10.0.130.1/24"], members: ["tap8", "tap9"] },
  virbr5: { addresses: ["198.51.101.1/24"], members: ["tap10", "tap11"] },
  virbr6: { addresses: [], members: ["tap12", "tap13"] },
  virbr7: { addresses: ["10.0.150.1/24"], members: ["tap14", "tap15"] },
  ...Object.fromEntries(
    Array.from({ length: 16 }, (_, index) => [`tap${index}`, { addresses: [] }]),
  ),
};

/** The host before anything is loaded but the main ruleset. */
export function bareHost(main: string, setup: SceneSetup = {}): PfHost {
  const host = createHost({
    interfaces: INTERFACES,
    routes: { "0.0.0.0/0": "re0", "192.0.3.0/24": "em1", "::/0": "re0" },
    ...setup,
  });
  host.machine.load("", main);
  return host;
}

const LOADED = new Map<string, readonly Command[]>();

/** The host with all these networks up. */
export function hostWith(
  main: string,
  setup: SceneSetup = {},
  networks: Readonly<Record<string, string>> = NETWORKS,
): PfHost {
  const host = bareHost(main, setup);
  const { kernel, filterLocal = false, pfilBridge = false } = setup;
  const key = `${kernel} ${filterLocal} ${pfilBridge} ${Object.values(networks).join("")}`;
  const commands = LOADED.get(key) ?? upCommands(Object.values(networks), setup);
  LOADED.set(key, commands);
  loadInto(host, commands);
  return host;
}

/** The commands of `pfctl -k` on the machine; those that load are for {@linkcode loadInto}. */
export function endConnections({ machine }: PfHost, lines: readonly string[]): void {
  for (const line of lines) {
    const one = /^-M -k (\S+)$/.exec(line)?.[1];
    const both = /^-M -k (\S+) -k (\S+)$/.exec(line);
    const by = /^-i (\S+) -k (\S+)$/.exec(line);
    if (by?.[1] !== undefined && by[2] !== undefined) {
      machine.killStates({ interface: by[1], source: by[2] });
    }
    const label = /^-k label -k (.+)$/.exec(line)?.[1];
    if (one !== undefined) machine.killStates({ source: one, matching: true });
    if (label !== undefined) machine.killStates({ label });
    if (both?.[1] !== undefined && both[2] !== undefined) {
      const [, source, destination] = both;
      machine.killStates({
        source,
        destination,
        matching: true,
      });
    }
  }
}
