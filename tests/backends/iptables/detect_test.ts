import { assertEquals, assertStringIncludes } from "@std/assert";
import { detectIptables } from "../../../backends/iptables/detect.ts";
import type { CommandResult, Program } from "../../../core/command.ts";
import type { Detection } from "../../../core/firewall_backend.ts";
import type { Host } from "../../../core/host.ts";
import { emptyWorld, startProcess } from "../../support/model_host.ts";
import { scriptedRunner } from "../../support/scripted_runner.ts";

const { host: MODEL } = startProcess(emptyWorld(), {}).context;

interface Asked {
  readonly detection: Detection;
  readonly ran: readonly string[];
}

type Answers = Partial<Record<Program, Partial<CommandResult>>>;

const NFT: Answers = { iptables: { stdout: "iptables v1.8.9 (nf_tables)\n" } };
const LEGACY: Answers = { iptables: { stdout: "iptables v1.8.9 (legacy)\n" } };

async function ask(answers: Answers, host: Partial<Host> = {}): Promise<Asked> {
  const runner = scriptedRunner(({ program }) => answers[program] ?? {});
  const detection = await detectIptables({ ...MODEL, ...host, run: runner.run });
  return { detection, ran: runner.ran };
}

Deno.test("root learns which iptables there is, and that it lists its tables", async () => {
  for (const [variant, answers] of [["nft", NFT], ["legacy", LEGACY]] as const) {
    const { detection, ran } = await ask(answers);
    assertEquals(detection, {
      usable: true,
      evidence: `iptables-${variant} 1.8.9 lists its tables`,
    });
    assertEquals(ran, [
      "iptables --version",
      `iptables-${variant}-save --counters`,
      `ip6tables-${variant}-save --counters`,
    ]);
  }
});

Deno.test("an ordinary user learns the version, and that only root is told more", async () => {
  const { detection, ran } = await ask(NFT, { privileged: false });
  assertEquals(detection.usable, true);
  assertStringIncludes(detection.evidence, "iptables-nft 1.8.9; the kernel answers only root");
  assertEquals(ran, ["iptables --version"]);
});

Deno.test("a host without iptables is told what to install", async () => {
  const { detection } = await ask({ iptables: { status: 127 } });
  assertEquals(detection, {
    usable: false,
    evidence: "iptables is not installed",
    hint: "Install the package iptables",
  });
});

Deno.test("FreeBSD and others have no iptables, and are asked nothing", async () => {
  for (const platform of ["freebsd", "other"] as const) {
    const { detection, ran } = await ask(NFT, { platform });
    assertEquals([detection.usable, ran.length], [false, 0]);
    assertEquals(detection.evidence, "iptables is part of Linux");
  }
});

Deno.test("an iptables from before the variants cannot be used, and shows what it said", async () => {
  for (const stdout of ["iptables v1.6.1\n", "iptables v1.4.21\n"]) {
    const { detection, ran } = await ask({ iptables: { stdout } });
    assertEquals(detection.usable, false);
    assertStringIncludes(detection.evidence, `since 1.8: ${stdout.trim()}`);
    assertEquals(ran.length, 1);
  }
});

Deno.test("an iptables that does not tell its version cannot be used", async () => {
  const stderr = "Segmentation fault\nmore\n";
  const { detection } = await ask({ iptables: { status: 139, stderr } });
  assertEquals(detection.usable, false);
  assertEquals(detection.evidence.endsWith(": Segmentation fault"), true, detection.evidence);
  assertEquals((await ask({ iptables: { stdout: "hello\n" } })).detection.usable, false);
  assertEquals((await ask({ iptables: { status: 126 } })).detection.usable, false);
});

Deno.test("a variant without its own program names cannot be used: records need them", async () => {
  const { detection } = await ask({ ...LEGACY, "iptables-legacy-save": { status: 127 } });
  assertEquals(detection, {
    usable: false,
    evidence: "iptables-legacy 1.8.9; its iptables-legacy-save is not installed",
  });
});

Deno.test("a kernel that refuses to list is told of with its reason", async () => {
  const stderr = "iptables-save: Could not fetch rule set generation id: Permission denied\nx\n";
  const { detection } = await ask({ ...NFT, "iptables-nft-save": { status: 4, stderr } });
  assertEquals(detection.usable, false);
  assertStringIncludes(detection.evidence, "it cannot list its tables: iptables-save: Could not");
  assertEquals(detection.evidence.includes("\n"), false);
});

Deno.test("a host whose IPv6 cannot be filtered still gets its IPv4 networks", async () => {
  for (const status of [1, 127]) {
    const { detection } = await ask({ ...NFT, "ip6tables-nft-save": { status } });
    assertEquals(detection.usable, true);
    assertStringIncludes(detection.evidence, "ip6tables does not: IPv6 cannot be filtered");
  }
});
