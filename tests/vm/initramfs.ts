/** The root of the machine: the program as it is packaged, and the programs that it runs. */
import { fromFileUrl } from "@std/path";
import { layOut } from "../../dist/archive.ts";
import { mustRun, run } from "../hosts/run_program.ts";
import type { Kernel } from "./kernel.ts";

const INIT = fromFileUrl(new URL("init.sh", import.meta.url));
const DIRECTORIES = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/** What runs in the machine, from this one. The shell of busybox would run its own `ip` before any other. */
export const PROGRAMS: readonly string[] = [
  ...["nft", "iptables", "ip", "tc", "sysctl", "conntrack", "ps", "modprobe", "sh", "busybox"],
  ...["", "-nft", "-legacy"].flatMap((variant) =>
    ["iptables", "ip6tables"].flatMap((name) =>
      ["save", "restore"].map((end) => `${name}${variant}-${end}`)
    )
  ),
];

/** What busybox is called as. */
const APPLETS = [
  ...["mount", "uname", "ping", "nc", "setsid", "env", "readlink", "cat", "chmod", "diff"],
  ...["grep", "sed", "sleep", "reboot"],
];

/** Modules that networks may need; the kernel loads them by itself. */
const MODULES = ["kernel/net", "kernel/lib", "kernel/crypto", "kernel/arch"];
const DRIVERS = ["veth", "dummy"];

/** Where the program is; undefined: nowhere. */
export function findProgram(name: string): string | undefined {
  return DIRECTORIES.map((directory) => `${directory}/${name}`).find(isThere);
}

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** Fills the directory and packs it as a file that the kernel unpacks: not compressed, which is faster. */
export async function makeInitramfs(root: string, kernel: Kernel, file: string): Promise<void> {
  for (const name of ["dev", "proc", "root", "run", "sys", "tmp", "etc", "var/cache", "var/lib"]) {
    await Deno.mkdir(`${root}/${name}`, { recursive: true });
  }
  await Deno.mkdir(`${root}/usr`);
  for (const name of ["bin", "sbin", "lib", "lib64"]) {
    await Deno.mkdir(`${root}/usr/${name}`);
    await Deno.symlink(`usr/${name}`, `${root}/${name}`);
  }
  await layOut(`${root}/usr/`);
  await Deno.copyFile(INIT, `${root}/init`);
  await Deno.chmod(`${root}/init`, 0o755);
  await copyLibraries(root, `${root}/usr/lib/bridgewall/deno`);
  for (const name of PROGRAMS) await copyProgram(root, name);
  for (const name of APPLETS) await Deno.symlink("busybox", `${root}/usr/bin/${name}`);
  await copyPlugins(root);
  await copyModules(root, kernel);
  const pack = 'cd "$1" && find . | cpio --quiet --create --format=newc --owner=0:0 > "$2"';
  await mustRun(["sh", "-c", pack, "sh", root, file]);
}

/** With the link through which it is called: iptables does what its name says. */
async function copyProgram(root: string, name: string): Promise<void> {
  const path = findProgram(name);
  if (path === undefined) throw new Error(`there is no ${name}`);
  const real = await copyFile(root, path);
  const called = `${root}/usr${path.replace(/^\/usr/, "")}`;
  if (called !== real) await Deno.symlink(real.slice(root.length), called);
  await copyLibraries(root, real);
}

/** Returns where the copy is. Whatever stands in /lib or /bin here stands below /usr there. */
async function copyFile(root: string, path: string): Promise<string> {
  const real = await Deno.realPath(path);
  const copy = `${root}/usr${real.replace(/^\/usr/, "")}`;
  await Deno.mkdir(copy.replace(/\/[^/]*$/, ""), { recursive: true });
  await Deno.copyFile(real, copy);
  return copy;
}

/** Each by the name under which it is looked for. A program that is static has none. */
async function copyLibraries(root: string, program: string): Promise<void> {
  const { stdout } = await run(["ldd", program]);
  for (const [, path = ""] of stdout.matchAll(/(\/\S+) \(0x/g)) {
    const copy = `${root}/usr${path.replace(/^\/usr/, "")}`;
    await Deno.mkdir(copy.replace(/\/[^/]*$/, ""), { recursive: true });
    await Deno.copyFile(path, copy);
  }
}

/** What iptables loads when a rule asks for it. */
async function copyPlugins(root: string): Promise<void> {
  const { stdout } = await run(["sh", "-c", "ls -d /usr/lib/*/xtables /usr/lib/xtables"]);
  for (const directory of stdout.split("\n").filter((line) => line !== "")) {
    await mustRun(["cp", "--archive", "--parents", directory, root]);
  }
}

async function copyModules(root: string, { release, modules }: Kernel): Promise<void> {
  const there = `${root}/usr/lib/modules/${release}`;
  await Deno.mkdir(`${there}/kernel/drivers/net`, { recursive: true });
  for (const name of MODULES) {
    await mustRun(["cp", "--recursive", `${modules}/${name}`, `${there}/${name}`]);
  }
  for (const name of DRIVERS) {
    await mustRun([
      "sh",
      "-c",
      'cp "$1".ko* "$2"',
      "sh",
      `${modules}/kernel/drivers/net/${name}`,
      `${there}/kernel/drivers/net`,
    ]);
  }
  for (const { name } of Deno.readDirSync(modules)) {
    if (name.startsWith("modules.")) await Deno.copyFile(`${modules}/${name}`, `${there}/${name}`);
  }
}
