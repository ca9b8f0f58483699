/**
 * `deno task port`: the file that the port of FreeBSD fetches, `dist/bridgewall-VERSION-bundle.tar.gz`: the
 * program as one file, how it is compiled, its manual page and its completions. Nothing else is needed
 * to build it but Deno.
 */
import { SHELLS } from "../core/cli/command_table.ts";
import { VERSION } from "../core/version.ts";
import { completionText, pack } from "./archive.ts";
import { bundle, DIST, PROJECT, sourceDate } from "./bundle.ts";
import { bundledLicenses } from "./licenses.ts";
import { checksumLine } from "./compile.ts";
import { binaryFlags } from "./launch_flags.ts";
import { manPage } from "./man_page.ts";

/** Makes it in the directory, which ends with a slash; returns its name. */
export async function portArchive(directory: string): Promise<string> {
  const name = `bridgewall-${VERSION}-bundle`;
  const work = await Deno.makeTempDir();
  const root = `${work}/${name}/`;
  try {
    await Deno.mkdir(`${root}completions`, { recursive: true });
    await bundle(root);
    // The script that starts the bundle is for where nothing is compiled.
    await Deno.remove(`${root}bridgewall`);
    const flags = `${binaryFlags("freebsd").join("\n")}\n`;
    await Deno.writeTextFile(`${root}compile.flags`, flags);
    await Deno.writeTextFile(`${root}bridgewall.8`, manPage(await sourceDate()));
    await Deno.copyFile(`${PROJECT}LICENSE`, `${root}LICENSE`);
    await Deno.writeTextFile(`${root}LICENSES`, await bundledLicenses());
    for (const shell of SHELLS) {
      await Deno.writeTextFile(`${root}completions/${shell}`, completionText(shell));
    }
    await pack(work, name, directory, 9);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
  return `${name}.tar.gz`;
}

if (import.meta.main) {
  const line = await checksumLine(DIST, await portArchive(DIST));
  await Deno.stdout.write(new TextEncoder().encode(line));
}
