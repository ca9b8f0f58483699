/** What a FreeBSD host looks like, asked from ifconfig, netstat, route and sysctl. */
import { bitsOf, type Family, parseSubnet, type Subnet } from "../core/address.ts";
import {
  type Command,
  type CommandResult,
  type CommandRunner,
  firstLine,
} from "../core/command.ts";
import {
  type AdvertisedInterface,
  type AskedFacts,
  type FactsWanted,
  HostError,
  type HostRoute,
} from "../core/host.ts";
import { cutToBytes, printable } from "../core/quoted.ts";

/**
 * Asks all at once: the answers do not depend on one another. Routes are those of the FIB that this
 * process has (setfib(1)): netstat(1) and route(8) take it from `net.my_fibnum`.
 *
 * @throws {HostError} When `ifconfig`, `netstat` or `route` does not answer. What `sysctl` does not
 * know is off.
 */
export async function freebsdFacts(
  runner: CommandRunner,
  wanted: FactsWanted,
): Promise<AskedFacts> {
  const routesOf = (family: Family): Promise<Routes> =>
    wanted.routes.includes(family) ? askRoutes(runner, family) : Promise.resolve(NO_ROUTES);
  const [names, ipv4, ipv6, forwarding] = await Promise.all([
    wanted.interfaces ? ask(runner, { program: "ifconfig", args: ["-l"] }) : "",
    routesOf("ipv4"),
    routesOf("ipv6"),
    wanted.forwarding ? askForwarding(runner) : "",
  ]);
  return {
    // A name with a space falls apart. No bridge of ours can have one.
    interfaces: names.split(/[ \n]+/).filter((name) => name !== ""),
    routes: [...ipv4.routes, ...ipv6.routes],
    forwarding: {
      ipv4: /^net\.inet\.ip\.forwarding: [1-9]\d*$/m.test(forwarding),
      ipv6: /^net\.inet6\.ip6\.forwarding: [1-9]\d*$/m.test(forwarding),
    },
    advertised: await advertisedInterfaces(runner, ipv6.table),
    clsact: [],
  };
}

/** `-i`: a kernel without IPv6 has no such key. */
async function askForwarding(runner: CommandRunner): Promise<string> {
  const args = ["-i", "net.inet.ip.forwarding", "net.inet6.ip6.forwarding"];
  return (await runner.run({ program: "sysctl", args })).stdout;
}

async function ask(runner: CommandRunner, command: Command): Promise<string> {
  const result = await runner.run(command);
  if (result.status !== 0) throw cannotAsk(command, result);
  return result.stdout;
}

/** Bytes of what a program said: more than its own messages have. */
const LONGEST_QUOTE = 400;

function cannotAsk(command: Command, { status, stderr }: CommandResult): HostError {
  const said = printable(cutToBytes(firstLine(stderr), LONGEST_QUOTE)) ||
    `it ended with status ${status}`;
  const why = status === 127 ? "the program is not installed" : said;
  return new HostError(`Cannot ask the host about its network: ${lineOf(command)}: ${why}`);
}

function cannotUnderstand(command: Command, problem: string): HostError {
  return new HostError(`Cannot understand the answer of \`${lineOf(command)}\`: ${problem}`);
}

function lineOf({ program, args }: Command): string {
  return printable([program, ...args].join(" "));
}

/** What is known of the routes of one family. */
interface Routes {
  /** The default route first. */
  readonly routes: readonly HostRoute[];
  /** All that netstat lists. */
  readonly table: readonly Entry[];
}

/** A line of netstat's table that leads somewhere. */
interface Entry {
  readonly destination: Subnet;
  readonly device: string | undefined;
  /** Letters, see netstat(1). */
  readonly flags: string;
}

const NO_ROUTES: Routes = { routes: [], table: [] };

async function askRoutes(runner: CommandRunner, family: Family): Promise<Routes> {
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
  const answer = parseJson(await ask(runner, command), command);
  const table = member(member(member(answer, "statistics"), "route-information"), "route-table");
  // Where the kernel does not talk to it, netstat (FreeBSD 14) ends with 0 and says nothing.
  if (!isObject(table)) throw cannotUnderstand(command, "it has no routing table");
  return list(member(table, "rt-family"))
    .flatMap((listed) => list(member(listed, "rt-entry")))
    .flatMap((entry) => readEntry(entry, family));
}

/**
 * libxo escapes control characters in strings since lately only, and an interface may have such a name:
 * what is no JSON is read once more with them escaped. Between strings there is none but the line feed,
 * which libxo escapes in them.
 */
function parseJson(text: string, command: Command): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Read below.
  }
  const escaped = text.replace(
    // deno-lint-ignore no-control-regex -- the characters that JSON wants escaped in strings
    /[\0-\t\v-\x1f]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  try {
    return JSON.parse(escaped);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw cannotUnderstand(command, "it is not JSON");
  }
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

function isDefault({ destination }: Entry): boolean {
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

const KEEPS_ROUTERS: Command = {
  program: "sysctl",
  args: ["-n", "-i", "net.inet6.ip6.rfc6204w3"],
};

/**
 * Interfaces whose default route a router announced, and whether the kernel keeps it while it
 * forwards, which on FreeBSD one setting decides for all (inet6(4), `rfc6204w3`).
 *
 * A default route with `S`, `1`, `2` or `3` came from route(8) or a routing daemon (netstat(1)) and
 * stays, as does one of an interface that takes addresses but no routers from announcements
 * (ifconfig(8), `no_radr`).
 */
async function advertisedInterfaces(
  runner: CommandRunner,
  table: readonly Entry[],
): Promise<readonly AdvertisedInterface[]> {
  const announced = table.filter((entry) => isDefault(entry) && !/[S123]/.test(entry.flags));
  const devices = [...new Set(announced.flatMap(({ device }) => device ?? []))];
  if (devices.length === 0) return [];
  const [setting, ...descriptions] = await Promise.all([
    runner.run(KEEPS_ROUTERS).then(({ stdout }) => stdout),
    // `-n`: looking at an interface loads no driver.
    ...devices.map((device) => ask(runner, { program: "ifconfig", args: ["-n", device] })),
  ]);
  const acceptRa = /^[1-9]\d*$/.test(setting.trim()) ? 2 : 1;
  return devices.filter((_, index) => takesRouters(descriptions[index] ?? ""))
    .map((device) => ({ device, acceptRa }));
}

/** Reads `nd6 options=23<PERFORMNUD,ACCEPT_RTADV,AUTO_LINKLOCAL>`. */
function takesRouters(description: string): boolean {
  const options = /^\tnd6 options=[0-9a-f]+<(.*)>/m.exec(description)?.[1]?.split(",") ?? [];
  return options.includes("ACCEPT_RTADV") && !options.includes("NO_RADR");
}
