/** What another version of the program has installed and recorded is taken over, and taken back. */
import { assertEquals } from "@std/assert";
import { describeRules, emptyWorld, type World } from "../../support/model_host.ts";
import { runProgram } from "../../support/model_programs.ts";
import { bridgewall } from "../../support/one_command.ts";

const JUMP = "-m comment --comment bridgewall -j BRIDGEWALL_POST";

/** The host and its records as a version left them that jumped to the translation from all packets. */
async function older(): Promise<World> {
  const world = emptyWorld();
  await bridgewall(world, "--backend=iptables up lan lab");
  const stdin = `*nat\n-D POSTROUTING ! -o lo ${JUMP}\n-I POSTROUTING ${JUMP}\nCOMMIT\n`;
  const { status, stderr } = runProgram(world, {
    program: "iptables-nft-restore",
    args: ["--noflush"],
    stdin,
  });
  assertEquals(status, 0, stderr);
  for (const [name, text] of world.files) {
    world.files.set(name, text.replaceAll(`! -o lo ${JUMP}`, JUMP));
  }
  return world;
}

const LINES = [
  "up lan",
  "up lan lab",
  "reload",
  "publish lan 8080:10.0.0.9:80/tcp",
  "down lan",
  "down --all",
];

for (const line of LINES) {
  Deno.test(`\`${line}\` works on what another version has installed, and nothing is left`, async () => {
    const world = await older();
    await bridgewall(world, `--backend=iptables ${line}`);
    await bridgewall(world, "down --all");
    assertEquals(describeRules(world), describeRules(emptyWorld()));
  });
}
