/** Commands in a world in memory, each with the program that it makes rules with. */
import type { Context } from "../../core/commands/context.ts";
import { down } from "../../core/commands/down.ts";
import { masquerade } from "../../core/commands/masquerade.ts";
import { publish } from "../../core/commands/publish.ts";
import { reload } from "../../core/commands/reload.ts";
import { unpublish } from "../../core/commands/unpublish.ts";
import { up } from "../../core/commands/up.ts";
import type { BackendName } from "../../core/firewall_backend.ts";
import type { Platform } from "../../core/host.ts";
import type { Record as NetworkRecord } from "../../core/record/record.ts";
import { parseRecord } from "../../core/record/record_xml.ts";
import { assertEquals } from "@std/assert";
import { beginConnections } from "./model_conntrack.ts";
import { problemOfFiles, startFirewalld, stopFirewalld } from "./model_firewalld.ts";
import {
  copyWorld,
  emptyWorld,
  type FateOf,
  Killed,
  startProcess,
  type World,
} from "./model_host.ts";
import type { Variant } from "./model_iptables.ts";

/** What a host makes rules with. */
export interface Ground {
  readonly name: string;
  readonly backend: BackendName;
  /** Which variant `iptables` is; absent: whichever it was. */
  readonly variant?: Variant;
  /** Absent: Linux. */
  readonly platform?: Platform;
  /** What becomes of firewalld before the command; absent: nothing. */
  readonly firewalld?: "starts" | "stops";
}

/** What a host makes rules with on which firewalld runs. */
export const FIREWALLD: Ground = { name: "firewalld", backend: "firewalld", firewalld: "starts" };

/** Other programs, on a host where firewalld runs too: it has to know of the bridges. */
export const BESIDE: readonly Ground[] = [
  { name: "nftables beside firewalld", backend: "nftables", firewalld: "starts" },
  {
    name: "iptables-nft beside firewalld",
    backend: "iptables",
    variant: "nft",
    firewalld: "starts",
  },
];

/** What a FreeBSD host makes rules with. */
export const PF: Ground = { name: "pf", backend: "pf", platform: "freebsd" };

/** Each program that can hold the rules of a Linux host. */
export const GROUNDS: readonly Ground[] = [
  { name: "nftables", backend: "nftables" },
  { name: "iptables-nft", backend: "iptables", variant: "nft" },
  { name: "iptables-legacy", backend: "iptables", variant: "legacy" },
];

const DEFINITIONS = {
  nat: definition("one", "nat", 0),
  route: definition("one", "route", 0),
  macvtap: "<network><name>one</name><forward mode='bridge'/><bridge name='br9'/></network>",
  open: definition("one", "open", 0),
  six: definition("one", "nat", 0).replace(
    "<forward mode='nat'/>",
    "<forward><nat ipv6='yes'/></forward><ip family='ipv6' address='fd00::1' prefix='64'/>",
  ),
  zoned: definition("one", "nat", 0).replace("'virbr0'", "'virbr0' zone='internal'"),
  /** Two ports, by 127.0.0.1 as well. */
  web: definition("one", "nat", 0, [
    "proto='tcp' port='8080' to='10.0.0.10:80' localhost='yes'",
    "proto='tcp' port='8443' to='10.0.0.10:443'",
  ]),
  /** The same network, of which the first port leads elsewhere, and only from outside. */
  moved: definition("one", "nat", 0, ["proto='tcp' port='8080' to='10.0.0.11:80'"]),
  /** Its only way in is a port. */
  /** What every backend takes. */
  shop: definition("one", "nat", 0, [
    "proto='tcp' port='8080' to='10.0.0.10:80'",
    "proto='tcp' port='8443' to='10.0.0.10:443'",
  ]),
  lab: definition("one", "isolated", 0, ["proto='udp' port='5300-5302' to='10.0.0.10:53'"]),
  second: definition("two", "nat", 1),
  third: definition("three", "isolated", 2),
};

