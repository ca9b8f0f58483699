/** Programs replaced for one command only, so that they fail where a real host could. */
import type { Bridgewall } from "./bridgewall.ts";
import { withMounts } from "./private_mounts.ts";
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

/**
 * Puts scripts in the place of programs; the machine's own stay what they are for everybody else.
 *
 * Several programs may be links to one that looks at the name it was called by, as those of iptables
 * are. A mount covers what a link leads to, so one script takes the place of all, and looks as well.
 */
export async function makeStandIns(
  standIns: readonly StandIn[],
  { onHost }: Pick<Bridgewall, "onHost">,
): Promise<StandIns> {
  const directory = await Deno.makeTempDir({ prefix: "bridgewall-stand-in-" });
  const targets = new Map<string, StandIn[]>();
  for (const standIn of standIns) {
    const find = ["sh", "-c", 'readlink -f "$(command -v "$1")"', "sh", standIn.program];
    const target = (await mustRun(onHost(find))).trim();
    targets.set(target, [...targets.get(target) ?? [], standIn]);
  }
  const mounts = await Promise.all(
    [...targets].map(([target, programs]) => cover(directory, target, programs)),
  );
  return {
    directory,
    wrap: (argv) => withMounts(mounts, argv),
    [Symbol.asyncDispose]: () => removeInUse(directory),
  };
}

/** What a killed command had started ends a little later, and notes what it did until then. */
async function removeInUse(directory: string): Promise<void> {
  for (let patience = 50; patience > 0; patience--) {
    try {
      return await Deno.remove(directory, { recursive: true });
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  await Deno.remove(directory, { recursive: true });
}

/** Writes the script for all programs that are this file, and returns the command that mounts it. */
async function cover(
  directory: string,
  target: string,
  standIns: readonly StandIn[],
): Promise<string> {
  const name = target.replaceAll("/", "-");
  const copy = `${directory}/real${name}/copy`;
  await Deno.mkdir(`${directory}/real${name}`);
  await Deno.copyFile(target, copy);
  const script = [
    "#!/bin/sh",
    "program=${0##*/}",
    `notes='${directory}'`,
    // Called by the program's own name, which some look at; any number of processes may make it.
    `real="$notes/real${name}/$program"`,
    `[ -e "$real" ] || ln -s copy "$real" 2> /dev/null`,
    'case "$program" in',
    ...standIns.flatMap(({ program, script }) => [`${program})`, script, ";;"]),
    "esac",
    'exec "$real" "$@"',
    "",
  ];
  const standIn = `${directory}/stand-in${name}`;
  await Deno.writeTextFile(standIn, script.join("\n"));
  await Deno.chmod(standIn, 0o755);
  return `mount --bind '${standIn}' '${target}'`;
}

/** What a refusing program says. */
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
`,
};

/**
 * A restore of iptables that tests a script and then refuses to load it.
 *
 * @param only Extended regular expression of grep(1): only scripts with such a line are refused, as by a
 * kernel that has room for what stood before and for nothing more.
 */
export function refusingRestore(program: string, only: string): StandIn {
  return {
    program,
    script: `case " $* " in
  *" --test "*) ;;
  *)
    script="$notes/script-$$"
    cat > "$script"
    if grep -qE '${only}' "$script"; then
      echo "$program: line 1 failed: ${REFUSAL}." >&2
      exit 1
    fi
    exec "$real" "$@" < "$script"
    ;;
esac
`,
  };
}

/**
 * The program itself, except that its run with the number in the file `last` kills the process that
 * started it. Runs are counted over all such stand-ins; the file `log` tells which they were.
 */
export function killing(program: string): StandIn {
  return {
    program,
    script: `run=1
# Who started it may be dead already, and the notes be gone.
until mkdir "$notes/run-$run" 2> /dev/null; do
  [ -d "$notes/run-$run" ] || exit 1
  run=$((run + 1))
done
echo "$run: $program $*" >> "$notes/log"
"$real" "$@"
code=$?
[ $run -lt "$(cat "$notes/last")" ] || kill -KILL $PPID
exit $code
`,
  };
}
