/** A DHCP exchange between a real server in the host and a real client in a guest. */
import { type Background, startInNamespace } from "./background.ts";
import type { Place } from "./namespace.ts";
import { run } from "./run_program.ts";
import { bare, DHCP_RANGE, neighbour, type TestNetwork } from "./test_network.ts";

/** Programs that an exchange runs. */
export const DHCP_TOOLS: readonly string[] = ["dnsmasq", "udhcpc"];

/** Starts dnsmasq on the network's bridge, the way libvirt does. */
export function startDhcpServer(host: string, network: TestNetwork): Background {
  const [subnet = ""] = network.addresses;
  const address = (host: number): string => bare(neighbour(subnet, host));
  return startInNamespace(host, [
    "dnsmasq",
    "--keep-in-foreground",
    "--conf-file=/dev/null",
    "--pid-file=",
    "--leasefile-ro",
    "--user=root",
    "--port=0",
    "--no-ping",
    "--bind-dynamic",
    "--except-interface=lo",
    `--interface=${network.bridge}`,
    `--dhcp-range=${address(DHCP_RANGE.first)},${address(DHCP_RANGE.last)},10m`,
  ]);
}

/** Asks for a lease, three times at most; the address offered, `undefined` when nobody answers. */
export async function askForLease(guest: Place): Promise<string | undefined> {
  const script = await Deno.makeTempFile({ prefix: "bridgewall-lease-" });
  try {
    // The client runs it at each event; it only says what it would set, the guest stays as it is.
    await Deno.writeTextFile(script, '#!/bin/sh\n[ "$1" = bound ] && echo "lease $ip"\nexit 0\n');
    await Deno.chmod(script, 0o755);
    const { stdout } = await run(
      ["udhcpc", "-i", "eth0", "-f", "-n", "-q", "-t", "3", "-T", "1", "-s", script],
      { namespace: guest.namespace },
    );
    return stdout.match(/^lease (\S+)$/m)?.[1];
  } finally {
    await Deno.remove(script);
  }
}
