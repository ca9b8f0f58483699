/**
 * `deno task archive`: all that a distribution installs, with Deno itself, as
 * `dist/bridgewall-VERSION-TARGET.tar.gz`. What is in its one directory can stand in /usr, in /usr/local, in
 * /opt or anywhere else.
 */
import { SHELLS } from "../core/cli/command_table.ts";
import { completions } from "../core/commands/completions.ts";
import { VERSION } from "../core/version.ts";
import { bundle, DIST, PROJECT, sourceDate } from "./bundle.ts";
import { bundledLicenses } from "./licenses.ts";
import { checksumLine } from "./compile.ts";
import { manPage } from "./man_page.ts";

/** Where each shell looks for what a package brings. */
const COMPLETIONS: Readonly<Record<(typeof SHELLS)[number], string>> = {
  bash: "share/bash-completion/completions/bridgewall",
  zsh: "share/zsh/site-functions/_bridgewall",
  fish: "share/fish/vendor_completions.d/bridgewall.fish",
};

/** Lays everything out below the directory, which ends with a slash. */
export async function layOut(root: string): Promise<void> {
  const lib = `${root}lib/bridgewall/`;
  const directories = ["bin", "lib/systemd/system", "share/man/man8", "share/doc/bridgewall"]
    .map((name) => root + name);
  for (const path of [lib, ...directories]) await Deno.mkdir(path, { recursive: true });
  await bundle(lib);
  await Deno.copyFile(Deno.execPath(), `${lib}deno`);
  await Deno.chmod(`${lib}deno`, 0o755);
  await Deno.symlink("../lib/bridgewall/bridgewall", `${root}bin/bridgewall`);
  for (const { name } of Deno.readDirSync(`${DIST}systemd`)) {
    await Deno.copyFile(`${DIST}systemd/${name}`, `${root}lib/systemd/system/${name}`);
  }
  await Deno.writeTextFile(`${root}share/man/man8/bridgewall.8`, manPage(await sourceDate()));
  for (const name of ["README.md", "CHANGELOG.md", "SECURITY.md", "LICENSE"]) {
    await Deno.copyFile(PROJECT + name, `${root}share/doc/bridgewall/${name}`);
  }
  await Deno.writeTextFile(`${root}share/doc/bridgewall/LICENSES`, await bundledLicenses());
  await copyTree(`${DIST}docs/`, `${root}share/doc/bridgewall/dist/docs/`);
  await copyTree(`${DIST}examples/`, `${root}share/doc/bridgewall/examples/`);
  await copyTree(`${DIST}libvirt/`, `${lib}libvirt/`);
  for (const shell of SHELLS) {
    const path = root + COMPLETIONS[shell];
    await Deno.mkdir(path.replace(/[^/]*$/, ""), { recursive: true });
    await Deno.writeTextFile(path, completionText(shell));
  }
}

/** The file that makes the shell complete. */
export function completionText(shell: (typeof SHELLS)[number]): string {
  return `${completions([shell]).text.join("\n")}\n`;
}

/** Copies all that stands in one directory into another; both end with a slash. */
export async function copyTree(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for (const { name, isDirectory } of Deno.readDirSync(from)) {
    if (isDirectory) await copyTree(`${from}${name}/`, `${to}${name}/`);
    else await Deno.copyFile(from + name, to + name);
  }
}

/**
 * Makes it in the directory, which ends with a slash; returns the name of the file.
 *
 * @param level Of gzip(1), from 1 to 9.
 */
export async function archive(directory: string, level: number): Promise<string> {
  const name = `bridgewall-${VERSION}-${Deno.build.target}`;
  const work = await Deno.makeTempDir();
  try {
    await layOut(`${work}/${name}/`);
    await pack(work, name, directory, level);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
  return `${name}.tar.gz`;
}

/**
 * Packs the directory NAME, which stands in `work`, as `NAME.tar.gz` into another, which ends with a slash.
 * Owner, time and order are the same whoever does it.
 *
 * @param level Of gzip(1), from 1 to 9.
 */
export async function pack(
  work: string,
  name: string,
  directory: string,
  level: number,
): Promise<void> {
  const date = await sourceDate();
  const args = [
    ...["--create", "--sort=name", "--owner=0", "--group=0", "--numeric-owner"],
    ...[`--mtime=@${date}`, "--mode=go+u,go-w", "--directory", work],
    ...[`--use-compress-program=gzip -n -${level}`, "--file", `${directory}${name}.tar.gz`, name],
  ];
  const { code } = await new Deno.Command("tar", { args }).spawn().status;
  if (code !== 0) throw new Error(`tar exited with ${code}`);
}

if (import.meta.main) {
  const line = await checksumLine(DIST, await archive(DIST, 9));
  await Deno.writeTextFile(`${DIST}SHA256SUMS`, line);
  await Deno.stdout.write(new TextEncoder().encode(line));
}
