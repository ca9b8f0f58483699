/**
 * `deno task bundle`: the program as one file, `dist/bridgewall.js`, with the script that starts it,
 * `dist/bridgewall`. Both run wherever there is a Deno, also where none can be compiled.
 */
import { fromFileUrl } from "@std/path";
import { THIS_SYSTEM } from "./launch_flags.ts";
import { wrapperText } from "./wrapper.ts";

/** Where everything that is built stands, beside its sources. */
export const DIST: string = fromFileUrl(new URL(".", import.meta.url));

/** The root of the project. */
export const PROJECT: string = fromFileUrl(new URL("..", import.meta.url));

/**
 * Runs deno to its end, with our own output.
 *
 * @param env Variables beside our own.
 * @throws {Error} When it fails, after it has said why.
 */
export async function deno(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  const options = { args: [...args], cwd: PROJECT, env };
  const { code } = await new Deno.Command(Deno.execPath(), options).spawn().status;
  if (code !== 0) throw new Error(`deno ${args[0]} exited with ${code}`);
}

/**
 * When the sources were last changed, in seconds since 1970: SOURCE_DATE_EPOCH, else that of the last commit,
 * else nothing. What is built from the same sources is the same, byte for byte.
 */
export async function sourceDate(): Promise<number> {
  const said = Deno.env.get("SOURCE_DATE_EPOCH");
  if (said !== undefined) return Number(said);
  const args = ["-C", PROJECT, "log", "-1", "--format=%ct"];
  try {
    const { success, stdout } = await new Deno.Command("git", { args, stderr: "null" }).output();
    return success ? Number(new TextDecoder().decode(stdout)) : 0;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}

/** Makes both files in the directory, which ends with a slash; returns their names. */
export async function bundle(directory: string): Promise<readonly string[]> {
  const names = ["bridgewall", "bridgewall.js"];
  const [wrapper = "", file = ""] = names.map((name) => `${directory}${name}`);
  await deno(["bundle", "--quiet", "--output", file, "main.ts"]);
  await Deno.writeTextFile(wrapper, wrapperText(THIS_SYSTEM));
  await Deno.chmod(wrapper, 0o755);
  const date = await sourceDate();
  for (const path of [wrapper, file]) await Deno.utime(path, date, date);
  return names;
}

if (import.meta.main) {
  const names = await bundle(DIST);
  const text = names.map((name) => `dist/${name}\n`).join("");
  await Deno.stdout.write(new TextEncoder().encode(text));
}
