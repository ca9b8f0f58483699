/** libvirt's hooks where the program was removed and they were left behind. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { PROJECT } from "../hosts/bundle.ts";
import { type Finished, run } from "../hosts/run_program.ts";

const HOOKS = `${PROJECT}dist/libvirt/hooks/`;

/** What the hook says when there is no program; its words are libvirt's. */
async function left(kind: string, words: string, stdin = ""): Promise<Finished> {
  const text = await Deno.readTextFile(`${HOOKS}${kind}.d/bridgewall`);
  const script = text.replace("=/usr/bin/bridgewall", "=/nonexistent/bridgewall");
  return await run(["sh", "-c", script, "hook", ...words.split(" ")], { stdin });
}

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

Deno.test("hooks can be run, and give the program what libvirt says", () => {
  for (const kind of ["network", "daemon"]) {
    const path = `${HOOKS}${kind}.d/bridgewall`;
    assertEquals((Deno.statSync(path).mode ?? 0) & 0o777, 0o755);
    assertStringIncludes(Deno.readTextFileSync(path), `exec "$program" --quiet hook ${kind} "$@"`);
  }
});
