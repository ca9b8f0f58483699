/** What a host's firewalld holds, to compare: where an interface is, what others have, files on the disk. */
import { assert } from "@std/assert";
import type { FirewalldUnderTest } from "./backends.ts";
import { type Bridgewall, openBridgewall } from "./bridgewall.ts";
import type { FirewalldHost } from "./firewalld_host.ts";
import { firewallState } from "./ruleset.ts";
import { run } from "./run_program.ts";
import { definition, type TestNetwork } from "./test_network.ts";
import type { TestHost } from "./topology.ts";

/** The program, and the firewalld that it speaks with. */
export interface WithFirewalld {
  readonly bridgewall: Bridgewall;
  readonly firewalld: FirewalldHost;
}

/** The program on a host that has a firewalld. */
export async function openWithFirewalld(
  host: TestHost,
  backend: FirewalldUnderTest,
): Promise<WithFirewalld> {
  const bridgewall = await openBridgewall(host, backend);
  const { firewalld } = bridgewall;
  assert(firewalld !== undefined, "the backend asks for one");
  return { bridgewall, firewalld };
}

/** The network's definition, with its bridge in a zone that somebody else has made. */
export function definitionInZone(network: TestNetwork, zone: string): string {
  const { bridge } = network;
  return definition(network)
    .replace(`<bridge name="${bridge}"/>`, `<bridge name="${bridge}" zone="${zone}"/>`);
}

/** The zone that an interface is in; `no zone`, in firewall-cmd's words, when it is in none. */
export interface ZonePair {
  readonly runtime: string;
  readonly permanent: string;
}

/** Asks firewalld where the interface is. */
export async function zonesOf(
  { host }: TestHost,
  firewalld: FirewalldHost,
  name: string,
): Promise<ZonePair> {
  const ask = async (...args: readonly string[]): Promise<string> => {
    const argv = ["firewall-cmd", ...args, `--get-zone-of-interface=${name}`];
    const { stdout, stderr } = await run(firewalld.onHost(argv), { namespace: host });
    return (stdout + stderr).trim();
  };
  return { runtime: await ask(), permanent: await ask("--permanent") };
}

/** What firewalld holds at run time and permanently, but for the zones and policies of networks. */
export async function listingsOfOthers(firewalld: FirewalldHost): Promise<string> {
  return withoutOurs(await firewalld.listings());
}

/** Like {@linkcode listingsOfOthers}, the one half or the other. */
export async function halvesOfOthers(
  firewalld: FirewalldHost,
): Promise<Readonly<Record<"runtime" | "permanent", string>>> {
  const listings = (await firewalld.listings()).split(/^(?=# )/m);
  const half = (permanent: boolean): string =>
    withoutOurs(listings.filter((one) => one.startsWith("# --permanent") === permanent).join(""));
  return { runtime: half(false), permanent: half(true) };
}

/** A zone or a policy begins with its name, and goes on with indented lines; other lists are words. */
function withoutOurs(listings: string): string {
  return listings.split(/^(?=\S)/m)
    .filter((block) => !/^bw-\S+( \(active\))?\n {2}/.test(block))
    .map((block) => block.replaceAll(/(?<=^| )bw-\S+ ?/g, ""))
    .map((block) => block.split("\n").map(inOneOrder).sort().join("\n"))
    .join("\n");
}

/** Ports are listed in the order in which they came, which means nothing; nor does that of lines. */
function inOneOrder(line: string): string {
  const [, words, list = ""] = line.match(/^( {2}[a-z-]+:)(.*)$/) ?? [];
  // A list of names may have ended with ours.
  return words === undefined ? line.trimEnd() : [words, ...list.trim().split(" ").sort()].join(" ");
}

/** The permanent configuration, each file after its path; what firewalld saves beside it left out. */
export async function filesOf({ configuration }: FirewalldHost): Promise<readonly string[]> {
  const files: string[] = [];
  for (const part of ["", "/ipsets", "/policies", "/services", "/zones"]) {
    for await (const { name, isFile } of Deno.readDir(`${configuration}${part}`)) {
      if (!isFile || name.endsWith(".old")) continue;
      const path = `${configuration}${part}/${name}`;
      files.push(`${part}/${name}\n${await Deno.readTextFile(path)}`);
    }
  }
  return files.sort();
}

/** Those of networks, by their names. */
export async function ourFiles(firewalld: FirewalldHost): Promise<readonly string[]> {
  return (await filesOf(firewalld)).map((file) => file.split("\n")[0] ?? "")
    .filter((path) => path.includes("/bw-"));
}

/**
 * Writes a file as somebody does with an editor; in the end it is removed, and firewalld has forgotten it.
 *
 * @param path Below the configuration, such as `zones/theirs.xml`.
 */
export async function writeByHand(
  firewalld: FirewalldHost,
  path: string,
  text: string,
): Promise<AsyncDisposable> {
  const file = `${firewalld.configuration}/${path}`;
  const [, kind = "", name = ""] = path.match(/^(zones|policies)\/(.*)\.xml$/) ?? [];
  // firewalld watches its directories, and tells of what it has seen there some time later.
  const isKnown = async (): Promise<boolean> =>
    (await firewalld.command("--permanent", `--get-${kind}`)).split(" ").includes(name);
  await Deno.writeTextFile(file, text);
  for (let patience = 100; !await isKnown(); patience--) {
    if (patience === 0) throw new Error(`firewalld does not see "${file}"`);
  }
  return {
    [Symbol.asyncDispose]: async () => {
      await Deno.remove(file);
      await firewalld.command("--reload");
    },
  };
}

/** All that a command which is refused must leave as it was. */
export async function everythingOf(
  { host }: TestHost,
  { bridgewall, firewalld }: WithFirewalld,
): Promise<readonly string[]> {
  const records: string[] = [];
  for await (const { name } of Deno.readDir(bridgewall.stateDirectory)) {
    if (name.endsWith(".xml")) records.push(name);
  }
  return [
    await firewalld.listings(),
    await firewallState(host),
    ...await filesOf(firewalld),
    ...records.sort(),
  ];
}
