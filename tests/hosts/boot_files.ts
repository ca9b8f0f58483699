/** Files for network boot: a real server in the host and a real client in a guest. */
import { type Background, startInNamespace } from "./background.ts";
import type { Place } from "./namespace.ts";
import { run } from "./run_program.ts";
import type { TestNetwork } from "./test_network.ts";

/** Programs that a transfer runs; udhcpc is one of busybox's too. */
export const BOOT_TOOLS: readonly string[] = ["dnsmasq", "busybox"];

/** What is in the file that guests ask for. */
export const BOOT_FILE = "a boot loader\n";

/** Starts dnsmasq on the network's bridge to serve one file, until the end of the test. */
export async function startBootServer(
  host: string,
  network: TestNetwork,
  atEnd: AsyncDisposableStack,
): Promise<Background> {
  const directory = await Deno.makeTempDir({ prefix: "bridgewall-boot-" });
  atEnd.defer(() => Deno.remove(directory, { recursive: true }));
  // dnsmasq serves what everybody may read.
  await Deno.chmod(directory, 0o755);
  await Deno.writeTextFile(`${directory}/loader`, BOOT_FILE);
  const server = startInNamespace(host, [
    "dnsmasq",
    "--keep-in-foreground",
    "--conf-file=/dev/null",
    "--pid-file=",
    "--user=root",
    "--port=0",
    "--bind-dynamic",
    "--except-interface=lo",
    `--interface=${network.bridge}`,
    "--enable-tftp",
    `--tftp-root=${directory}`,
  ]);
  atEnd.use(server);
  return server;
}

/** Asks the address for the file; what arrived within the time, empty when nothing did. */
export async function fetchBootFile(
  guest: Place,
  address: string,
  seconds: number,
): Promise<string> {
  const directory = await Deno.makeTempDir({ prefix: "bridgewall-fetch-" });
  try {
    const file = `${directory}/loader`;
    const fetch = ["busybox", "tftp", "-g", "-r", "loader", "-l", file, address];
    await run(["timeout", String(seconds), ...fetch], { namespace: guest.namespace });
    return await Deno.readTextFile(file).catch(() => "");
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}
