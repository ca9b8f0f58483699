/** Runs the program as a user would, where it can change nothing. */
import { assert } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { PERMISSIONS } from "../hosts/bundle.ts";
import { type Finished, run, type RunOptions } from "../hosts/run_program.ts";

const MAIN = fromFileUrl(new URL("../../main.ts", import.meta.url));

/** Standard output and error are as they were written, without colours. */
export interface Program extends AsyncDisposable {
  /** A directory of the test's own: `bridgewall.conf`, `networks/` and `state` are in it. */
  readonly directory: string;
  /** The argv for these words, with a configuration and records of the test's own. */
  argv(words: readonly string[]): readonly string[];
  /** Runs it in the test's own network namespace: only for what changes nothing. */
  run(words: readonly string[], options?: RunOptions): Promise<Finished>;
  /** Runs it in a network namespace that is gone afterwards. Needs root. */
  runApart(words: readonly string[], options?: RunOptions): Promise<Finished>;
  /** Runs it apart where these programs are not installed. */
  runWithout(
    programs: readonly string[],
    words: readonly string[],
    options?: RunOptions,
  ): Promise<Finished>;
  /** Writes a definition, and returns its path. */
  write(name: string, text: string): string;
}

/**
 * Takes the programs away, in this mount namespace alone: what is not hidden stands as links in the
 * place of the directory.
 */
const HIDE = `copy=$1; shift
mkdir -p "$copy" && mount --bind /usr/sbin "$copy" &&
mount -t tmpfs none /usr/sbin && ln -s "$copy"/* /usr/sbin/ &&
for program in $0; do rm "/usr/sbin/$program" || exit; done && exec "$@"`;

/** The program with an empty configuration and no records. */
export async function openProgram(): Promise<Program> {
  const directory = await Deno.makeTempDir({ prefix: "bridgewall-program-" });
  Deno.mkdirSync(`${directory}/networks`);
  Deno.writeTextFileSync(`${directory}/bridgewall.conf`, "");
  const argv: Program["argv"] = (words) => [
    ...[Deno.execPath(), "run", "--quiet", ...PERMISSIONS, MAIN],
    ...["--config", `${directory}/bridgewall.conf`, "--state-dir", `${directory}/state`],
    ...words,
  ];
  return {
    directory,
    argv,
    run: (words, options) => run(argv(words), options),
    runWithout: (programs, words, options) => {
      const hide = ["sh", "-c", HIDE, programs.join(" "), `${directory}/sbin`];
      return run(["unshare", "--net", "--mount", ...hide, ...argv(words)], options);
    },
    runApart: (words, options) => run(["unshare", "--net", ...argv(words)], options),
    write: (name, text) => {
      const path = `${directory}/${name}`;
      Deno.writeTextFileSync(path, text);
      return path;
    },
    [Symbol.asyncDispose]: () => Deno.remove(directory, { recursive: true }),
  };
}

/** JSON that must be an object. */
export function jsonOf(text: string): Readonly<Record<string, unknown>> {
  const value: unknown = JSON.parse(text);
  assert(typeof value === "object" && value !== null && !Array.isArray(value), text);
  return value as Readonly<Record<string, unknown>>;
}

/** A network that nothing on a host collides with: TEST-NET-3 (RFC 5737). */
export const NETWORK = "<network><name>lan</name><forward mode='route'/>" +
  "<bridge name='bwtest0'/><ip address='203.0.113.1' prefix='29'/></network>";
