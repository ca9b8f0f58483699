import { assertEquals, assertRejects } from "@std/assert";
import type { Context } from "../../../core/commands/context.ts";
import { inspectRecords } from "../../../core/commands/inspect_records.ts";
import { up } from "../../../core/commands/up.ts";
import type { FirewallBackend } from "../../../core/firewall_backend.ts";
import { HostError } from "../../../core/host.ts";
import { emptyWorld, startProcess, type World } from "../../support/model_host.ts";

const DEFINITIONS = {
  lan:
    "<network><name>lan</name><bridge name='virbr0'/><ip address='10.0.0.1' prefix='24'/></network>",
};

async function bringUp(world: World, backend?: string): Promise<void> {
  await up(startProcess(world, DEFINITIONS, undefined, backend).context, {
    names: ["lan"],
    all: false,
  });
}

/** A process that looks at the world; every lock and every inspection is told, with its networks. */
function observer(
  world: World,
  meanwhile: () => Promise<void> = () => Promise.resolve(),
): { readonly context: Context; readonly told: readonly string[] } {
  const told: string[] = [];
  const { context } = startProcess(world, DEFINITIONS);
  const { host } = context;
  const observed = (backend: FirewallBackend): FirewallBackend => ({
    ...backend,
    inspect: async (_host, installed) => {
      const names = installed.map(({ policy: { network } }) => network);
      told.push(`${backend.name}: ${names.join(",")}`.trimEnd());
      if (told.length === 1) await meanwhile();
      return { networks: names.map((network) => ({ network })), drift: [] };
    },
  });
  const lock: typeof host.records.lock = (seconds, onWait) => {
    told.push("lock");
    return host.records.lock(seconds, onWait);
  };
  return {
    told,
    context: {
      ...context,
      backends: context.backends.map(observed),
      host: { ...host, records: { ...host.records, lock } },
    },
  };
}

Deno.test("networks on record are looked at under the lock", async () => {
  const world = emptyWorld();
  await bringUp(world);
  const { context, told } = observer(world);
  const { networks } = await inspectRecords(context);
  assertEquals(networks.map(({ record }) => record.name), ["lan"]);
  assertEquals(told, ["lock", "firewalld:", "nftables: lan", "iptables:"]);
});

Deno.test("each backend is asked about the networks whose rules it holds", async () => {
  const world = emptyWorld();
  await bringUp(world, "iptables");
  const { context, told } = observer(world);
  await inspectRecords(context);
  assertEquals(told, ["lock", "firewalld:", "nftables:", "iptables: lan"]);
});

Deno.test("without records no lock is taken: there may be no place for it", async () => {
  const { context, told } = observer(emptyWorld());
  assertEquals((await inspectRecords(context)).networks, []);
  assertEquals(told, ["firewalld:", "nftables:", "iptables:"]);
});

Deno.test("a first network that comes up meanwhile is looked at again, under the lock", async () => {
  const world = emptyWorld();
  const { context, told } = observer(world, () => bringUp(world));
  const { networks } = await inspectRecords(context);
  assertEquals(networks.map(({ record }) => record.name), ["lan"]);
  const [before, after] = [told.slice(0, 3), told.slice(3)];
  assertEquals(before, ["firewalld:", "nftables:", "iptables:"]);
  assertEquals(after, ["lock", "firewalld:", "nftables: lan", "iptables:"]);
});

Deno.test("a user who is not root is told to be", async () => {
  const { context } = observer(emptyWorld());
  const host = { ...context.host, privileged: false };
  const error = await assertRejects(() => inspectRecords({ ...context, host }), HostError);
  assertEquals(error.message, "Cannot look at the firewall: only root may");
});
