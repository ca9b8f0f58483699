import { assertEquals } from "@std/assert";
import { up } from "../../../core/commands/up.ts";
import { emptyWorld, startProcess } from "../../support/model_host.ts";

function definition(name: string): string {
  return `<network><name>${name}</name><forward><nat ipv6='yes'/></forward>` +
    `<bridge name='br-${name}'/><ip family='ipv6' address='fe80::1' prefix='64'/>` +
    `<ip family='ipv6' address='fd00:${name}::1' prefix='64'/></network>`;
}

Deno.test("two networks may have the same link-local address, together and one after the other", async () => {
  const definitions = { a: definition("a"), b: definition("b"), c: definition("c") };
  const world = emptyWorld();
  await up(startProcess(world, definitions).context, { names: ["a", "b"], all: false });
  await up(startProcess(world, definitions).context, { names: ["c"], all: false });
  assertEquals(world.ruleset.get("map translate_host_ipv6")?.slice(1), [
    "fd00:a::1 : jump nat-br-a",
    "fd00:b::1 : jump nat-br-b",
    "fd00:c::1 : jump nat-br-c",
  ]);
});
