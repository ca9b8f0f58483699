/** What a FreeBSD host looks like, asked from ifconfig, netstat, route and sysctl. */
import type { Family } from "../core/address.ts";
import type { Command, CommandRunner } from "../core/command.ts";
import type { AdvertisedInterface, AskedFacts, FactsWanted } from "../core/host.ts";
import { ask } from "./freebsd_programs.ts";
import { askRoutes, type Entry, isDefault, NO_ROUTES, type Routes } from "./freebsd_routes.ts";

/**
 * Asks all at once: the answers do not depend on one another.
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
