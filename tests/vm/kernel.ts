/** Debian's kernel, from its package, which is never installed: nothing of this machine's boot changes. */
import { mustRun, run } from "../hosts/run_program.ts";

/** A kernel that can be booted. */
export interface Kernel {
  /** What `uname -r` says in it. */
  readonly release: string;
  /** The file that is booted. */
  readonly image: string;
  /** The directory of its modules, with what depmod(8) writes. */
  readonly modules: string;
}

/** The one for virtual machines is half as large. */
const METAPACKAGES = ["linux-image-cloud-amd64", "linux-image-amd64"];

/** The versioned package that the distribution has now; undefined: none is known. */
async function packageName(): Promise<string | undefined> {
  for (const metapackage of METAPACKAGES) {
    const { stdout } = await run(["apt-cache", "depends", metapackage]);
    const name = /Depends: (linux-image-\d\S*)/.exec(stdout)?.[1];
    if (name !== undefined) return name;
  }
  return undefined;
}

/** Downloads the package into the directory; returns its name. */
async function download(directory: string): Promise<string | undefined> {
  const name = await packageName();
  if (name === undefined) return undefined;
  // apt-get downloads into its working directory.
  const script = 'cd "$1" && apt-get download "$2"';
  const { code } = await run(["sh", "-c", script, "sh", directory, name], { timeout: 300_000 });
  return code === 0 ? name : undefined;
}

/** A mirror no longer has what an old list of packages names. */
async function downloadAnyway(directory: string): Promise<string | undefined> {
  const name = await download(directory);
  if (name !== undefined || Deno.uid() !== 0) return name;
  const update = ["apt-get", "-o", "DPkg::Lock::Timeout=300", "update"];
  const { code } = await run(update, { timeout: 300_000 });
  return code === 0 ? await download(directory) : undefined;
}

/** Fetches and unpacks it into the directory, which is empty; undefined: it cannot be had. */
export async function fetchKernel(directory: string): Promise<Kernel | undefined> {
  const name = await downloadAnyway(directory);
  if (name === undefined) return undefined;
  const release = name.replace("linux-image-", "");
  const file = [...Deno.readDirSync(directory)].find((entry) => entry.name.endsWith(".deb"));
  await mustRun(["dpkg-deb", "--extract", `${directory}/${file?.name}`, directory]);
  // Debian does it when the package is installed.
  const environment = { PATH: `${Deno.env.get("PATH")}:/usr/sbin:/sbin` };
  await mustRun(["depmod", "--basedir", directory, release], { environment });
  return {
    release,
    image: `${directory}/boot/vmlinuz-${release}`,
    modules: `${directory}/lib/modules/${release}`,
  };
}
