/** Programs replaced for one command only, so that they fail where a real host could. */
import { mustRun } from "./run_program.ts";

/** Stand-ins that only the commands wrapped in them see. */
export interface StandIns extends AsyncDisposable {
  /** Where the stand-ins find what they are told, and note what they did. */
  readonly directory: string;
  /** The argv that runs a command with the stand-ins in the programs' places. */
  wrap(argv: readonly string[]): readonly string[];
}

/** A stand-in as shell lines; `$real` runs the program, `$notes` is the directory. */
export interface StandIn {
  readonly program: string;
  readonly script: string;
}

/** Puts scripts in the place of programs; the machine's own stay what they are for everybody else. */
export async function makeStandIns(standIns: readonly StandIn[]): Promise<StandIns> {
  const directory = await Deno.makeTempDir({ prefix: "bridgewall-stand-in-" });
  const mounts = await Promise.all(standIns.map((standIn) => place(directory, standIn)));
  return {
    directory,
    wrap: (argv) => {
      const script = [...mounts, 'exec "$@"'].join(" && ");
      return ["unshare", "--mount", "sh", "-c", script, "sh", ...argv];
    },
    [Symbol.asyncDispose]: () => Deno.remove(directory, { recursive: true }),
  };
}

/** Writes one, and returns the command that mounts it over the program. */
async function place(directory: string, { program, script }: StandIn): Promise<string> {
  const found = await mustRun(["sh", "-c", `command -v ${program}`]);
  // Names such as iptables-restore are links to one program that reads the name it was called by.
  const path = await Deno.realPath(found.trim().replace(/\/[^/]+$/, "")) + `/${program}`;
  const target = await Deno.realPath(path);
  const copy = `${directory}/real/${program}`;
  await Deno.mkdir(`${directory}/real`, { recursive: true });
  await Deno.copyFile(target, copy);
  const standIn = `${directory}/${program}`;
  const head = `#!/bin/sh\nprogram=${program}\nreal='${copy}'\nnotes='${directory}'\n`;
  await Deno.writeTextFile(standIn, head + script);
  await Deno.chmod(standIn, 0o755);
  return `mount --bind '${standIn}' '${target}'`;
}

/** What the refusing nft says. */
export const REFUSAL = "No space left on device";

/** An nft that checks a script and then refuses to load it, as a kernel short of memory does. */
export const REFUSING_NFT: StandIn = {
  program: "nft",
  script: `loads=no
for argument; do
  case "$argument" in
    --check) loads=no; break ;;
    --file) loads=yes ;;
    --*) ;;
    -*c*) loads=no; break ;;
    -*f*) loads=yes ;;
  esac
done
if [ $loads = yes ]; then
  cat > /dev/null
  echo "Error: Could not process rule: ${REFUSAL}" >&2
  exit 1
fi
exec "$real" "$@"
`,
};

/**
 * The program itself, except that its run with the number in the file `last` kills the process that
 * started it. Runs are counted over all such stand-ins; the file `log` tells which they were.
 */
export function killing(program: string): StandIn {
  return {
    program,
    script: `run=1
until mkdir "$notes/run-$run" 2> /dev/null; do run=$((run + 1)); done
echo "$run: $program $*" >> "$notes/log"
"$real" "$@"
code=$?
[ $run -lt "$(cat "$notes/last")" ] || kill -KILL $PPID
exit $code
`,
  };
}
