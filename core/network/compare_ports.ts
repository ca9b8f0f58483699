/** What of a list of published ports is not in another. */
import { formatSpec, type PublishedPort } from "./published_port.ts";

/**
 * Those that the others are not, in their order. Nearly all are the very same values in both lists, where
 * one was made from the other: only what is not is looked at, so that thousands cost no time. Neither list
 * has a port twice.
 */
export function portsBeyond(
  ports: readonly PublishedPort[],
  others: readonly PublishedPort[],
): readonly PublishedPort[] {
  const same = new Set(others);
  const rest = ports.filter((one) => !same.has(one));
  if (rest.length === 0) return [];
  const own = new Set(ports);
  const known = new Set(others.filter((one) => !own.has(one)).map(portKey));
  return rest.filter((one) => !known.has(portKey(one)));
}

/** The same for ports that lead to the same guest in the same way, whoever has published them. */
function portKey(published: PublishedPort): string {
  return `${formatSpec(published)} ${published.localhost}`;
}
