/**
 * `deno task smoke`: boots a virtual machine with a kernel of its own and the program as it is packaged, and
 * prints what holds in it for real packets (`init.sh`). Exit status 0 only when the machine itself came to
 * its closing line, with nothing failed; 1 when not; 3 where a program or the kernel cannot be had.
 *
 * `SMOKE_IMAGE=FILE` boots a disk image instead, of FreeBSD or any other system for this processor; nothing
 * is written to it. Its second disk is a tar of the sources as committed, with `dist/bridgewall.js` and what
 * starts it on Linux and on FreeBSD, `dist/bridgewall` and `dist/bridgewall-freebsd`. By itself the image must,
 * when it has booted: unpack that disk (`tar xf /dev/vtbd1`), run there what claims, as root with its output
 * on the first serial port (`BRIDGEWALL=$PWD/dist/bridgewall-freebsd sh dist/freebsd/smoke.sh`; it needs a
 * Deno), and power off. What it prints has to end with the same closing line.
 */
import { bundle, PROJECT } from "../../dist/bundle.ts";
import { wrapperText } from "../../dist/wrapper.ts";
import { mustRun, run } from "../hosts/run_program.ts";
import { type Ended, isOfScript, linesOf, problemOf } from "./console.ts";
import { findProgram, makeInitramfs, PROGRAMS } from "./initramfs.ts";
import { fetchKernel } from "./kernel.ts";

/** What boots the machine. */
export const QEMU = "qemu-system-x86_64";

/** Packages of the programs that are not named like their packages. */
const PACKAGES: Readonly<Record<string, string>> = {
  [QEMU]: "qemu-system-x86",
  busybox: "busybox-static",
  modprobe: "kmod",
  depmod: "kmod",
  nft: "nftables",
  ip: "iproute2",
  tc: "iproute2",
  sysctl: "procps",
  ps: "procps",
  sh: "dash",
  "dpkg-deb": "dpkg",
  "apt-get": "apt",
};

/** How the machine is run, and how long it may take. */
interface Accelerator {
  readonly args: readonly string[];
  readonly minutes: number;
}

async function say(line: string): Promise<void> {
  await Deno.stdout.write(new TextEncoder().encode(`${line}\n`));
}

/** Says why nothing was run; returns the exit status for it, that of `deno task compile`. */
async function skip(problem: string): Promise<number> {
  await say(`smoke: skipped: ${problem}`);
  return 3;
}

/** What to install; empty: everything is there. */
function missingPackages(image: string | undefined): readonly string[] {
  const ours = ["cpio", "depmod", "dpkg-deb", "apt-get", ...PROGRAMS];
  const missing = [QEMU, ...(image === undefined ? ours : [])]
    .filter((name) => findProgram(name) === undefined)
    .map((name) => PACKAGES[name] ?? name.replace(/^ip6?tables.*/, "iptables"));
  return [...new Set(missing)];
}

/**
 * /dev/kvm may be there and be of no use: qemu itself is asked. Where the processor does not virtualise, what
 * stands behind it (PVM) boots only kernels made for it.
 */
async function findAccelerator(): Promise<Accelerator> {
  const virtualises = /^flags\b.* (?:vmx|svm)\b/m.test(await Deno.readTextFile("/proc/cpuinfo"));
  const machine = ["-accel", "kvm", "-cpu", "host", "-S", "-display", "none", "-monitor", "stdio"];
  return virtualises && (await run([QEMU, ...machine], { stdin: "quit\n" })).code === 0
    ? { args: ["-accel", "kvm", "-cpu", "host"], minutes: 2 }
    : { args: ["-accel", "tcg", "-cpu", "max"], minutes: 10 };
}

/** What the machine is made of, made in the directory; undefined: there is no kernel. */
async function ourMachine(directory: string): Promise<readonly string[] | undefined> {
  await Deno.mkdir(`${directory}/kernel`);
  await Deno.mkdir(`${directory}/root`);
  const kernel = await fetchKernel(`${directory}/kernel`);
  if (kernel === undefined) return undefined;
  await makeInitramfs(`${directory}/root`, kernel, `${directory}/initramfs`);
  await say(`# booting ${kernel.release}`);
  const line = "console=ttyS0 quiet panic=-1";
  return ["-kernel", kernel.image, "-initrd", `${directory}/initramfs`, "-append", line];
}

async function imageMachine(directory: string, image: string): Promise<readonly string[]> {
  const tar = `${directory}/source.tar`;
  await Deno.mkdir(`${directory}/dist`);
  const names = [...await bundle(`${directory}/dist/`), "bridgewall-freebsd"];
  const options = { mode: 0o755 };
  await Deno.writeTextFile(`${directory}/dist/bridgewall-freebsd`, wrapperText("freebsd"), options);
  await mustRun(["git", "-C", PROJECT, "archive", "--output", tar, "HEAD"]);
  const files = names.map((name) => `dist/${name}`);
  await mustRun(["tar", "--append", "--file", tar, "--directory", directory, ...files]);
  await say(`# booting ${image}`);
  return [
    ...["-drive", `file=${image.replaceAll(",", ",,")},if=virtio,snapshot=on`],
    ...["-drive", `file=${tar},if=virtio,format=raw,readonly=on`],
  ];
}

/** Boots it and prints what is meant for us, while it comes. */
async function boot(machine: readonly string[], { args, minutes }: Accelerator): Promise<Ended> {
  const common = ["-nographic", "-no-reboot", "-m", "1024", "-smp", "2", "-nic", "none"];
  const child = new Deno.Command(QEMU, {
    args: [...args, ...common, ...machine],
    stdin: "null",
    stdout: "piped",
  }).spawn();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill("SIGKILL");
  }, minutes * 60_000);
  // Who ends the task ends the machine, and what was made for it is removed as always.
  const end = (): void => child.kill("SIGKILL");
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, end);
  let text = "";
  let printed = 0;
  for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
    text += part;
    const lines = linesOf(text).slice(0, -1);
    for (const line of lines.slice(printed)) if (isOfScript(line)) await say(line);
    printed = lines.length;
  }
  const { code } = await child.status;
  clearTimeout(timer);
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.removeSignalListener(signal, end);
  return { text, code, late };
}

/** Runs it all; returns the exit status. */
async function smoke(directory: string): Promise<number> {
  const image = Deno.env.get("SMOKE_IMAGE") || undefined;
  const missing = missingPackages(image);
  if (missing.length > 0) return await skip(`as root: apt-get install ${missing.join(" ")}`);
  const accelerator = await findAccelerator();
  const machine = image === undefined
    ? await ourMachine(directory)
    : await imageMachine(directory, image);
  if (machine === undefined) {
    return await skip("apt-get cannot download linux-image-cloud-amd64 (apt-get update)");
  }
  const ended = await boot(machine, accelerator);
  const problem = problemOf(ended);
  if (problem === undefined) {
    await say(`smoke: passed, in a machine with ${image ?? "a kernel of its own"}`);
    return 0;
  }
  // Where the kernel ends it tells much, but what the script said before tells why.
  const spoken = linesOf(ended.text).filter((line) => line !== "" && !line.startsWith("["));
  await say(spoken.slice(-15).map((line) => `# console: ${line}`).join("\n"));
  await say(`smoke: FAILED: ${problem}`);
  return 1;
}

if (import.meta.main) {
  const directory = await Deno.makeTempDir({ prefix: "bridgewall-smoke-" });
  let status = 1;
  try {
    status = await smoke(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
  Deno.exit(status);
}
