import { assertEquals } from "@std/assert";
import { reload } from "../../../core/commands/reload.ts";
import { up } from "../../../core/commands/up.ts";
import { emptyWorld, startProcess } from "../../support/model_host.ts";
import { describeRuleset } from "../../support/model_nft.ts";

const SIX = "<network><name>six</name><forward mode='route'/><bridge name='virbr0'/>" +
  "<ip family='ipv6' address='fd00::1' prefix='64'/></network>";

Deno.test("reload brings the rules back even where forwarding cannot be switched on", async () => {
  const world = emptyWorld();
  await up(startProcess(world, { six: SIX }).context, { names: ["six"], all: false });
  const rules = describeRuleset(world.ruleset);
  const flushed = {
    ...world,
    ruleset: new Map(),
    facts: {
      ...world.facts,
      forwarding: { ipv4: true, ipv6: false },
      advertised: [{ device: "eth0", acceptRa: 1 }],
    },
  };
  const process = startProcess(flushed, {});
  await reload(process.context, { names: [], all: true });
  assertEquals(describeRuleset(flushed.ruleset), rules);
  assertEquals(process.said.length, 2);
  assertEquals(process.said[0]?.startsWith("Cannot switch on IPv6 forwarding"), true);
});
