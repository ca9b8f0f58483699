/** The program as a user without any privilege runs it, wherever deno and the project are. */
import { PERMISSIONS, PROJECT } from "./bundle.ts";
import { mustRun } from "./run_program.ts";

/** What an unprivileged run needs, readable by everybody. */
export interface OrdinaryUser extends AsyncDisposable {
  /** The argv that runs the program with these arguments as nobody. */
  argv(args: readonly string[]): readonly string[];
}

/** The user `nobody`, which Debian gives this number. */
const NOBODY = "65534";

const DROP_PRIVILEGES = ["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"];

/** What of the project the program is made of. */
const SOURCES = ["main.ts", "deno.json", "deno.lock", "core", "backends", "platform"];

/**
 * Copies deno, its cached packages and the program to a place that everybody can read: all three may
 * be below a home directory of root's.
 */
export async function makeOrdinaryUser(): Promise<OrdinaryUser> {
  const directory = await Deno.makeTempDir({ prefix: "bridgewall-user-" });
  const deno = `${directory}/deno`;
  const cache = `${directory}/cache`;
  const { npmCache } = JSON.parse(await mustRun([Deno.execPath(), "info", "--json"])) as DenoInfo;
  await Deno.mkdir(cache);
  await mustRun(["cp", Deno.execPath(), deno]);
  await mustRun(["cp", "-r", npmCache, `${cache}/npm`]);
  await mustRun(["cp", "-r", ...SOURCES.map((name) => `${PROJECT}${name}`), directory]);
  await mustRun(["chown", "-R", `${NOBODY}:${NOBODY}`, directory]);
  const program = ["run", "--quiet", "--cached-only", ...PERMISSIONS];
  return {
    argv: (args) => [
      ...DROP_PRIVILEGES,
      ...["env", `DENO_DIR=${cache}`, "HOME=/nonexistent"],
      ...[deno, ...program, `${directory}/main.ts`, ...args],
    ],
    [Symbol.asyncDispose]: () => Deno.remove(directory, { recursive: true }),
  };
}

interface DenoInfo {
  readonly npmCache: string;
}
