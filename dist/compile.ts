/**
 * `deno task compile [TARGET...]`: standalone binaries, `dist/bridgewall-TARGET`, and `dist/SHA256SUMS`. For
 * Linux both processors; on FreeBSD, where the package of Deno brings what is needed, that of the host.
 *
 * Exit status 3 where the base of the binaries (denort) cannot be had. They must not be stripped.
 */
import { bundle, deno, DIST, sourceDate } from "./bundle.ts";
import { binaryFlags, THIS_SYSTEM } from "./launch_flags.ts";

/** What is built where nothing is named. */
const TARGETS: readonly string[] = THIS_SYSTEM === "freebsd"
  ? [`${Deno.build.arch}-unknown-freebsd`]
  : ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"];

/** Where Deno gets the base from, if it is nowhere else. */
const DOWNLOADS = "dl.deno.land";

/** Why there is no base for the target; undefined: there is one, or it can be had. */
export async function problemOfBase(
  target: string,
  { denort, cache, canConnect }: {
    /** What DENORT_BIN says. */
    readonly denort: string | undefined;
    /** The directory that Deno keeps downloads in. */
    readonly cache: string;
    readonly canConnect: (hostname: string) => Promise<boolean>;
  },
): Promise<string | undefined> {
  if (THIS_SYSTEM === "freebsd" || denort !== undefined) return undefined;
  const version = Deno.version.deno;
  const seed = `${cache}/dl/release/v${version}/denort-${target}.zip`;
  if (await isThere(seed) || await canConnect(DOWNLOADS)) return undefined;
  return `no denort for Deno ${version} ${target} ` +
    `(set DENORT_BIN, put it at ${seed}, or allow https://${DOWNLOADS})`;
}

/**
 * Makes one binary of the bundle in the directory, which ends with a slash; returns its name.
 *
 * @param env For deno, such as DENORT_BIN.
 */
export async function compile(
  target: string,
  directory: string,
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const name = `bridgewall-${target}`;
  await deno([
    "compile",
    ...(THIS_SYSTEM === "freebsd" ? [] : ["--target", target]),
    ...["--output", `${directory}${name}`, ...binaryFlags(THIS_SYSTEM)],
    `${directory}bridgewall.js`,
  ], env);
  const date = await sourceDate();
  await Deno.utime(`${directory}${name}`, date, date);
  return name;
}

/** A line as sha256sum(1) writes and checks it. */
export async function checksumLine(directory: string, name: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(directory + name));
  return `${new Uint8Array(digest).toHex()}  ${name}\n`;
}

async function isThere(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function canConnect(hostname: string): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(5000);
    await fetch(`https://${hostname}/`, { method: "HEAD", signal });
    return true;
  } catch {
    return false;
  }
}

async function downloadCache(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  return JSON.parse(new TextDecoder().decode(stdout)).denoDir;
}

async function say(text: string): Promise<void> {
  await Deno.stdout.write(new TextEncoder().encode(text));
}

async function main(): Promise<void> {
  const targets = Deno.args.length === 0 ? TARGETS : Deno.args;
  const found = { denort: Deno.env.get("DENORT_BIN"), cache: await downloadCache(), canConnect };
  for (const target of targets) {
    const problem = await problemOfBase(target, found);
    if (problem === undefined) continue;
    await say(`compile: skipped: ${problem}\n`);
    Deno.exit(3);
  }
  await bundle(DIST);
  const sums: string[] = [];
  for (const target of targets) sums.push(await checksumLine(DIST, await compile(target, DIST)));
  await Deno.writeTextFile(`${DIST}SHA256SUMS`, sums.join(""));
  await say(sums.join(""));
}

if (import.meta.main) await main();
