/** The port of FreeBSD: what it builds and installs, and what its script does at boot. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { DEFAULT_CONFIGURATION, parseConfiguration } from "../../core/configuration.ts";
import { VERSION } from "../../core/version.ts";
import { checksumLine } from "../../dist/compile.ts";
import { binaryFlags, permissionFlags } from "../../dist/launch_flags.ts";
import { portArchive } from "../../dist/port.ts";
import { PROJECT } from "../hosts/bundle.ts";
import { hostTest } from "../hosts/requirements.ts";
import { mustRun, run } from "../hosts/run_program.ts";
import { BSD_PORT_MK, RC_SUBR, standInDeno, standInProgram } from "./port_stand_ins.ts";

const PORT = `${PROJECT}dist/freebsd/`;
const FILES = [
  ...["Makefile", "pkg-descr", "pkg-message", "pkg-plist", "files/bridgewall.in"],
  ...["files/bridgewall.conf.sample", "files/default.xml", "files/pf.conf"],
];

const read = (name: string): string => Deno.readTextFileSync(PORT + name);
const lines = (text: string): readonly string[] => text.trimEnd().split("\n");

function refuse(text: string, form: RegExp, name: string): void {
  assertEquals(form.exec(text)?.[0], undefined, name);
}

async function write(path: string, text: string): Promise<void> {
  await Deno.mkdir(path.replace(/[^/]*$/, ""), { recursive: true });
  await Deno.writeTextFile(path, text, { mode: 0o755 });
}

async function inDirectory(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = `${await Deno.makeTempDir({ prefix: "bridgewall-port-" })}/`;
  try {
    await body(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** The value of a variable of the Makefile. */
function variable(name: string): string {
  return new RegExp(`^${name}=\\t+(.*)$`, "m").exec(read("Makefile"))?.[1] ?? "";
}

/** The paths that pkg(8) knows of, below the prefix; directories end with a slash. */
function packed(): readonly string[] {
  return lines(read("pkg-plist")).map((line) => {
    const path = line.replace("%%PORTEXAMPLES%%", "").replace("%%ETCDIR%%", "etc/bridgewall")
      .replace("%%EXAMPLESDIR%%", "share/examples/bridgewall");
    return path.startsWith("@dir ") ? `${path.slice(5)}/` : path.replace("@sample ", "");
  });
}

hostTest({
  name: "the port builds offline from its one distfile, and the package lists what it installs",
  tools: ["bmake", "tar", "gzip"],
  body: () =>
    inDirectory(async (work) => {
      const name = await portArchive(work);
      await write(`${work}mk/bsd.port.mk`, BSD_PORT_MK);
      await write(`${work}mk/sys.mk`, "");
      await write(`${work}local/bin/deno`, standInDeno(`${work}arguments`));
      await mustRun(["bmake", "-m", `${work}mk`, "-C", PORT, `WORK=${work.slice(0, -1)}`, "stage"]);

      const source = `${work}work/${name.replace(".tar.gz", "")}/`;
      const [denoDirectory = "", ...told] = lines(Deno.readTextFileSync(`${work}arguments`));
      assertEquals(denoDirectory, `DENO_DIR=${work}work/deno`);
      assertEquals(told, [
        ...["compile", ...binaryFlags("freebsd")],
        ...["--output", `${source}bridgewall`, "bridgewall.js"],
      ]);
      for (const flag of permissionFlags("freebsd")) assert(told.includes(flag), flag);

      const root = `${work}stage/usr/local/`;
      const found = lines(
        await mustRun(["sh", "-c", `cd ${root} && find . -type f; find . -type d -empty`]),
      ).map((path) => path.slice(2) + (Deno.statSync(root + path).isDirectory ? "/" : ""));
      // What USE_RC_SUBR names is not in the list.
      assertEquals(found.toSorted(), [...packed(), "etc/rc.d/bridgewall"].toSorted());
      assertEquals(Deno.readTextFileSync(`${root}etc/rc.d/bridgewall`).includes("%%"), false);

      const version = [
        Deno.execPath(),
        "run",
        "--allow-all",
        `${source}bridgewall.js`,
        "--version",
      ];
      assertEquals(await mustRun(version), `bridgewall ${VERSION}\n`);
      const sum = await checksumLine(work, name);
      assertEquals(await checksumLine(work, await portArchive(work)), sum);
    }),
});

