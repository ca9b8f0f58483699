/** What becomes of connections: they outlive a load, and end when their network goes. */
import { assert, assertEquals } from "@std/assert";
import type { Command } from "../../../core/command.ts";
import { definitionOf } from "../../support/golden.ts";
import { packet, replyTo } from "../../support/packets/packet.ts";
import { bringUp, freebsdWorld, run, takeDownAll } from "./host.ts";
import {
  bareHost,
  endConnections,
  hostWith,
  loadInto,
  MAIN_RULESETS,
  NETWORKS,
  upCommands,
} from "./scene.ts";

const PASS_ALL = MAIN_RULESETS["pass all after them"] ?? "";
const SYN = packet("tcp", "192.168.122.50:40000", "192.0.9.9:443");
const ACK = { ...SYN, flags: "A" };

function lines(commands: readonly Command[]): readonly string[] {
  return commands.filter(({ program }) => program === "pfctl").map(({ args }) => args.join(" "));
}

Deno.test("a connection goes on when the same rules, and those of others, are loaded", () => {
  const host = bareHost(PASS_ALL);
  const commands = upCommands([definitionOf("bsd-default")]);
  loadInto(host, commands);
  const out = host.fromGuest("virbr0", "tap0", SYN);
  loadInto(host, commands);
  loadInto(host, upCommands([definitionOf("bsd-natnet")]));
  const more = host.fromGuest("virbr0", "tap0", ACK);
  assertEquals(
    [more.delivered, more.to, more.packet.sourcePort],
    [true, "re0", out.packet.sourcePort],
  );
  assert(host.fromOutside("re0", replyTo(out.packet)).delivered);
});

Deno.test("a network that goes leaves no state on any interface, and others keep theirs", async () => {
  const host = hostWith(PASS_ALL);
  const other = packet("tcp", "10.0.100.130:40000", "192.0.9.9:443");
  const routed = packet("tcp", "192.0.9.9:5000", "198.51.100.7:22");
  host.fromGuest("virbr0", "tap0", SYN);
  host.fromGuest("virbr1", "tap2", other);
  host.fromOutside("re0", routed);
  const all = host.machine.states();
  assertEquals(all.length, 6, all.join("\n"));
  const definitions = { default: NETWORKS["default"] ?? "", routed: NETWORKS["routed"] ?? "" };
  const world = freebsdWorld();
  await run(world, definitions, bringUp("default", "routed"));
  const { changes } = await run(world, definitions, takeDownAll);
  for (const path of changes.flatMap((line) => /^-a (\S+) -F all$/.exec(line)?.[1] ?? [])) {
    host.machine.flush(path);
  }
  endConnections(host, changes);
  const left = host.machine.states();
  assertEquals(left.length, 2, left.join("\n"));
  assert(left.every((state) => state.includes("10.0.100.130")), left.join("\n"));
});

Deno.test("what began before the network came up ends with it", () => {
  const host = bareHost("pass all\n");
  const into = packet("tcp", "192.0.9.9:5000", "10.0.120.7:22");
  assert(host.fromOutside("re0", into).delivered);
  assert(host.fromGuest("virbr2", "tap4", packet("udp", "10.0.120.7:5", "192.0.9.9:6")).delivered);
  host.machine.load("", PASS_ALL);
  const commands = upCommands([NETWORKS["isolated"] ?? ""]);
  loadInto(host, commands);
  assert(host.fromOutside("re0", { ...into, flags: "A" }).delivered, "states outlive a load");
  endConnections(host, lines(commands));
  assertEquals(host.machine.states(), []);
  assertEquals(host.fromOutside("re0", { ...into, flags: "A" }).delivered, false);
});
