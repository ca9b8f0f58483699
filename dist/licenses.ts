/** The licenses of what is bundled with the program: who passes the bundle on passes these on, too. */
import { deno, PROJECT } from "./bundle.ts";

/** Packages of npm in the bundle that bring a text along. */
const PACKAGES = ["@rgrove/parse-xml", "ipaddr.js", "smol-toml"] as const;

/** All texts, each below the name of its package. */
export async function bundledLicenses(): Promise<string> {
  const { imports } = JSON.parse(await Deno.readTextFile(`${PROJECT}deno.json`));
  // The cache has nothing before something was imported.
  await deno(["cache", "--quiet", "main.ts"]);
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  const { npmCache } = JSON.parse(new TextDecoder().decode(stdout));
  const texts = await Promise.all(PACKAGES.map(async (name) => {
    const version = String(imports[name]).replace(/^.*@/, "");
    const path = `${npmCache}/registry.npmjs.org/${name}/${version}/LICENSE`;
    return section(name, await Deno.readTextFile(path));
  }));
  // The package of the standard library has none in it: it is under the license that this program has.
  const own = await Deno.readTextFile(`${PROJECT}LICENSE`);
  const standard = own.replace(/^Copyright.*$/m, "Copyright 2018-2026 the Deno authors");
  return ["The program has parts of these in it.\n", ...texts, section("@std", standard)].join(
    "\n",
  );
}

function section(name: string, text: string): string {
  return `${name}\n${"=".repeat(name.length)}\n\n${text.trim()}\n`;
}
