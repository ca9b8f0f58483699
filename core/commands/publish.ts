/** `bridgewall publish` and `unpublish`: ports of the host that lead to guests, while the network is up. */
import { HostError } from "../host.ts";
import type { Network } from "../network/network.ts";
import { problemOfPublished } from "../network/parse_published.ts";
import {
  findSharedPort,
  formatListener,
  formatSpec,
  formatTarget,
  isSameListener,
  type NamedPort,
  parseNamedPort,
  parseSpec,
  type PublishedPort,
  PublishedPortError,
} from "../network/published_port.ts";
import { quoted } from "../quoted.ts";
import { changePorts } from "./change_ports.ts";
import { type CommandOutput, type Context, UsageError } from "./context.ts";

/** What the user typed. */
export interface PublishArguments {
  /** The network's name and at least one port. */
  readonly operands: readonly string[];
  /** `--localhost`, which only `publish` takes. */
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
  const { name, specs } = namedPorts("publish", operands);
  const wanted = specs.map((spec) => readPort(() => parseSpec(spec, { localhost })));
  const families = [...new Set(wanted.map(({ guest }) => guest.family))];
  const { gone } = await changePorts(
    context,
    name,
    families,
    (network) => exchanged(network, wanted),
  );
  const replaced = gone.filter((one) => !wanted.some((port) => isSame(one, port)));
  for (const port of wanted) {
    const before = replaced.find((one) => isSameListener(one, port));
    const instead = before === undefined ? "" : ` instead of ${formatTarget(before)}`;
    context.messages.note(
      `Port ${formatListener(port)} leads to ${formatTarget(port)} of network ${
        quoted(name)
      }${instead}`,
    );
  }
  return {
    text: [],
    json: { network: name, published: wanted.map(formatSpec), replaced: replaced.map(formatSpec) },
    exitCode: 0,
  };
}

/**
 * Takes published ports back. One that is not published is no error.
 *
 * @throws {UsageError} When a port means nothing.
 * @throws {HostError} When the network is not active, or the port leads to another guest.
 */
export async function unpublish(
  context: Context,
  { operands }: PublishArguments,
): Promise<CommandOutput> {
  const { messages } = context;
  const { name, specs } = namedPorts("unpublish", operands);
  const unwanted = specs.map((spec) => readPort(() => parseNamedPort(spec)));
  const { gone } = await changePorts(context, name, [], ({ published }) => {
    unwanted.forEach((one) => refuseOtherGuest(one, published));
    return published.filter((port) => !unwanted.some((one) => isMeant(one, port)));
  });
  for (const port of gone) {
    const again = port.runtime ? "" : ' until the next "up": its definition publishes it';
    messages.note(
      `Port ${formatListener(port)} does not lead to ${formatTarget(port)} of network ` +
        `${quoted(name)} any more${again}`,
    );
  }
  const missing = unwanted.filter((one) => !gone.some((port) => isMeant(one, port)))
    .map(({ listener }) => listener);
  missing.forEach((listener) => messages.note(`Port ${listener} was not published`));
  return {
    text: [],
    json: { network: name, unpublished: gone.map(formatSpec), missing },
    exitCode: 0,
  };
}

function namedPorts(
  command: string,
  operands: readonly string[],
): { readonly name: string; readonly specs: readonly string[] } {
  const [name, ...specs] = operands;
  if (name !== undefined && specs.length > 0) return { name, specs };
  throw new UsageError(
    `Cannot ${command} without a network and a port`,
    `Write \`bridgewall ${command} default 8080:192.168.122.10:80/tcp\``,
  );
}

function readPort<Port>(read: () => Port): Port {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof PublishedPortError)) throw error;
    throw new UsageError(error.message, error.hint);
  }
}

/** What the network publishes with these: each takes the place of the one with the same host's end. */
function exchanged(network: Network, wanted: readonly PublishedPort[]): readonly PublishedPort[] {
  const { forward: { mode }, addresses, routes } = network;
  for (const port of wanted) {
    const problem = problemOfPublished(port, { mode, addresses, routes });
    if (problem !== undefined) throw new UsageError(problem.message, problem.hint);
  }
  const kept = network.published.filter((one) => !wanted.some((port) => isSameListener(one, port)));
  const all = [...kept, ...wanted].map((published) => ({ published, owner: network.name }));
  const [one, other] = findSharedPort(all) ?? [];
  if (one !== undefined && other !== undefined) {
    throw new HostError(
      `Cannot publish ${formatSpec(other.published)}: network ${quoted(network.name)} publishes ` +
        `${formatSpec(one.published)}, and the two share a port`,
      `Run \`bridgewall unpublish\` for one of the two first`,
    );
  }
  return [...kept, ...wanted];
}

function isSame(one: PublishedPort, other: PublishedPort): boolean {
  return formatSpec(one) === formatSpec(other) && one.localhost === other.localhost;
}

function isMeant({ listener, whole }: NamedPort, port: PublishedPort): boolean {
  return whole === undefined
    ? listener === formatListener(port)
    : formatSpec(whole) === formatSpec(port);
}

/** Who names a guest means no other one. */
function refuseOtherGuest({ whole }: NamedPort, published: readonly PublishedPort[]): void {
  const other = published.find((one) => whole !== undefined && isSameListener(one, whole));
  if (whole === undefined || other === undefined || formatSpec(other) === formatSpec(whole)) return;
  throw new HostError(
    `Cannot unpublish ${formatSpec(whole)}: the port leads to ${formatTarget(other)}`,
    `Write ${formatListener(other)}, wherever it leads`,
  );
}