Deno.test("the port has the version of the program, and the form that the ports tree wants", () => {
  assertEquals(variable("DISTVERSION"), VERSION);
  assertMatch(variable("COMMENT"), /^[A-Z].{0,68}[^.]$/);
  refuse(variable("COMMENT"), /^(A|An|The) /, "COMMENT");
  const width = Math.max(...lines(read("pkg-descr")).map((line) => line.length));
  assert(width <= 80, `${width}`);
  for (const name of FILES) refuse(read(name), /[ \t]\n|[^\n]$|\n\n$/, name);
  for (const line of lines(read("Makefile"))) {
    refuse(line, /^ |^\w+[?+]?= |^\t+ /, line);
  }
});

Deno.test("the examples of the port are valid, and call the anchor that is the default", async () => {
  const sample = read("files/bridgewall.conf.sample");
  const all = sample.replaceAll(/^#(?=\w)/gm, "");
  for (const text of [sample, all]) {
    assertEquals(await parseConfiguration(text, "sample"), DEFAULT_CONFIGURATION);
  }
  assertEquals(lines(all).filter((line) => /^\w/.test(line)).length, 3);
  for (const name of ["files/pf.conf", "pkg-message"]) {
    const found = lines(read(name)).filter((line) => /^(nat-|rdr-)?anchor /.test(line));
    const wanted = ["nat-anchor", "rdr-anchor", "anchor"];
    assertEquals(found, wanted.map((word) => `${word} "${DEFAULT_CONFIGURATION.anchor}/*"`), name);
  }
  const plan = ["plan", "--platform", "freebsd", "--default-interface", "em0"];
  const argv = [Deno.execPath(), "run", "--allow-all", `${PROJECT}main.ts`, ...plan];
  assertMatch(
    await mustRun([...argv, `${PORT}files/default.xml`]),
    /^# pfctl -a bridgewall\/default /,
  );
});

/** What the script calls the program with, for each action; and the status of the last action. */
async function service(
  directory: string,
  setting: string,
  actions: readonly string[],
  status = 0,
): Promise<readonly [called: string, code: number]> {
  const record = `${directory}record`;
  await write(`${directory}sbin/bridgewall`, standInProgram(record));
  await write(`${directory}rc.subr`, RC_SUBR);
  await write(`${directory}rc.conf`, setting);
  await write(record, "");
  const text = read("files/bridgewall.in").replaceAll("%%PREFIX%%", directory.slice(0, -1));
  assert(text.includes("\n. /etc/rc.subr\n"));
  await write(`${directory}script`, text.replace("/etc/rc.subr", `${directory}rc.subr`));
  await mustRun(["sh", "-n", `${directory}script`]);
  let code = 0;
  const environment = { RC_CONF: `${directory}rc.conf`, STATUS: `${status}` };
  for (const action of actions) {
    ({ code } = await run([`${directory}script`, action], { environment }));
  }
  return [Deno.readTextFileSync(record).trimEnd(), code];
}

Deno.test("the service does what it is told, where it is enabled", () =>
  inDirectory(async (directory) => {
    const enabled = 'bridgewall_enable="YES"\n';
    const commands = {
      start: "up --all",
      stop: "down --all",
      restart: "down --all\nup --all",
      reload: "up --all",
      status: "status",
      check: "check",
    };
    for (const [action, called] of Object.entries(commands)) {
      assertEquals(await service(directory, enabled, [action]), [called, 0], action);
    }
    assertEquals(await service(directory, enabled, ["start"], 4), ["up --all", 1]);
    assertEquals(await service(directory, enabled, ["poll"]), ["", 1]);
  }));

Deno.test("the service changes nothing where it is not enabled, which it is not by itself", () =>
  inDirectory(async (directory) => {
    const changing = ["start", "stop", "restart", "reload"];
    for (const setting of ["", 'bridgewall_enable="NO"\n']) {
      assertEquals(await service(directory, setting, changing), ["", 0], setting);
      assertEquals(await service(directory, setting, ["status"]), ["status", 0], setting);
      assertEquals(await service(directory, setting, ["onestart"]), ["up --all", 0], setting);
    }
  }));

Deno.test("at boot the service comes after pf and the default route, and before jails and virtual machines", () => {
  const order = lines(read("files/bridgewall.in")).filter((line) => /^# [A-Z]+: /.test(line));
  assertEquals(order, [
    ...["# PROVIDE: bridgewall", "# REQUIRE: NETWORKING ldconfig pf", "# BEFORE: LOGIN"],
    "# KEYWORD: nojailvnet",
  ]);
});
