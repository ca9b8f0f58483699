/**
 * What `deno task test` runs: installs the programs that tests need (Debian and Ubuntu, as root),
 * runs the pure tests without permissions and then the rest, and ends with a table of what the host
 * tests showed for each backend and one line that counts.
 *
 *     deno task test [--no-install] [tests/PATH...] [--filter NAME] [more arguments of deno test]
 */
import { fromFileUrl } from "@std/path";
import { BACKENDS } from "./hosts/backends.ts";
import { resultsTable } from "./hosts/results_table.ts";

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
  python3: "python3",
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

/** Run with no permission but reading the examples: Deno itself proves that these are pure. */
const PURE = ["tests/core", "tests/backends"];

/** How many tests ended how. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/**
 * The counts of a `deno test` that ended with this exit code. One that died before its closing line
 * counts as one failure, as does one that failed without naming a failed test.
 */
export function readCounts(output: string, exitCode: number): Counts {
  const closing = /^(?:ok|FAILED) \| (\d+) passed.*? \| (\d+) failed(.*)$/gm;
  const last = [...output.matchAll(closing)].at(-1);
  const [passed, failed] = [Number(last?.[1] ?? 0), Number(last?.[2] ?? 0)];
  const skipped = Number(last?.[3]?.match(/(\d+) ignored/)?.[1] ?? 0);
  return { passed, failed: exitCode === 0 ? failed : Math.max(1, failed), skipped };
}

/** `7 passed, 0 failed`, with the skipped ones when there are any. */
export function closingLine({ passed, failed, skipped }: Counts): string {
  const counted = `${passed} passed, ${failed} failed`;
  return skipped === 0 ? counted : `${counted}, ${skipped} skipped`;
}

async function say(line: string): Promise<void> {
  await Deno.stdout.write(new TextEncoder().encode(`${line}\n`));
}

async function succeeds(program: string, args: readonly string[]): Promise<boolean> {
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
async function provideRequirements(): Promise<void> {
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

/** The test files at the path; none when it does not exist. */
function testFiles(path: string): readonly string[] {
  try {
    return [...Deno.readDirSync(path)].flatMap(({ name, isDirectory }) => {
      if (isDirectory) return testFiles(`${path}/${name}`);
      return name.endsWith("_test.ts") ? [`${path}/${name}`] : [];
    }).sort();
  } catch {
    return [];
  }
}

/** A `deno test` that ended. */
interface Ended {
  readonly output: string;
  readonly counts: Counts;
}

/** Runs one group of tests, shows its output as it comes, and counts. */
async function runTests(
  permissions: readonly string[],
  files: readonly string[],
  extra: readonly string[],
): Promise<Ended> {
  if (files.length === 0) return { output: "", counts: { passed: 0, failed: 0, skipped: 0 } };
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "--no-prompt", ...permissions, ...extra, ...files],
    env: { NO_COLOR: "1" },
    stdout: "piped",
  }).spawn();
  const text = new TextDecoder();
  let output = "";
  for await (const piece of child.stdout) {
    await Deno.stdout.write(piece);
    output += text.decode(piece, { stream: true });
  }
  return { output, counts: readCounts(output, (await child.status).code) };
}

async function main(): Promise<void> {
  Deno.chdir(fromFileUrl(new URL("..", import.meta.url)));
  const paths = Deno.args.filter((argument) => argument.startsWith("tests/"));
  const extra = Deno.args.filter((argument) =>
    argument !== "--no-install" && !paths.includes(argument)
  );
  const isWanted = (file: string): boolean =>
    paths.length === 0 || paths.some((path) => file.startsWith(path));
  if (!Deno.args.includes("--no-install")) await provideRequirements();
  const pure = PURE.flatMap(testFiles);
  const rest = testFiles("tests").filter((file) => !pure.includes(file));
  const groups = [
    await runTests(["--allow-read=tests/networks"], pure.filter(isWanted), extra),
    await runTests(["--allow-all"], rest.filter(isWanted), extra),
  ];
  const total = groups.map(({ counts }) => counts).reduce((sum, { passed, failed, skipped }) => ({
    passed: sum.passed + passed,
    failed: sum.failed + failed,
    skipped: sum.skipped + skipped,
  }));
  const output = groups.map((group) => group.output).join("");
  const table = resultsTable(output, BACKENDS.map(({ name }) => name));
  await say(["", ...table, ...(table.length === 0 ? [] : [""]), closingLine(total)].join("\n"));
  Deno.exit(total.failed === 0 ? 0 : 1);
}

if (import.meta.main) await main();
