/** Ports that were published while the network was up: they stay when its definition is read again. */
import { quoted } from "../quoted.ts";
import type { Network } from "./network.ts";
import { problemOfPublished, withPublished } from "./parse_published.ts";
import {
  findSharedPort,
  formatListener,
  formatSpec,
  type PublishedPort,
} from "./published_port.ts";

/**
 * The network with the ports that `publish` has added to it since it came up. What the definition says
 * goes first.
 *
 * @param before The network as it is active; absent: it is not.
 */
export function keepRuntimePorts(
  network: Network,
  before: Network | undefined,
): { readonly network: Network; readonly warnings: readonly string[] } {
  const { name, source, forward: { mode }, addresses, routes } = network;
  const published: PublishedPort[] = [...network.published];
  const warnings: string[] = [];
  for (const port of before?.published.filter(({ runtime }) => runtime) ?? []) {
    const spec = formatSpec(port);
    if (published.some((one) => formatSpec(one) === spec)) continue;
    const lost = `Port ${formatListener(port)} of network ${
      quoted(name)
    } is not published any more`;
    const problem = problemOfPublished(port, { mode, addresses, routes });
    const taken = isTaken(port, published);
    if (problem !== undefined) warnings.push(`${lost}: ${problem.message}`);
    else if (taken) warnings.push(`${lost}: the definition has the port now`);
    else published.push(port);
  }
  return published.length === network.published.length ? { network, warnings } : {
    network: { ...network, published, source: withPublished(source, published) },
    warnings,
  };
}

function isTaken(port: PublishedPort, published: readonly PublishedPort[]): boolean {
  const all = [port, ...published].map((one) => ({ published: one, owner: undefined }));
  return findSharedPort(all) !== undefined;
}
