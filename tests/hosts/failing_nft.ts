/** Replaces a program for one command only, so that it fails where a real host could. */
import { run } from "./run_program.ts";

/** A stand-in for nft on one host. */
export interface FailingNft extends AsyncDisposable {
  /** Puts the stand-in in the place of nft for the command, which it alone sees. */
  wrap(argv: readonly string[]): readonly string[];
  /** Makes the next `nft -f` fail; checking and listing go on. */
  failOnce(): Promise<void>;
  /** Whether the failure happened. */
  failed(): Promise<boolean>;
}

/** The real nft, except that it refuses one load after being told to. */
export async function makeFailingNft(): Promise<FailingNft> {
  const directory = await Deno.makeTempDir({ prefix: "bridgewall-nft-" });
  const { stdout } = await run(["sh", "-c", "command -v nft"]);
  const real = await Deno.realPath(stdout.trim());
  const copy = `${directory}/real`;
  const standIn = `${directory}/nft`;
  const order = `${directory}/fail-once`;
  await Deno.copyFile(real, copy);
  await Deno.writeTextFile(standIn, script(copy, order));
  await Deno.chmod(standIn, 0o755);
  // A mount of the command's own: the machine's nft stays what it is for everybody else.
  const mount = `mount --bind ${standIn} ${real} && exec "$@"`;
  return {
    wrap: (argv) => ["unshare", "--mount", "sh", "-c", mount, "sh", ...argv],
    failOnce: () => Deno.writeTextFile(order, ""),
    failed: async () => {
      const { code } = await run(["test", "-e", order]);
      return code !== 0;
    },
    [Symbol.asyncDispose]: () => Deno.remove(directory, { recursive: true }),
  };
}

function script(real: string, order: string): string {
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
if [ $loads = yes ] && [ -e '${order}' ]; then
  rm '${order}'
  cat > /dev/null
  echo "Error: Could not process rule: No space left on device" >&2
  exit 1
fi
exec '${real}' "$@"
`;
}
