/** What becomes of connections to published ports when the ports go. */
import { assert, assertEquals } from "@std/assert";
import { publish } from "../../../core/commands/publish.ts";
import { unpublish } from "../../../core/commands/unpublish.ts";
import { definitionOf } from "../../support/golden.ts";
import type { World } from "../../support/model_host.ts";
import type { PfHost } from "../../support/pf/pf_host.ts";
import { type Packet, packet, replyTo } from "../../support/packets/packet.ts";
import { bringUp, freebsdWorld, run, takeDownAll } from "./host.ts";
import { bareHost, endConnections, MAIN_RULESETS, publishing } from "./scene.ts";

const DEFINITIONS = {
  web: publishing(
    definitionOf("bsd-default"),
    "proto='udp' port='8080' to='192.168.122.10:80'",
    "proto='udp' port='8081' to='192.168.122.11:80'",
  ),
  natnet: definitionOf("bsd-natnet"),
};

/** Runs a command in the world, and does to the host's pf what it loads, flushes and ends. */
async function change(
  world: World,
  host: PfHost,
  work: Parameters<typeof run>[2],
): Promise<void> {
  const { changes, error } = await run(world, DEFINITIONS, work);
  assertEquals(error, undefined);
  for (const line of changes) {
    const [, path = "", how] = /^-a (\S+) (-f -|-F all)$/.exec(line) ?? [];
    if (how === "-f -") host.machine.load(path, world.anchors.get(path) ?? "");
    else if (how !== undefined) host.machine.flush(path);
    else endConnections(host, [line]);
  }
}

async function hostWithPorts(main: string): Promise<readonly [World, PfHost]> {
  const [world, host] = [freebsdWorld(), bareHost(main)];
  await change(world, host, bringUp("web", "natnet"));
  return [world, host];
}

const CLIENTS: Readonly<Record<string, (host: PfHost, to: number) => { delivered: boolean }>> = {
  outside: (host, to) => host.fromOutside("re0", asked("192.0.9.9", to)),
  neighbour: (host, to) => host.fromGuest("virbr0", "tap2", asked("192.168.122.50", to)),
  "another network": (host, to) => host.fromGuest("virbr1", "tap3", asked("10.0.100.130", to)),
};

function asked(from: string, to: number): Packet {
  return packet("udp", `${from}:40000`, `203.0.113.2:${to}`);
}

for (const [where, main] of Object.entries(MAIN_RULESETS)) {
  Deno.test(`pf: what went to a port does not go on when the port is taken back, with ${where}`, async () => {
    const [world, host] = await hostWithPorts(main);
    for (const [name, send] of Object.entries(CLIENTS)) {
      for (const to of [8080, 8081]) assert(send(host, to).delivered, `${name} to ${to}`);
    }
    const other = host.fromGuest(
      "virbr0",
      "tap0",
      packet("udp", "192.168.122.50:1", "192.0.9.9:53"),
    );
    await change(world, host, (context) => unpublish(context, ["default", "8080/udp"]));
    for (const [name, send] of Object.entries(CLIENTS)) {
      const { delivered, to } = { to: "", ...send(host, 8080) };
      assert(!delivered || to !== "virbr0", `${name}: ${delivered}`);
      assert(send(host, 8081).delivered, `${name} goes on with the other port`);
    }
    assert(host.fromOutside("re0", replyTo(other.packet)).delivered, "others go on");
  });
}

Deno.test("pf: a client is sent to the new guest when the port leads elsewhere", async () => {
  const [world, host] = await hostWithPorts(MAIN_RULESETS["pass all after them"] ?? "");
  const there = (): string => {
    const { packet: { destination } } = host.fromOutside("re0", asked("192.0.9.9", 8080));
    return String(destination.value);
  };
  const [alice, other] = ["192.168.122.10", "192.168.122.12"]
    .map((to) => String(packet("udp", "192.0.9.9", to).destination.value));
  assertEquals(there(), alice);
  await change(
    world,
    host,
    (context) =>
      publish(context, { operands: ["default", "8080:192.168.122.12:80/udp"], localhost: false }),
  );
  assertEquals(there(), other);
});

Deno.test("pf: networks that go leave no state of their ports", async () => {
  const [world, host] = await hostWithPorts(MAIN_RULESETS["pass all after them"] ?? "");
  Object.values(CLIENTS).forEach((send) => assert(send(host, 8080).delivered));
  assertEquals(host.machine.states().length, 6);
  await change(world, host, takeDownAll);
  assertEquals(host.machine.states(), []);
});
