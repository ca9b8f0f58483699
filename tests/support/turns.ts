/** Commands in a world in memory, each with the program that it makes rules with. */
import type { Context } from "../../core/commands/context.ts";
import { down } from "../../core/commands/down.ts";
import { reload } from "../../core/commands/reload.ts";
import { up } from "../../core/commands/up.ts";
import type { BackendName } from "../../core/firewall_backend.ts";
import type { Platform } from "../../core/host.ts";
import type { Record as NetworkRecord } from "../../core/record/record.ts";
import { parseRecord } from "../../core/record/record_xml.ts";
import { assertEquals } from "@std/assert";
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
  second: definition("two", "nat", 1),
  third: definition("three", "isolated", 2),
};

function definition(name: string, mode: string, number: number): string {
  const forward = mode === "isolated" ? "" : `<forward mode='${mode}'/>`;
  return `<network><name>${name}</name>${forward}<bridge name='virbr${number}'/>` +
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
 * Runs one command in the world, and gives the number of its effects.
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
  const watch: FateOf = (effect, command) => {
    look();
    last = command === undefined ? "a record" : [command.program, ...command.args].join(" ");
    return fateOf?.(effect, command) ?? "works";
  };
  const { context, effects, isDead, said } = startProcess(world, DEFINITIONS, watch, backend);
  const thrown = await work(context).then(() => undefined, (error) => error);
  look();
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
