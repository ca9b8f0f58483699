/** Ports that were published while the network was up: they stay when its definition is read again. */
import { quoted } from "../quoted.ts";
import type { Network, PortRange } from "./network.ts";
import { problemFinder } from "./parse_published.ts";
import {
  formatListener,
  formatSpec,
  isLoopback,
  listeners,
  type PublishedPort,
} from "./published_port.ts";

/**
 * What the network publishes, with the ports that `publish` has added to it since it came up. What the
 * definition says goes first.
 *
 * @param before The network as it is active; absent: it is not.
 */
export function keepRuntimePorts(
  network: Network,
  before: Network | undefined,
): { readonly published: Network["published"]; readonly warnings: readonly string[] } {
  const added = before?.published.filter(({ runtime }) => runtime) ?? [];
  if (added.length === 0) return { published: network.published, warnings: [] };
  const { name, forward: { mode } } = network;
  const defined = new Set(network.published.map(formatSpec));
  const isTaken = sharingFinder(network.published);
  const problemOf = problemFinder({ ...network, mode });
  const kept: PublishedPort[] = [];
  const warnings: string[] = [];
  for (const port of added) {
    if (defined.has(formatSpec(port))) continue;
    const lost = `Port ${formatListener(port)} of network ${
      quoted(name)
    } is not published any more`;
    const problem = problemOf(port);
    if (problem !== undefined) warnings.push(`${lost}: ${problem.message}`);
    else if (isTaken(port)) warnings.push(`${lost}: the definition has the port now`);
    else kept.push(port);
  }
  return { published: [...network.published, ...kept], warnings };
}

/** Ranges in order of their beginning, each with the last port of those up to it. */
interface Ranges {
  readonly starts: number[];
  readonly lasts: number[];
}

/** Tells of any port whether it shares packets with one of these, without looking at all of them. */
function sharingFinder(ports: readonly PublishedPort[]): (port: PublishedPort) => boolean {
  const ranges = new Map<string, Ranges>();
  const sorted = ports.toSorted((one, other) => one.ports.start - other.ports.start);
  for (const { place, range } of sorted.flatMap(placesOf)) {
    const own = ranges.get(place) ?? { starts: [], lasts: [] };
    own.starts.push(range.start);
    own.lasts.push(Math.max(own.lasts.at(-1) ?? 0, range.end));
    ranges.set(place, own);
  }
  return (port) =>
    rivalPlacesOf(port).some((place) => {
      const own = ranges.get(place);
      return own !== undefined && meets(own, port.ports);
    });
}

/** Under what a port is found: its address, and what all addresses outside of `lo` have in common. */
function placesOf(
  port: PublishedPort,
): readonly { readonly place: string; readonly range: PortRange }[] {
  const kind = kindOf(port);
  return listeners(port).flatMap((address) => {
    if (address === "any") return [`${kind} any`];
    return [`${kind} ${address.value}`, ...(isLoopback(address) ? [] : [`${kind} one`])];
  }).map((place) => ({ place, range: port.ports }));
}

function rivalPlacesOf(port: PublishedPort): readonly string[] {
  const kind = kindOf(port);
  return listeners(port).flatMap((address) => {
    if (address === "any") return [`${kind} any`, `${kind} one`];
    return [`${kind} ${address.value}`, ...(isLoopback(address) ? [] : [`${kind} any`])];
  });
}

function kindOf({ protocol, guest }: PublishedPort): string {
  return `${guest.family} ${protocol}`;
}

function meets({ starts, lasts }: Ranges, { start, end }: PortRange): boolean {
  let [low, high] = [0, starts.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((starts[middle] ?? 0) <= end) low = middle + 1;
    else high = middle;
  }
  return low > 0 && (lasts[low - 1] ?? 0) >= start;
}
