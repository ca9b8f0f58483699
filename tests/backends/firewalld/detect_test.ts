import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { STATE_QUESTION, ZONES_QUESTION } from "../../../backends/firewalld/bus.ts";
import { detectFirewalld, refuseSilence } from "../../../backends/firewalld/detect.ts";
import type { CommandResult } from "../../../core/command.ts";
import { type Detection, NoBackendError } from "../../../core/firewall_backend.ts";
import type { Host } from "../../../core/host.ts";
import { emptyWorld, startProcess } from "../../support/model_host.ts";
import { scriptedRunner } from "../../support/scripted_runner.ts";
import { answersOf } from "./answers.ts";

const { host: MODEL } = startProcess(emptyWorld(), {}).context;

interface Asked {
  readonly detection: Detection;
  readonly ran: readonly string[];
}

function property(value: string): Partial<CommandResult> {
  return { stdout: `${JSON.stringify({ type: "s", data: value })}\n` };
}

async function ask(
  state: Partial<CommandResult>,
  version: Partial<CommandResult> = property("1.3.3"),
  host: Partial<Host> = {},
): Promise<Asked> {
  const runner = scriptedRunner(({ args }) => args.at(-1) === "state" ? state : version);
  const detection = await detectFirewalld({ ...MODEL, ...host, run: runner.run });
  return { detection, ran: runner.ran };
}

const RUNNING = property("RUNNING");

Deno.test("a firewalld that runs can be used, and tells its version", async () => {
  const { detection, ran } = await ask(RUNNING);
  assertEquals(detection, { usable: true, evidence: "firewalld 1.3.3 is running" });
  assertEquals(ran.length, 2);
  // A firewalld that an administrator stopped stays so.
  for (const line of ran) assertStringIncludes(line, "--auto-start=no");
});

const NAME = "org.fedoraproject.FirewallD1";

/** How busctl and the buses say it. */
const ABSENCES: readonly string[] = [
  `Failed to get property state on interface ${NAME}: ` +
  `The name ${NAME} was not provided by any .service files`,
  `Call failed: Name "${NAME}" does not exist`,
  "Failed to connect to bus: No such file or directory",
  "Failed to connect to system scope bus via local transport: No such file or directory",
  `Failed to get property state on interface ${NAME}: Destination does not exist`,
];

for (const stderr of ABSENCES) {
  Deno.test(`a host where nobody answers is told to start firewalld: ${stderr}`, async () => {
    const { detection } = await ask({ status: 1, stderr: `${stderr}\n` });
    assertEquals(detection, { usable: false, evidence: "firewalld is not running" });
  });
}

Deno.test("a firewalld that left its configuration aside is not used", async () => {
  const { detection } = await ask(property("FAILED"));
  assertEquals(detection, {
    usable: false,
    evidence: "firewalld is in the state FAILED: its configuration is not in use",
    hint: "See `firewall-cmd --check-config` and the log of firewalld",
  });
  assertEquals((await ask({ stdout: "no JSON" })).detection.usable, false);
});

const VERSIONS: readonly (readonly [string, boolean])[] = [
  ["1.3.0", true],
  ["1.10.0", true],
  ["2.0.1", true],
  ["2.3", true],
  ["10.0", true],
  ["1.2.9", false],
  ["1.0.0", false],
  ["0.9.11", false],
  ["", false],
  ["unknown", false],
];

for (const [version, usable] of VERSIONS) {
  Deno.test(`firewalld ${JSON.stringify(version)} ${usable ? "can be used" : "is too old"}`, async () => {
    const { detection } = await ask(RUNNING, property(version));
    assertEquals(detection.usable, usable);
    if (!usable) assertStringIncludes(detection.evidence, "1.3 is the oldest that works");
  });
}

Deno.test("a host without busctl is told what to install", async () => {
  const { detection } = await ask({ status: 127, stderr: "busctl: not found" });
  assertEquals(detection, {
    usable: false,
    evidence: "busctl (systemd), which speaks with firewalld, is not installed",
  });
  assertEquals((await ask({ status: 126 })).detection, {
    usable: false,
    evidence: "the program busctl may not be run",
  });
});

Deno.test("another failure is told in its own words, without what could fool a terminal", async () => {
  const { detection } = await ask({ status: 1, stderr: "Access \x1b[31mdenied\nmore\n" });
  assertEquals(detection, {
    usable: false,
    evidence: "Access \\u{1b}[31mdenied",
  });
});

Deno.test("FreeBSD and others have no firewalld, and are asked nothing", async () => {
  for (const platform of ["freebsd", "other"] as const) {
    const { detection, ran } = await ask(RUNNING, RUNNING, { platform });
    assertEquals([detection.usable, ran.length], [false, 0]);
    assertStringIncludes(detection.evidence, "firewalld is a firewall of Linux");
  }
});

Deno.test("a question without an answer is no no, one that nobody asked is none", () => {
  const silent = answersOf({
    instead: [["getZones", { status: 1, stderr: "Call failed: Connection timed out\n" }]],
  });
  const error = assertThrows(
    () => refuseSilence([STATE_QUESTION, ZONES_QUESTION], silent),
    NoBackendError,
  );
  assertEquals(
    error.message,
    "Cannot use firewalld: it does not answer (Call failed: Connection timed out)",
  );
  refuseSilence([STATE_QUESTION, ZONES_QUESTION], answersOf());
  refuseSilence([STATE_QUESTION, ZONES_QUESTION], { to: () => undefined });
});
