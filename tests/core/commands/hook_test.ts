import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { NetworkDefinitionError } from "../../../core/network/network_error.ts";
import { RecordError } from "../../../core/record/record.ts";
import { UsageError } from "../../../core/commands/context.ts";
import { describeWorld, emptyWorld, type World } from "../../support/model_host.ts";
import { bridgewall, definition, type Went } from "../../support/one_command.ts";

const FORWARD = "<b:forward xmlns:b='urn:bridgewall:network:1' mode='nat'/>";
const OURS = definition("lan", "open", 0, FORWARD);
const OPEN = definition("lan", "open", 0);

/** What libvirt's hook does when libvirt says this. */
async function hooked(world: World, words: string, network = OURS): Promise<Went> {
  const text = `<hookData>${network}</hookData>`;
  return await bridgewall(world, `hook network lan ${words} -`, { "-": text });
}

Deno.test("a network that libvirt starts gets its firewall, and loses it when libvirt stops it", async () => {
  const world = emptyWorld();
  const before = describeWorld(world);
  assertEquals((await hooked(world, "start begin")).ran.filter((one) => /-f/.test(one)), []);
  assertEquals(describeWorld(world), before);
  const { said } = await hooked(world, "started begin");
  assertEquals(said, ['Network "lan" is up: mode nat, bridge "virbr0", nftables']);
  const again = await hooked(world, "updated begin");
  assertStringIncludes(again.said.join(), "is up");
  await hooked(world, "port-created begin");
  assertEquals((await hooked(world, "stopped end")).said, ['Network "lan" is down']);
  assertEquals(world.files.size, 0);
});

Deno.test("a network that asks for no firewall any more loses it when libvirt says so", async () => {
  for (const operation of ["updated begin", "started begin"]) {
    const world = emptyWorld();
    await hooked(world, "started begin");
    await hooked(world, operation, OPEN);
    assertEquals(world.files.size, 0, operation);
  }
});

Deno.test("networks that libvirt filters, or nobody, are none of the hook's business", async () => {
  for (const network of [OPEN, definition("lan", "nat", 0), definition("lan", "isolated", 0)]) {
    const world = emptyWorld();
    for (const operation of ["start begin", "started begin", "updated begin", "stopped end"]) {
      const { ran, said, output } = await hooked(world, operation, network);
      assertEquals([ran, said, output.exitCode], [[], [], 0], operation);
    }
  }
});

Deno.test("what somebody keeps by hand under the same name stays when libvirt stops its network", async () => {
  const world = emptyWorld();
  await bridgewall(world, "up lan", { lan: definition("lan", "nat", 0) });
  const before = describeWorld(world);
  await hooked(world, "stopped end", OPEN);
  await hooked(world, "stopped end", OURS);
  assertEquals(describeWorld(world), before);
});

Deno.test("what cannot have its firewall is refused before libvirt makes anything", async () => {
  const world = emptyWorld();
  const before = describeWorld(world);
  const wrong = OURS.replace("mode='nat'", "mode='natt'");
  const error = await assertRejects(
    () => hooked(world, "start begin", wrong),
    NetworkDefinitionError,
  );
  assertStringIncludes(error.message, "-:1:");
  // Another network has the subnet.
  await bridgewall(world, "up lab", { lab: definition("lab", "nat", 0).replace("virbr0", "br9") });
  const taken = describeWorld(world);
  await assertRejects(() => hooked(world, "start begin"), Error, "10.0.0.0/24");
  assertEquals(describeWorld(world), taken);
  assertEquals(before === taken, false);
});

Deno.test("the daemon's start brings up what libvirt has up already, and nothing else", async () => {
  const status = (network: string): string =>
    `<networkstatus><class_id bitmap='0-2'/>${network}</networkstatus>`;
  const active = {
    lan: status(OURS),
    lab: status(definition("lab", "nat", 1)),
    open: status(definition("open", "open", 2)),
  };
  const world = emptyWorld();
  for (const operation of ["shutdown - shutdown", "start - start", "reload begin SIGHUP"]) {
    await bridgewall(world, `hook daemon - ${operation}`, active);
    const expected = operation.startsWith("shutdown") ? [] : ["lan"];
    assertEquals([...world.files.keys()], expected, operation);
  }
});

Deno.test("words that libvirt does not say are wrong use", async () => {
  for (const words of ["hook", "hook network", "hook network lan", "hook guest lan start"]) {
    await assertRejects(() => bridgewall(emptyWorld(), words), UsageError, "Cannot tell", words);
  }
  const noHookData = { "-": OURS };
  await assertRejects(
    () => bridgewall(emptyWorld(), "hook network lan started begin -", noHookData),
    NetworkDefinitionError,
    'Root element is "network", wanted "hookData"',
  );
});

Deno.test("records that cannot be read keep none but our own networks from starting", async () => {
  const world = emptyWorld();
  world.files.set("other", "<networkstatus/>");
  const { said } = await hooked(world, "started begin", OPEN);
  assertStringIncludes(said.join(), "record");
  await assertRejects(() => hooked(world, "started begin"), RecordError);
});
