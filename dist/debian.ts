/**
 * `deno task deb`: a package of Debian, `dist/bridgewall_VERSION_ARCHITECTURE.deb`, with all that the archive
 * has. Its sources are in `dist/debian/`. Needs dpkg-deb(1).
 */
import { VERSION } from "../core/version.ts";
import { copyTree, layOut } from "./archive.ts";
import { DIST, PROJECT, sourceDate } from "./bundle.ts";
import { checksumLine } from "./compile.ts";

/** What Debian calls the processor. */
const ARCHITECTURES = { x86_64: "amd64", aarch64: "arm64" } as const;

/** Counts the packages of one version. */
const REVISION = "1";

/** The files that dpkg keeps as the administrator has changed them. */
const CONFIGURATION: readonly string[] = [
  "/etc/bridgewall/bridgewall.conf",
  "/etc/libvirt/hooks/daemon.d/bridgewall",
  "/etc/libvirt/hooks/network.d/bridgewall",
];

/**
 * Builds it in the directory, which ends with a slash; returns the name of the file.
 *
 * @param level Of gzip(1), from 1 to 9.
 */
export async function debianPackage(directory: string, level: number): Promise<string> {
  const architecture = ARCHITECTURES[Deno.build.arch];
  const version = `${VERSION}-${REVISION}`;
  const name = `bridgewall_${version}_${architecture}.deb`;
  const root = `${await Deno.makeTempDir()}/`;
  try {
    await Deno.chmod(root, 0o755);
    await layOut(`${root}usr/`);
    await toDebian(root, version);
    await describe(root, { version, architecture });
    const compression = [`-Zgzip`, `-z${level}`];
    await output("chmod", ["--recursive", "go=rX,u+w", root]);
    await output("dpkg-deb", [
      ...["--root-owner-group", ...compression, "--build", root, `${directory}${name}`],
    ]);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
  return name;
}

/** What Debian wants elsewhere, or in another form. */
async function toDebian(root: string, version: string): Promise<void> {
  const documents = `${root}usr/share/doc/bridgewall/`;
  await Deno.remove(`${documents}LICENSE`);
  const licenses = await Deno.readTextFile(`${documents}LICENSES`);
  await Deno.remove(`${documents}LICENSES`);
  const copyright = await Deno.readTextFile(`${DIST}debian/copyright`);
  await Deno.writeTextFile(`${documents}copyright`, copyright + bundledParagraph(licenses));
  await Deno.rename(`${documents}CHANGELOG.md`, `${documents}changelog`);
  const date = new Date(await sourceDate() * 1000).toUTCString().replace("GMT", "+0000");
  await Deno.writeTextFile(
    `${documents}changelog.Debian`,
    `bridgewall (${version}) unstable; urgency=medium\n\n  * See changelog.gz.\n\n` +
      ` -- bridgewall maintainers <maintainers@bridgewall.invalid>  ${date}\n`,
  );
  const compressed = [
    `${documents}changelog`,
    `${documents}changelog.Debian`,
    `${root}usr/share/man/man8/bridgewall.8`,
  ];
  await output("gzip", ["-9", "--no-name", ...compressed]);
  const zsh = `${root}usr/share/zsh/`;
  await Deno.rename(`${zsh}site-functions`, `${zsh}vendor-completions`);
  await Deno.mkdir(`${root}etc/bridgewall/networks`, { recursive: true });
  await Deno.copyFile(`${DIST}examples/bridgewall.conf`, `${root}etc/bridgewall/bridgewall.conf`);
  await Deno.remove(`${root}usr/lib/bridgewall/libvirt`, { recursive: true });
  await copyTree(`${DIST}libvirt/hooks/`, `${root}etc/libvirt/hooks/`);
  await Deno.mkdir(`${root}usr/share/lintian/overrides`, { recursive: true });
  const overrides = `${root}usr/share/lintian/overrides/bridgewall`;
  await Deno.copyFile(`${DIST}debian/lintian-overrides`, overrides);
  // Since Debian 12 both are the same place, and before Debian 13 tools look for units in this one.
  await Deno.mkdir(`${root}lib/systemd`, { recursive: true });
  await Deno.rename(`${root}usr/lib/systemd/system`, `${root}lib/systemd/system`);
  await Deno.remove(`${root}usr/lib/systemd`);
}

/** As a comment on the program, in the form of Debian's copyright files. */
function bundledParagraph(licenses: string): string {
  const lines = licenses.trimEnd().split("\n").map((line) =>
    line.trim() === "" ? " ." : ` ${line}`
  );
  return `\nFiles: usr/lib/bridgewall/bridgewall.js\nCopyright: 2026 the bridgewall authors, and others\n` +
    `License: Expat and ISC and BSD-3-clause\nComment:\n${lines.join("\n")}\n`;
}

/** The part that dpkg reads. */
async function describe(
  root: string,
  { version, architecture }: { readonly version: string; readonly architecture: string },
): Promise<void> {
  const listing = 'cd "$1" && find etc lib usr -type f | sort | xargs md5sum';
  const sums = await output("sh", ["-c", listing, "sh", root]);
  const size = (await output("du", ["--summarize", "--apparent-size", "--block-size=1024", root]))
    .split("\t")[0] ?? "";
  const control = (await Deno.readTextFile(`${DIST}debian/control`))
    .replace("@VERSION@", version).replace("@ARCHITECTURE@", architecture).replace("@SIZE@", size);
  const files = `${root}DEBIAN/`;
  await Deno.mkdir(files);
  await Deno.writeTextFile(`${files}control`, control);
  await Deno.writeTextFile(`${files}conffiles`, CONFIGURATION.map((path) => `${path}\n`).join(""));
  await Deno.writeTextFile(`${files}md5sums`, sums);
  for (const script of ["postinst", "prerm", "postrm"]) {
    await Deno.copyFile(`${DIST}debian/${script}`, files + script);
    await Deno.chmod(files + script, 0o755);
  }
}

/** Runs a program to its end, and gives what it printed. */
async function output(program: string, args: readonly string[]): Promise<string> {
  const env = { SOURCE_DATE_EPOCH: String(await sourceDate()), LC_ALL: "C" };
  const command = new Deno.Command(program, {
    args: [...args],
    cwd: PROJECT,
    env,
    stderr: "inherit",
  });
  const { success, stdout } = await command.output();
  if (!success) throw new Error(`${program} failed`);
  return new TextDecoder().decode(stdout);
}

if (import.meta.main) {
  const line = await checksumLine(DIST, await debianPackage(DIST, 9));
  await Deno.stdout.write(new TextEncoder().encode(line));
}
