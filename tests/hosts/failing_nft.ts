/** An nft that checks a script and then refuses to load it, as a kernel short of memory does. */
import { mustRun } from "./run_program.ts";

/** A stand-in for nft that only the commands wrapped in it see. */
export interface FailingNft extends AsyncDisposable {
  /** The argv that runs a command with the stand-in in nft's place. */
  wrap(argv: readonly string[]): readonly string[];
}

/** What it says when it refuses, in nft's words. */
export const REFUSAL = "No space left on device";

/** Makes the stand-in: the real nft, except that it refuses every load that is not a check. */
export async function makeFailingNft(): Promise<FailingNft> {
  const directory = await Deno.makeTempDir({ prefix: "bridgewall-nft-" });
  const found = await mustRun(["sh", "-c", "command -v nft"]);
  const real = await Deno.realPath(found.trim());
  const copy = `${directory}/real`;
  const standIn = `${directory}/nft`;
  await Deno.copyFile(real, copy);
  await Deno.writeTextFile(standIn, script(copy));
  await Deno.chmod(standIn, 0o755);
  // A mount of the command's own: the machine's nft stays what it is for everybody else.
  const mount = `mount --bind ${standIn} ${real} && exec "$@"`;
  return {
    wrap: (argv) => ["unshare", "--mount", "sh", "-c", mount, "sh", ...argv],
    [Symbol.asyncDispose]: () => Deno.remove(directory, { recursive: true }),
  };
}

function script(real: string): string {
  return `#!/bin/sh
loads=no
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
exec '${real}' "$@"
`;
}
