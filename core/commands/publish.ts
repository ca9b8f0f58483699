/** `bridgewall publish`: ports of the host that lead to guests, while the network is up. */
import { HostError } from "../host.ts";
import type { Network } from "../network/network.ts";
import { problemFinder } from "../network/parse_published.ts";
import {
  findSharedPort,
  formatListener,
  formatSpec,
  formatTarget,
  parseSpec,
  type PublishedPort,
} from "../network/published_port.ts";
import { quoted } from "../quoted.ts";
import { changePorts } from "./change_ports.ts";
import { type CommandOutput, type Context, UsageError } from "./context.ts";
import { namedPorts, readPort } from "./port_arguments.ts";

/** What the user typed. */
export interface PublishArguments {
  /** The network's name and at least one port. */
  readonly operands: readonly string[];
  /** `--localhost`: 127.0.0.1 leads there too. */
  readonly localhost: boolean;
}

/**
 * Publishes ports of an active network, all or none; one that leads elsewhere is sent to its new guest in
 * the same step.
 *
 * @throws {UsageError} When a port means nothing, or not for this network.
 * @throws {HostError} When the network is not active, or another one has the port.
 */
export async function publish(
  context: Context,
  { operands, localhost }: PublishArguments,
): Promise<CommandOutput> {
  const { name, texts } = namedPorts("publish", operands);
  const read = texts.map((text) => readPort(() => parseSpec(text, { localhost })));
  const wanted = [...new Map(read.map((port) => [formatSpec(port), port])).values()];
  refuseBoth(wanted);
  const families = [...new Set(wanted.map(({ guest }) => guest.family))];
  const { gone } = await changePorts(
    context,
    name,
    families,
    (network) => exchanged(network, wanted),
  );
  const specs = new Set(wanted.map(formatSpec));
  const replaced = gone.filter((one) => !specs.has(formatSpec(one)));
  const led = new Map(replaced.map((one) => [listenerKey(one), one]));
  for (const port of wanted) {
    const before = led.get(listenerKey(port));
    const too = port.localhost ? ", from 127.0.0.1 too" : "";
    const instead = before === undefined ? "" : ` instead of ${formatTarget(before)}`;
    context.messages.note(
      `Port ${formatListener(port)} leads to ${formatTarget(port)} of network ${
        quoted(name)
      }${instead}${too}`,
    );
  }
  return {
    text: [],
    json: { network: name, published: wanted.map(formatSpec), replaced: replaced.map(formatSpec) },
    exitCode: 0,
  };
}

/** What the network publishes with these: each takes the place of the one with the same host's end. */
function exchanged(network: Network, wanted: readonly PublishedPort[]): readonly PublishedPort[] {
  const problemOf = problemFinder({ ...network, mode: network.forward.mode });
  for (const port of wanted) {
    const problem = problemOf(port);
    if (problem !== undefined) throw new UsageError(problem.message, problem.hint);
  }
  const taken = new Set(wanted.map(listenerKey));
  const kept = network.published.filter((one) => !taken.has(listenerKey(one)));
  const all = [...kept, ...wanted].map((published) => ({ published, owner: network.name }));
  const shared = findSharedPort(all)?.map(({ published }) => published);
  const coming = shared?.find((port) => wanted.includes(port));
  const there = shared?.find((port) => port !== coming);
  if (coming !== undefined && there !== undefined) {
    throw new HostError(
      `Cannot publish ${formatSpec(coming)}: network ${quoted(network.name)} publishes ` +
        `${formatSpec(there)}, and the two share a port`,
      `Run \`bridgewall unpublish\` for ${formatListener(there)} first`,
    );
  }
  return [...kept, ...wanted];
}

/** The same for ports that take one another's place. */
function listenerKey(port: PublishedPort): string {
  return `${port.guest.family} ${formatListener(port)}`;
}

/** Two of one command: neither is published yet. */
function refuseBoth(wanted: readonly PublishedPort[]): void {
  const [one, other] = findSharedPort(wanted.map((published) => ({ published, owner: "" }))) ?? [];
  if (one === undefined || other === undefined) return;
  throw new UsageError(
    `Cannot publish both ${formatSpec(one.published)} and ${formatSpec(other.published)}: they ` +
      "share a port",
    "Leave one of the two out",
  );
}
