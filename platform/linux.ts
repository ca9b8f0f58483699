/** What a Linux host looks like, asked from iproute2 and sysctl. /proc stays closed to us. */
import { type Family, parseSubnet } from "../core/address.ts";
import type { Command, CommandResult, CommandRunner } from "../core/command.ts";
import {
  type AdvertisedInterface,
  type AskedFacts,
  type FactsWanted,
  HostError,
  type HostRoute,
} from "../core/host.ts";
import { parseAnswer } from "./program_json.ts";

/**
 * Asks all at once: the answers do not depend on one another.
 *
 * @throws {HostError} When `ip` does not answer. The others may be missing.
 */
export async function linuxFacts(runner: CommandRunner, wanted: FactsWanted): Promise<AskedFacts> {
  const routesOf = (family: Family): Promise<readonly Entry[]> =>
    wanted.routes.includes(family)
      ? askIp(runner, [family === "ipv4" ? "-4" : "-6", "-j", "route", "show", "table", "main"])
      : Promise.resolve([]);
  const [links, ipv4, ipv6, forwarding, queues] = await Promise.all([
    wanted.interfaces ? askIp(runner, ["-j", "link", "show"]) : [],
    routesOf("ipv4"),
    routesOf("ipv6"),
    wanted.forwarding ? askForwarding(runner) : "",
    wanted.clsact ? runner.run(QUEUES) : NO_ANSWER,
  ]);
  return {
    interfaces: links.flatMap(({ ifname }) => typeof ifname === "string" ? [ifname] : []),
    routes: [
      ...ipv4.flatMap((route) => hostRoutes(route, "ipv4")),
      ...ipv6.flatMap((route) => hostRoutes(route, "ipv6")),
    ],
    forwarding: {
      ipv4: /^net\.ipv4\.ip_forward = 1$/m.test(forwarding),
      ipv6: /^net\.ipv6\.conf\.all\.forwarding = [12]$/m.test(forwarding),
    },
    advertised: await advertisedInterfaces(runner, ipv6),
    clsact: queues.status === 0
      ? parseList(queues.stdout, QUEUES).flatMap(({ kind, dev }) =>
        kind === "clsact" && typeof dev === "string" ? [dev] : []
      )
      : [],
  };
}

const QUEUES: Command = { program: "tc", args: ["-j", "qdisc", "show"] };

const NO_ANSWER: CommandResult = { status: 1, stdout: "", stderr: "" };

/** `-e`: a kernel without IPv6 has no such key. */
async function askForwarding(runner: CommandRunner): Promise<string> {
  const args = ["-e", "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"];
  return (await runner.run({ program: "sysctl", args })).stdout;
}

type Entry = Readonly<Record<string, unknown>>;

async function askIp(runner: CommandRunner, args: readonly string[]): Promise<readonly Entry[]> {
  const command: Command = { program: "ip", args };
  const { status, stdout, stderr } = await runner.run(command);
  if (status !== 0) {
    const why = status === 127 ? "the program is not installed" : stderr.trim();
    throw new HostError(
      `Cannot ask the host about its network: ip ${args.join(" ")}: ${why}`,
      "Install the package iproute2",
    );
  }
  return parseList(stdout, command);
}

function parseList(json: string, command: Command): readonly Entry[] {
  const value: unknown = json.trim() === "" ? [] : parseAnswer(json, command);
  return Array.isArray(value)
    ? value.filter((entry): entry is Entry => typeof entry === "object" && entry !== null)
    : [];
}

/** Routes that lead somewhere; `unreachable`, `blackhole` and the like use no network. */
function hostRoutes(route: Entry, family: Family): readonly HostRoute[] {
  const { type, dst, dev } = route;
  if ((type !== undefined && type !== "unicast") || typeof dst !== "string") return [];
  const everything = family === "ipv4" ? "0.0.0.0/0" : "::/0";
  const destination = parseSubnet(dst === "default" ? everything : dst);
  if (destination === undefined) return [];
  return [typeof dev === "string" ? { destination, device: dev } : { destination }];
}

/** Interfaces with routes that a router announced, and whether the kernel reads announcements there. */
async function advertisedInterfaces(
  runner: CommandRunner,
  routes: readonly Entry[],
): Promise<readonly AdvertisedInterface[]> {
  const announced = routes.filter(({ protocol, expires }) =>
    protocol === "ra" || (protocol === "kernel" && expires !== undefined)
  );
  const devices = [
    ...new Set(announced.flatMap(({ dev }) => typeof dev === "string" ? [dev] : [])),
  ];
  return await Promise.all(devices.map(async (device) => {
    const args = ["-n", `net/ipv6/conf/${device}/accept_ra`];
    const { stdout } = await runner.run({ program: "sysctl", args });
    return { device, acceptRa: Number(stdout.trim() || "0") };
  }));
}
