/**
 * What `deno task doc` runs: `deno doc --lint` on every module of the program, not only on what
 * `main.ts` exports. Needs `--allow-read` for the directories and `--allow-run` for deno itself.
 */
import { fromFileUrl } from "@std/path";

const PROJECT = fromFileUrl(new URL("..", import.meta.url));

/** The modules below the directory, as paths below the project; declarations (`.d.ts`) are none. */
function listModules(directory: string): readonly string[] {
  return [...Deno.readDirSync(`${PROJECT}${directory}`)].flatMap(({ name, isDirectory }) => {
    if (isDirectory) return listModules(`${directory}/${name}`);
    return name.endsWith(".ts") && !name.endsWith(".d.ts") ? [`${directory}/${name}`] : [];
  }).toSorted();
}

if (import.meta.main) {
  const modules = [...["core", "backends", "platform"].flatMap(listModules), "main.ts"];
  const args = ["doc", "--lint", ...modules];
  const child = new Deno.Command(Deno.execPath(), { args, cwd: PROJECT }).spawn();
  Deno.exit((await child.status).code);
}