function definition(
  name: string,
  mode: string,
  number: number,
  published: readonly string[] = [],
): string {
  const forward = mode === "isolated" ? "" : `<forward mode='${mode}'/>`;
  const ports = published.map((attributes) =>
    `<b:publish xmlns:b='urn:bridgewall:network:1' ${attributes}/>`
  ).join("");
  const metadata = ports === "" ? "" : `<metadata>${ports}</metadata>`;
  return `<network><name>${name}</name>${metadata}${forward}<bridge name='virbr${number}'/>` +
    `<ip address='10.0.${number}.1' prefix='24'><dhcp>` +
    `<range start='10.0.${number}.9' end='10.0.${number}.99'/></dhcp></ip></network>`;
}

/** What a command does. */
export type Work = (context: Context) => Promise<unknown>;

/** `up` of these definitions. */
export function bringUp(...names: readonly (keyof typeof DEFINITIONS)[]): Work {
  return (context) => up(context, { names, all: false });
}

/** `down` of these networks, or of all. */
export function takeDown(...names: readonly string[]): Work {
  return (context) => down(context, { names, all: names.length === 0 });
}

/** `reload` of these networks, or of all. */
export function reloadAgain(...names: readonly string[]): Work {
  return (context) => reload(context, { names, all: names.length === 0 });
}

/** `publish` of these ports of the first network. */
export function publishPorts(...specs: readonly string[]): Work {
  return (context) => publish(context, { operands: ["one", ...specs], localhost: false });
}

/** The same with `--localhost`. */
export function publishLocally(...specs: readonly string[]): Work {
  return (context) => publish(context, { operands: ["one", ...specs], localhost: true });
}

/** `unpublish` of these ports of the first network. */
export function unpublishPorts(...specs: readonly string[]): Work {
  return (context) => unpublish(context, ["one", ...specs]);
}

/** `masquerade add` or `remove` of these prefixes. */
export function masqueradeAgain(action: "add" | "remove", ...prefixes: readonly string[]): Work {
  return (context) => masquerade(context, [action, ...prefixes]);
}

/** Those of which a model tells where ports lead. */
export const TELLING: readonly (string | undefined)[] = ["nftables", "iptables"];

/** A command on a ground. */
export interface Turn {
  readonly ground: Ground;
  readonly work: Work;
}

/** The world after these commands, each of which works. */
export async function worldAfter(
  turns: readonly Turn[],
  origin: World = emptyWorld(),
): Promise<World> {
  const world = copyWorld(origin);
  for (const turn of turns) await takeTurn(world, turn);
  return world;
}

/** How a command went. */
export interface Taken {
  readonly effects: number;
  readonly error: unknown;
  readonly said: readonly string[];
}

/**
 * Runs one command in the world, and gives the number of its effects. Clients ask for ports of the host all
 * the while, where a model tells what becomes of them.
 *
 * At none of them may the files of firewalld be such that it would refuse them: one that starts at that
 * moment would leave all that the administrator has configured aside.
 */
export async function takeTurn(
  world: World,
  { ground: { backend, variant, platform = "linux", firewalld }, work }: Turn,
  fateOf?: FateOf,
): Promise<Taken> {
  world.variant = variant ?? world.variant;
  world.platform = platform;
  if (firewalld === "starts") world.firewalld = startFirewalld(world.firewalld);
  if (firewalld === "stops") world.firewalld = stopFirewalld(world.firewalld);
  const refusals: string[] = [];
  let last = "";
  const look = (): void => {
    const problem = problemOfFiles(world.firewalld);
    if (problem !== undefined) refusals.push(`${problem} after ${last}`);
  };
  const ask = (): void => {
    if (!TELLING.includes(backend)) return;
    world.connections = beginConnections(world.connections, world);
  };
  const watch: FateOf = (effect, command) => {
    look();
    ask();
    last = command === undefined ? "a record" : [command.program, ...command.args].join(" ");
    return fateOf?.(effect, command) ?? "works";
  };
  const { context, effects, isDead, said } = startProcess(world, DEFINITIONS, watch, backend);
  const thrown = await work(context).then(() => undefined, (error) => error);
  look();
  ask();
  assertEquals(refusals, []);
  const error = isDead() ? new Killed() : thrown;
  if (fateOf === undefined && error !== undefined) throw error;
  return { effects: effects(), error, said };
}

/** The record of a network; undefined when there is none. */
export function recordOf({ files }: World, name: string): NetworkRecord | undefined {
  const text = files.get(name);
  return text === undefined ? undefined : parseRecord(text, name);
}
