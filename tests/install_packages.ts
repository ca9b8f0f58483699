/** The programs that tests need, as packages of Debian and Ubuntu. */

/** Debian's packages, and the program that tells whether each is there. */
const PACKAGES: Readonly<Record<string, string>> = {
  nftables: "nft",
  iptables: "iptables",
  iproute2: "ip",
  conntrack: "conntrack",
  "dnsmasq-base": "dnsmasq",
  udhcpc: "udhcpc",
  "iputils-ping": "ping",
  socat: "socat",
  strace: "strace",
  procps: "sysctl",
  "util-linux": "setpriv",
  mount: "mount",
  dbus: "dbus-daemon",
  firewalld: "firewalld",
  systemd: "busctl",
  "qemu-system-x86": "qemu-system-x86_64",
  "busybox-static": "busybox",
  cpio: "cpio",
  kmod: "modprobe",
  python3: "python3",
  lintian: "lintian",
  "libvirt-daemon-system": "libvirtd",
  "libvirt-clients": "virsh",
  bmake: "bmake",
  "groff-base": "groff",
  "man-db": "man",
  zsh: "zsh",
  fish: "fish",
};

/**
 * apt-get, with nothing started by it: firewalld would take over the machine's own firewall. A machine
 * that says itself what may start is left to it (policy-rc.d, in Debian's invoke-rc.d(8)).
 */
const APT_GET = `policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  trap 'rm -f $policy' EXIT
  trap 'exit 1' HUP INT TERM
  printf '#!/bin/sh\nexit 101\n' > $policy
  chmod 755 $policy
fi
apt-get "$@"
`;

/** A line of standard output. */
export async function say(line: string): Promise<void> {
  await Deno.stdout.write(new TextEncoder().encode(`${line}\n`));
}

/** Runs a program with our own input and output; false also where there is none. */
export async function succeeds(program: string, args: readonly string[]): Promise<boolean> {
  try {
    const env = { DEBIAN_FRONTEND: "noninteractive" };
    return (await new Deno.Command(program, { args: [...args], env }).spawn().status).success;
  } catch {
    return false;
  }
}

/** The packages whose program is nowhere to be found. */
function missingPackages(): readonly string[] {
  const path = `${Deno.env.get("PATH") ?? ""}:/usr/sbin:/sbin`.split(":");
  return Object.entries(PACKAGES)
    .filter(([, program]) => !path.some((directory) => isThere(`${directory}/${program}`)))
    .map(([name]) => name);
}

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** Installs what is missing, or says what to install; tests without their program tell on their own. */
export async function installPackages(): Promise<void> {
  const missing = missingPackages();
  if (missing.length === 0) return;
  const aptGet = (...args: readonly string[]): Promise<boolean> =>
    succeeds("sh", ["-c", APT_GET, "sh", ...args]);
  const install = ["install", "--yes", "--no-install-recommends", ...missing];
  if (Deno.uid() !== 0 || !isThere("/usr/bin/apt-get")) {
    return await say(`to run every test, as root: apt-get install ${missing.join(" ")}`);
  }
  await say(`installing ${missing.join(", ")} (--no-install skips this)`);
  let installed = await aptGet(...install);
  if (!installed) {
    // A fresh image has no package lists, an old one has outdated ones: fetched only when needed.
    await say("fetching the package lists");
    installed = await aptGet("update") && await aptGet(...install);
  }
  if (!installed) await say("the packages could not be installed; tests that need them say so");
  // Nor is it started by the next boot: nobody but the tests asked for it.
  else if (missing.includes("firewalld")) await succeeds("systemctl", ["disable", "firewalld"]);
}
