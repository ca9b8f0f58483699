/** Hosts whose `iptables` is the one variant or the other, and the rules of either. */
import type { BackendUnderTest, IptablesVariant } from "./backends.ts";
import { withMounts } from "./private_mounts.ts";
import { mustRun } from "./run_program.ts";

/** The families, as the names of their programs begin. */
export const FAMILY_PROGRAMS = ["iptables", "ip6tables"] as const;

/** Where Debian says which variant `/usr/sbin/iptables` is (update-alternatives(1)). */
const ALTERNATIVES = "/etc/alternatives";

/** The chains that iptables makes by itself where it makes a table. */
const BUILT_IN: Readonly<Record<string, readonly string[]>> = {
  filter: ["INPUT", "FORWARD", "OUTPUT"],
  nat: ["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"],
  mangle: ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"],
  raw: ["PREROUTING", "OUTPUT"],
};

/** The tables that a backend of ours may write into. */
export const TABLES: readonly string[] = Object.keys(BUILT_IN);

/** `iptables-legacy-restore`, `ip6tables-nft-save`. */
export function variantProgram(
  family: (typeof FAMILY_PROGRAMS)[number],
  variant: IptablesVariant,
  action?: "restore" | "save",
): string {
  return [family, variant, ...(action === undefined ? [] : [action])].join("-");
}

/** Where the legacy programs take turns (iptables(8), `--wait`): one file, however many namespaces. */
export const XTABLES_LOCK = "/run/xtables.lock";

/**
 * Makes a host's own alternatives, in which iptables is this variant, and its own lock of iptables, so
 * that tests side by side do not wait for one another.
 *
 * @returns The argv that runs a command where both hold; the machine's stay as they are.
 */
export async function chooseVariant(
  directory: string,
  variant: IptablesVariant,
): Promise<(argv: readonly string[]) => readonly string[]> {
  const copy = `${directory}/alternatives-${variant}`;
  await mustRun(["cp", "--archive", "--no-target-directory", ALTERNATIVES, copy]);
  for (const family of FAMILY_PROGRAMS) {
    for (const action of [undefined, "restore", "save"] as const) {
      const link = `${copy}/${family}${action === undefined ? "" : `-${action}`}`;
      await Deno.remove(link);
      await Deno.symlink(`/usr/sbin/${variantProgram(family, variant, action)}`, link);
    }
  }
  const lock = `${directory}/xtables.lock`;
  await Deno.writeTextFile(lock, "");
  const mounts = [
    `mount --bind '${copy}' ${ALTERNATIVES}`,
    // The machine has none before the first run of a legacy program.
    `{ [ ! -e ${XTABLES_LOCK} ] || mount --bind '${lock}' ${XTABLES_LOCK}; }`,
  ];
  return (argv) => withMounts(mounts, argv);
}

/**
 * Makes the tables that iptables makes the first time it needs them, and never removes: so that what
 * stands afterwards can be compared with what stood before, byte for byte.
 */
export async function makeBuiltInTables(
  namespace: string,
  { variant }: BackendUnderTest,
): Promise<void> {
  if (variant !== undefined) await restoreBoth(namespace, variant, ["--noflush"], "-");
}

/** Somebody removes every rule there is of this backend, their own and ours. */
export async function flushEverything(
  namespace: string,
  { variant }: BackendUnderTest,
): Promise<void> {
  if (variant === undefined) await mustRun(["nft", "flush", "ruleset"], { namespace });
  else await restoreBoth(namespace, variant, [], "ACCEPT");
}

/** Gives the script to the variant's restore, for one family. */
export async function restoreRules(
  namespace: string,
  program: string,
  script: string,
): Promise<void> {
  await mustRun([program, "--noflush", "--wait=60"], { namespace, stdin: script });
}

async function restoreBoth(
  namespace: string,
  variant: IptablesVariant,
  flags: readonly string[],
  policy: string,
): Promise<void> {
  const tables = Object.entries(BUILT_IN).map(([table, chains]) =>
    [`*${table}`, ...chains.map((chain) => `:${chain} ${policy}`), "COMMIT", ""].join("\n")
  );
  // One after the other: nft lists tables in the order in which they were made.
  for (const family of FAMILY_PROGRAMS) {
    const restore = variantProgram(family, variant, "restore");
    await mustRun([restore, "--wait=60", ...flags], { namespace, stdin: tables.join("") });
  }
}
