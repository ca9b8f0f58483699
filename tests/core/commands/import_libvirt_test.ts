import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { HostError } from "../../../core/host.ts";
import { UsageError } from "../../../core/commands/context.ts";
import { parseNetwork } from "../../../core/network/parse_network.ts";
import { emptyWorld } from "../../support/model_host.ts";
import { bridgewall, definition, type Went } from "../../support/one_command.ts";

const FORWARD = "<b:forward xmlns:b='urn:bridgewall:network:1' mode='route'/>";
const LIBVIRTS = {
  lan: definition("lan", "nat", 0),
  "my lab": definition("my lab", "isolated", 1),
  ours: definition("ours", "open", 2, FORWARD),
  open: definition("open", "open", 3),
};

async function imported(words = ""): Promise<Went> {
  return await bridgewall(emptyWorld(), `import libvirt${words}`, LIBVIRTS);
}

Deno.test("whose firewall libvirt's networks have is a table, and what changes it lines to type", async () => {
  const { output, ran } = await imported();
  assertEquals(ran, []);
  assertEquals(output.text.slice(0, 5), [
    "NETWORK  MODE      BRIDGE  FIREWALL",
    "lan      nat       virbr0  libvirt",
    "my lab   isolated  virbr1  libvirt",
    "ours     route     virbr2  bridgewall",
    "open     open      virbr3  nobody",
  ]);
  assertStringIncludes(output.text.join("\n"), "bridgewall import libvirt 'my lab' > my_lab.xml");
  assertEquals(output.text.some((line) => line.includes("ours.xml")), false);
});

Deno.test("one network is printed in mode open, with the firewall that it has", async () => {
  const { output } = await imported(" lan");
  const moved = parseNetwork(output.text.join("\n"), "lan.xml");
  assertEquals(moved.forward.mode, "nat");
  assertStringIncludes(output.text.join("\n"), '\n  <forward mode="open"/>\n');
  const same = parseNetwork((await imported(" ours")).output.text.join("\n"), "ours.xml");
  assertEquals(same.forward, { mode: "route" });
});

Deno.test("what cannot be imported is refused with the reason", async () => {
  await assertRejects(() => imported(" open"), HostError, "in mode open nobody makes rules");
  await assertRejects(() => imported(" none"), HostError, 'Cannot find network "none"');
  await assertRejects(() => imported(" lan open"), UsageError, "one network at a time");
  await assertRejects(() => bridgewall(emptyWorld(), "import"), UsageError, "Cannot guess");
  await assertRejects(() => bridgewall(emptyWorld(), "import incus"), UsageError, '"incus"');
  const none = await bridgewall(emptyWorld(), "import libvirt", {});
  assertEquals([none.said, none.output.text], [["libvirt defines no network"], []]);
});
