import { assertEquals, assertStringIncludes } from "@std/assert";
import { detectNftables } from "../../../backends/nftables/detect.ts";
import type { CommandResult } from "../../../core/command.ts";
import type { Detection } from "../../../core/firewall_backend.ts";
import type { Host } from "../../../core/host.ts";
import { emptyWorld, startProcess } from "../../support/model_host.ts";
import { scriptedRunner } from "../../support/scripted_runner.ts";

const { host: MODEL } = startProcess(emptyWorld(), {}).context;

interface Asked {
  readonly detection: Detection;
  readonly ran: readonly string[];
}

async function ask(
  host: Partial<Host>,
  version: Partial<CommandResult> = { stdout: "nftables v1.0.6 (Lester Gooch #5)\n" },
  tables: Partial<CommandResult> = {},
): Promise<Asked> {
  const runner = scriptedRunner(({ args }) => args[0] === "--version" ? version : tables);
  const detection = await detectNftables({
    ...MODEL,
    kernel: "6.1.0-18-amd64",
    ...host,
    run: runner.run,
  });
  return { detection, ran: runner.ran };
}

Deno.test("root learns that nft, the kernel and its tables are there", async () => {
  const { detection, ran } = await ask({ privileged: true });
  assertEquals(detection.usable, true);
  assertStringIncludes(detection.evidence, "nft 1.0.6, kernel 6.1.0");
  assertStringIncludes(detection.evidence, "lists its tables");
  assertEquals(ran, ["nft --version", "nft list tables inet"]);
});

Deno.test("an ordinary user learns the versions, and that only root is told more", async () => {
  const { detection, ran } = await ask({ privileged: false });
  assertEquals(detection.usable, true);
  assertStringIncludes(detection.evidence, "nft 1.0.6, kernel 6.1.0");
  assertStringIncludes(detection.evidence, "the kernel answers only root");
  assertEquals(ran, ["nft --version"]);
});

Deno.test("a host without nft is told what to install", async () => {
  const { detection } = await ask({}, { status: 127 });
  assertEquals(detection, {
    usable: false,
    evidence: "nft is not installed",
    hint: "Install the package nftables",
  });
});

Deno.test("FreeBSD and others have no nftables, and are asked nothing", async () => {
  for (const platform of ["freebsd", "other"] as const) {
    const { detection, ran } = await ask({ platform });
    assertEquals([detection.usable, ran.length], [false, 0]);
    assertEquals(detection.evidence, "nftables is part of Linux");
  }
});

/** nft's version and the kernel's release: what is too old; empty: nothing. */
const VERSIONS: readonly (readonly [string, string, string])[] = [
  ["nftables v1.0.2 (Lester Gooch)", "5.15.0", ""],
  ["nftables v1.1.0 (x)", "5.15.0-generic", ""],
  ["nftables v1.0.10 (x)", "6.1.0", ""],
  ["nftables v2.0", "10.0.0", ""],
  ["nftables v1.0.1 (x)", "6.1.0", "nft 1.0.1 is older than 1.0.2"],
  ["nftables v0.9.8 (E.D.S.)", "6.1.0", "nft 0.9.8 is older than 1.0.2"],
  ["nftables v1.0.6 (x)", "5.14.21-150500", "kernel 5.14.21 is older than 5.15"],
  ["nftables v1.0.6 (x)", "4.19.0", "kernel 4.19.0 is older than 5.15"],
  [
    "nftables v0.9.3 (x)",
    "5.4.0",
    "nft 0.9.3 is older than 1.0.2; kernel 5.4.0 is older than 5.15",
  ],
];

for (const [stdout, kernel, problem] of VERSIONS) {
  const verdict = problem === "" ? "can be used" : "is too old";
  Deno.test(`${stdout} on kernel ${kernel} ${verdict}`, async () => {
    const { detection } = await ask({ kernel }, { stdout });
    assertEquals(detection.usable, problem === "");
    if (problem !== "") assertEquals(detection.evidence, problem);
  });
}

Deno.test("an nft that does not tell its version cannot be used", async () => {
  const silent = await ask({}, { status: 1, stderr: "Segmentation fault\nmore\n" });
  assertEquals(silent.detection, {
    usable: false,
    evidence: "nft does not tell its version: Segmentation fault",
  });
  assertEquals((await ask({}, { stdout: "hello\n" })).detection.usable, false);
  assertEquals((await ask({}, { status: 126 })).detection.usable, false);
});

Deno.test("a kernel that refuses to answer is told of with its reason", async () => {
  const { detection } = await ask({}, undefined, {
    status: 1,
    stderr: "Error: cache initialization failed: Operation not permitted\n",
  });
  assertEquals(detection.usable, false);
  assertStringIncludes(detection.evidence, "Operation not permitted");
});
