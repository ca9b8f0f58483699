/** The program as one file, the way it is shipped: it starts in a third of the time. */
import { fromFileUrl } from "@std/path";
import { permissionFlags, RUN_FLAGS } from "../../dist/launch_flags.ts";
import { mustRun } from "./run_program.ts";

/** The root of the project. */
export const PROJECT = fromFileUrl(new URL("../../", import.meta.url));

/** What the packaged program may do, and records where tests have them. */
export const PERMISSIONS: readonly string[] = permissionFlags("linux", [
  Deno.env.get("TMPDIR") ?? "/tmp",
]);

/** Made once for each file of tests. */
let made: Promise<readonly string[]> | undefined;

/** The argv that starts the program, without its own arguments. */
export function programArgv(): Promise<readonly string[]> {
  return made ??= bundle();
}

async function bundle(): Promise<readonly string[]> {
  const directory = await Deno.makeTempDir({ prefix: "bridgewall-bundle-" });
  addEventListener("unload", () => Deno.removeSync(directory, { recursive: true }));
  const file = `${directory}/bridgewall.js`;
  await mustRun([
    ...[Deno.execPath(), "bundle", "--quiet", "--config", `${PROJECT}deno.json`],
    ...["--output", file, `${PROJECT}main.ts`],
  ]);
  return [Deno.execPath(), "run", ...RUN_FLAGS, ...PERMISSIONS, file];
}
