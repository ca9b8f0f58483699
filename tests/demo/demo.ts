/**
 * `deno task demo`: the main job on a definition that is built in, for real where that is possible.
 *
 * It runs in namespaces of its own, so it needs no root and touches nothing of the host; they end with
 * it. Where the system does not allow that, it shows the plan and says what is missing.
 */
import { fromFileUrl, join } from "@std/path";

const ROOT = fromFileUrl(new URL("../..", import.meta.url));
const TOOLS = { nft: "nftables", ip: "iproute2", sysctl: "procps", unshare: "util-linux" } as const;

/** The definition of the demonstration: what libvirt calls a NAT network. */
export const DEFINITION = `<network>
  <name>demo</name>
  <forward mode='nat'/>
  <bridge name='virbr0'/>
  <ip address='192.168.150.1' netmask='255.255.255.0'/>
</network>
`;

/** Programs that cannot be found, as the Debian packages that have them. */
export async function missingPackages(): Promise<readonly string[]> {
  const missing = await Promise.all(
    Object.entries(TOOLS).map(async ([program, name]) => {
      const places = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"].map((at) => join(at, program));
      const found = await Promise.all(places.map((path) => Deno.stat(path).catch(() => undefined)));
      return found.every((info) => info === undefined) ? [name] : [];
    }),
  );
  return [...new Set(missing.flat())];
}

/** Ways to get namespaces of one's own, best first: the second is for root where users may not. */
const WAYS = [["--user", "--map-root-user", "--net"], ["--net"]] as const;

async function findWay(): Promise<readonly string[] | undefined> {
  for (const way of WAYS) {
    const probe = new Deno.Command("unshare", {
      args: [...way, "nft", "add table inet probe"],
      env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
      stdout: "null",
      stderr: "null",
    });
    if ((await probe.output()).success) return way;
  }
  return undefined;
}

async function runDeno(
  script: string,
  args: readonly string[],
  prefix: readonly string[] = [],
): Promise<number> {
  const [program = Deno.execPath(), ...rest] = [...prefix, Deno.execPath(), "run", "-A", script];
  const child = new Deno.Command(program, {
    args: [...rest, ...args],
    cwd: ROOT,
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  });
  return (await child.output()).code;
}

async function showPlan(directory: string, reason: string): Promise<number> {
  print([
    `The real thing cannot be shown here: ${reason}`,
    "So this is what bridgewall would run on this definition:",
    "",
    DEFINITION,
  ]);
  const file = join(directory, "demo.xml");
  const explained = await runDeno("main.ts", ["plan", "--explain", file]);
  print([""]);
  const planned = await runDeno("main.ts", ["plan", "--quiet", file]);
  return Math.max(explained, planned);
}

/** Prints lines to standard output. */
export function print(lines: readonly string[]): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${lines.join("\n")}\n`));
}

async function demonstrate(): Promise<number> {
  const directory = await Deno.makeTempDir({ prefix: "bridgewall-demo-" });
  try {
    await Deno.writeTextFile(join(directory, "demo.xml"), DEFINITION);
    if (Deno.build.os !== "linux") {
      return await showPlan(directory, "it needs Linux, with network namespaces");
    }
    const missing = await missingPackages();
    if (missing.length > 0) {
      return await showPlan(
        directory,
        `some programs are missing. On Debian: apt-get install ${missing.join(" ")}`,
      );
    }
    const way = await findWay();
    if (way === undefined) {
      return await showPlan(
        directory,
        "this system lets you have no network namespace. Root may be allowed to: try it with sudo",
      );
    }
    const scene = fromFileUrl(new URL("scene.ts", import.meta.url));
    return await runDeno(scene, [directory], ["unshare", ...way]);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

if (import.meta.main) Deno.exitCode = await demonstrate();
