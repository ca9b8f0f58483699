/** Networks in a world in memory that publish ports. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { UsageError } from "../../core/commands/context.ts";
import { recordedNetwork } from "../../core/commands/recorded_networks.ts";
import type { HostError } from "../../core/host.ts";
import { formatSpec } from "../../core/network/published_port.ts";
import { describeWorld, emptyWorld, type World } from "./model_host.ts";
import { bridgewall, type Went } from "./one_command.ts";
import { recordOf } from "./turns.ts";

/** A host on which these networks are up, by nftables. */
export async function active(...names: readonly string[]): Promise<World> {
  const world = emptyWorld();
  await bridgewall(world, `--backend=nftables up ${names.join(" ")}`);
  return world;
}

/** What the record of the network says that it publishes; those of its definition with a star. */
export function published(world: World, name = "lan"): readonly string[] {
  const record = recordOf(world, name);
  assert(record !== undefined && record.state === "active");
  return recordedNetwork(record).network.published.map((port) =>
    `${formatSpec(port)}${port.runtime ? "" : "*"}${port.localhost ? "!" : ""}`
  );
}

/** The message and the hint of a command that is refused and changes nothing. */
export async function refused(
  world: World,
  line: string,
  kind: new (message: string) => HostError | UsageError = UsageError,
): Promise<readonly [string, string | undefined]> {
  const before = describeWorld(world);
  const error = await assertRejects(() => bridgewall(world, line), kind);
  assertEquals(describeWorld(world), before);
  return [error.message, error.hint];
}

/** The lines that nft got, in one run. */
export function script({ scripts }: Went): readonly string[] {
  assertEquals(scripts.length, 1);
  return scripts[0] ?? [];
}

/** A port as `publish` takes it. */
export const WEB = "8080:10.0.0.2:80/tcp";
