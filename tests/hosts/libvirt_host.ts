/** libvirt's own daemon on a host of a test, with our hooks: it sees no other networks than the test's. */
import { fromFileUrl } from "@std/path";
import { ship } from "../dist/shipped.ts";
import { type Background, startInNamespace } from "./background.ts";
import type { BackendUnderTest } from "./backends.ts";
import { answers } from "./private_bus.ts";
import { type Finished, mustRun, run } from "./run_program.ts";
import type { TestHost } from "./topology.ts";

const HOOKS = fromFileUrl(new URL("../../dist/libvirt/hooks/", import.meta.url));

/** What the daemon and we would write on the machine goes when the test ends. */
const MOUNTS = [
  "set -e",
  ...["/run", "/var/cache", "/var/lib/libvirt", "/var/log"].map((path) =>
    `mount -t tmpfs none ${path}`
  ),
  "mkdir /run/mine",
  "cp -a /etc/libvirt /run/mine",
  "mount --bind /run/mine/libvirt /etc/libvirt",
  "rm -rf /etc/libvirt/qemu/networks /etc/libvirt/hooks",
  "mkdir -p /etc/libvirt/qemu/networks /etc/libvirt/hooks/network.d /etc/libvirt/hooks/daemon.d",
  "mkdir -p /var/lib/libvirt/dnsmasq",
  "echo ready",
  "exec sleep infinity",
].join("\n");

/** The daemon and what is said to it. */
export interface Libvirt {
  /** virsh with these words; its failure is a value. */
  virsh(args: readonly string[], stdin?: string): Promise<Finished>;
  /** Our program beside it; what it prints. @throws {Error} When it fails. */
  bridgewall(...args: readonly string[]): Promise<string>;
  /** Any program that sees the daemon's files. @throws {Error} When it fails. */
  sees(...argv: readonly string[]): Promise<string>;
  /** Ends the daemon and starts it anew, as an upgrade of libvirt does; networks stay. */
  restart(): Promise<void>;
}

/** Starts it; all ends with the host. Guests of libvirt are not needed: cables are plugged by hand. */
export async function startLibvirt(
  { host, atEnd }: TestHost,
  { backend }: BackendUnderTest,
): Promise<Libvirt> {
  const shipped = atEnd.use(await ship());
  const holder = atEnd.use(startInNamespace(
    host,
    ["unshare", "--mount", "--propagation", "private", "sh", "-c", MOUNTS],
  ));
  if (await holder.read() !== "ready") throw new Error("the files of libvirt cannot be set apart");
  const beside = (
    argv: readonly string[],
  ): readonly string[] => ["nsenter", `--mount=/proc/${holder.pid}/ns/mnt`, ...argv];
  const program = [shipped.program, `--backend=${backend}`];
  for (const kind of ["network.d", "daemon.d"]) {
    const text = await Deno.readTextFile(`${HOOKS}${kind}/bridgewall`);
    const path = `/etc/libvirt/hooks/${kind}/bridgewall`;
    const write = ["sh", "-c", 'cat > "$1" && chmod 755 "$1"', "sh", path];
    await mustRun(beside(write), {
      stdin: text.replace("program=/usr/bin/bridgewall", `program=${shipped.program}`)
        .replace('"$program" --quiet', `"$program" --backend=${backend} --quiet`),
    });
  }
  const virsh = ["virsh", "--quiet", "--connect=network:///system"];
  let daemon: Background | undefined;
  const start = async (): Promise<void> => {
    daemon = startInNamespace(host, beside(["libvirtd"]));
    if (await answers(host, beside([...virsh, "net-list"]), () => true)) return;
    throw new Error(`libvirtd does not answer in ${host}`);
  };
  const stop = async (): Promise<void> => {
    if (daemon !== undefined) await mustRun(["kill", String(daemon.pid)]);
    await daemon?.[Symbol.asyncDispose]();
    daemon = undefined;
  };
  // dnsmasq outlives the daemon, which a network does as well.
  const endServers = "cat /run/libvirt/network/*.pid 2>/dev/null | xargs -r kill";
  atEnd.defer(async () => void await run(beside(["sh", "-c", endServers]), { namespace: host }));
  atEnd.defer(stop);
  await start();
  return {
    virsh: async (args, stdin) =>
      await run(beside([...virsh, ...args]), { namespace: host, stdin }),
    bridgewall: async (...args) =>
      await mustRun(beside([...program, ...args]), { namespace: host }),
    sees: async (...argv) => await mustRun(beside(argv), { namespace: host }),
    restart: async () => {
      await stop();
      await start();
    },
  };
}
