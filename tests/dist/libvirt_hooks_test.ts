/** libvirt's hooks where the program was removed and they were left behind. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { PROJECT } from "../hosts/bundle.ts";
import { type Finished, run } from "../hosts/run_program.ts";

const HOOKS = `${PROJECT}dist/libvirt/hooks/`;

/** What the hook says with this for a program; its words are libvirt's. */
async function told(kind: string, program: string, words: string, stdin = ""): Promise<Finished> {
  const text = await Deno.readTextFile(`${HOOKS}${kind}.d/bridgewall`);
  const script = text.replace("=/usr/bin/bridgewall", `=${program}`);
  return await run(["sh", "-c", script, "hook", ...words.split(" ")], { stdin });
}

const left = (kind: string, words: string, stdin?: string): Promise<Finished> =>
  told(kind, "/nonexistent/bridgewall", words, stdin);

const OURS =
  "<hookData><network><metadata><b:forward xmlns:b='urn:bridgewall:network:1'/></metadata>" +
  "</network></hookData>";

Deno.test("hooks without their program keep nobody's networks from starting but ours", async () => {
  const { code, stderr } = await left("network", "lan start begin -", OURS);
  assertEquals(code, 1);
  assertStringIncludes(stderr, "network lan has its firewall from bridgewall");
  for (const words of ["lan started begin -", "lan stopped end -"]) {
    assertEquals((await left("network", words, OURS)).code, 0, words);
  }
  const others = "<hookData><network/></hookData>";
  assertEquals((await left("network", "lan start begin -", others)).code, 0);
  assertEquals((await left("daemon", "- start - start")).code, 0);
});

Deno.test("a program that fails keeps our networks from starting, and nobody else's", async () => {
  const others = "<hookData><network/></hookData>";
  for (const operation of ["start", "started", "updated", "stopped", "port-created"]) {
    const words = `lan ${operation} begin -`;
    assertEquals((await told("network", "/bin/false", words, OURS)).code, 1, operation);
    assertEquals((await told("network", "/bin/false", words, others)).code, 0, operation);
  }
});

Deno.test("hooks can be run, and give the program what libvirt says", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const program = `${directory}/program`;
    await Deno.writeTextFile(program, '#!/bin/sh\necho "$*"\ncat\n', { mode: 0o755 });
    const { stdout } = await told("network", program, "lan started begin -", OURS);
    assertEquals(stdout, `--quiet hook network lan started begin -\n${OURS}\n`);
    const daemon = await told("daemon", program, "- start - start");
    assertEquals(daemon.stdout, "--quiet hook daemon - start - start\n");
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
  for (const kind of ["network", "daemon"]) {
    assertEquals((Deno.statSync(`${HOOKS}${kind}.d/bridgewall`).mode ?? 0) & 0o777, 0o755);
  }
});
