/** Programs that are gone for one command, as after their package was removed. */
import { withMounts } from "./private_mounts.ts";
import { mustRun } from "./run_program.ts";

/** Where Debian keeps the programs that change a firewall. */
const DIRECTORY = "/usr/sbin";

/** A machine without some of its programs. */
export interface HiddenPrograms extends AsyncDisposable {
  /** The argv that runs a command where they cannot be found. */
  wrap(argv: readonly string[]): readonly string[];
}

/**
 * Hides the programs whose names begin so, from the commands wrapped in it only: the directory is
 * covered by one with links to all the others.
 */
export async function hidePrograms(beginnings: readonly string[]): Promise<HiddenPrograms> {
  const directory = await Deno.makeTempDir({ prefix: "bridgewall-hidden-" });
  const [real, links] = [`${directory}/real`, `${directory}/links`];
  await mustRun(["mkdir", real, links]);
  for await (const { name } of Deno.readDir(DIRECTORY)) {
    if (beginnings.some((beginning) => name.startsWith(beginning))) continue;
    await Deno.symlink(`${real}/${name}`, `${links}/${name}`);
  }
  const mounts = [`mount --bind ${DIRECTORY} '${real}'`, `mount --bind '${links}' ${DIRECTORY}`];
  return {
    wrap: (argv) => withMounts(mounts, argv),
    [Symbol.asyncDispose]: () => Deno.remove(directory, { recursive: true }),
  };
}
