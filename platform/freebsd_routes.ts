/** The routes of a FreeBSD host, asked from netstat(1) and route(8). */
import { bitsOf, type Family, parseSubnet, type Subnet } from "../core/address.ts";
import type { Command, CommandRunner } from "../core/command.ts";
import type { HostRoute } from "../core/host.ts";
import { ask, cannotAsk, cannotUnderstand } from "./freebsd_programs.ts";
import { parseAnswer } from "./program_json.ts";

/** What is known of the routes of one family. */
export interface Routes {
  /** The default route first. */
  readonly routes: readonly HostRoute[];
  /** All that netstat lists. */
  readonly table: readonly Entry[];
}

/** A line of netstat's table that leads somewhere. */
export interface Entry {
  /** Without its zone (`%em0`). */
  readonly destination: Subnet;
  /** Undefined where netstat does not know it. */
  readonly device: string | undefined;
  /** Letters, see netstat(1). */
  readonly flags: string;
}

/** Nobody asked. */
export const NO_ROUTES: Routes = { routes: [], table: [] };

/**
 * Asks for the routes of the FIB that this process has (setfib(1)): both programs take it from
 * `net.my_fibnum`.
 *
 * @throws {HostError} When one of them does not answer.
 */
export async function askRoutes(runner: CommandRunner, family: Family): Promise<Routes> {
  const [table, taken] = await Promise.all([
    askTable(runner, family),
    askDefaultRoute(runner, family),
  ]);
  const defaults = taken ?? table.filter(isDefault).slice(0, 1).map(hostRoute);
  const others = table.filter((entry) => !isDefault(entry) && !isOwnAddress(entry)).map(hostRoute);
  return { routes: [...defaults, ...others], table };
}

/** `-W`: without it netstat cuts the names of interfaces after 8 characters, in JSON too. */
async function askTable(runner: CommandRunner, family: Family): Promise<readonly Entry[]> {
  const command: Command = {
    program: "netstat",
    args: ["-rnW", "-f", family === "ipv4" ? "inet" : "inet6", "--libxo", "json"],
  };
  const answer = parseAnswer(await ask(runner, command), command);
  const table = member(member(member(answer, "statistics"), "route-information"), "route-table");
  // Where the kernel does not talk to it, netstat (FreeBSD 14) ends with 0 and says nothing.
  if (!isObject(table)) throw cannotUnderstand(command, "it has no routing table");
  return list(member(table, "rt-family"))
    .flatMap((listed) => list(member(listed, "rt-entry")))
    .flatMap((entry) => readEntry(entry, family));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function member(value: unknown, key: string): unknown {
  return isObject(value) ? value[key] : undefined;
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Routes that lead somewhere: `B` (blackhole) and `R` (reject) use no network. */
function readEntry(entry: unknown, family: Family): readonly Entry[] {
  const text = member(entry, "destination");
  const name = member(entry, "interface-name");
  const letters = member(entry, "flags");
  const flags = typeof letters === "string" ? letters : "";
  if (typeof text !== "string" || /[BR]/.test(flags)) return [];
  const destination = text === "default" ? everythingOf(family) : parseSubnet(withoutZone(text));
  if (destination?.family !== family) return [];
  // netstat's own signs for an interface that it does not know.
  const device = typeof name === "string" && name !== "" && name !== "---" ? name : undefined;
  return [{ destination, device, flags }];
}

/** `fe80::%em0/64` without `%em0`; the name may hold a slash. */
function withoutZone(text: string): string {
  const zone = text.indexOf("%");
  return zone === -1 ? text : text.slice(0, zone) + (/\/\d{1,3}$/.exec(text)?.[0] ?? "");
}

function everythingOf(family: Family): Subnet {
  return { family, value: 0n, prefix: 0 };
}

/** How route(8) writes the mask of a default route; for a single host it writes none. */
const EMPTY_MASKS: ReadonlySet<string> = new Set(["default", "0.0.0.0", "::"]);

/**
 * The default route that the kernel takes: there may be several (multipath). None when there is none;
 * undefined when the answer is about another route, so that only netstat's table tells.
 */
async function askDefaultRoute(
  runner: CommandRunner,
  family: Family,
): Promise<readonly HostRoute[] | undefined> {
  const args = ["-n", family === "ipv4" ? "-4" : "-6", "get", "default"];
  const command: Command = { program: "route", args };
  const result = await runner.run(command);
  const { status, stdout, stderr } = result;
  // Whatever the status: it is 1, but 0 where route asks through netlink (FreeBSD 14).
  if (stderr.includes("route has not been found")) return [];
  if (status !== 0) throw cannotAsk(command, result);
  // A kernel whose netlink knows no exact match answers with the best match for the first address,
  // which in IPv6 is FreeBSD's own reject route `::/96`.
  const mask = /^ *mask: (.*)$/m.exec(stdout)?.[1];
  if (mask !== undefined && !EMPTY_MASKS.has(mask)) return undefined;
  if (/^ *flags: <.*\b(?:BLACKHOLE|REJECT)\b/m.test(stdout)) return [];
  const device = /^ *interface: (.+)$/m.exec(stdout)?.[1];
  if (device !== undefined) return [{ destination: everythingOf(family), device }];
  // Other errors end with 0 there too.
  if (stderr.trim() !== "") throw cannotAsk(command, result);
  throw cannotUnderstand(command, "it names no interface");
}

/** Whether it leads to everything. */
export function isDefault({ destination }: Entry): boolean {
  return destination.prefix === 0;
}

/**
 * Every address of the host has a route of its own through `lo0`, as `192.168.122.1 link#5 UHS lo0`
 * for one of a bridge. It is left out, as Linux keeps such routes in a table apart: an address of the
 * host is no destination elsewhere, and next to its own bridge a network would seem to collide with
 * it. The route of the bridge itself (`192.168.122.0/24 link#5 U virbr0`) says whose subnet it is.
 * The link cannot be told from the gateway: since FreeBSD 14 netstat prints that of `lo0` there.
 */
function isOwnAddress({ destination: { family, prefix }, device }: Entry): boolean {
  return prefix === bitsOf(family) && device === "lo0";
}

function hostRoute({ destination, device }: Entry): HostRoute {
  return device === undefined ? { destination } : { destination, device };
}
