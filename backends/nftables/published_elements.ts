/** Published ports → members of the maps and sets that are looked up for them. */
import { type Family, formatAddress } from "../../core/address.ts";
import { portsBeyond } from "../../core/network/compare_ports.ts";
import { formatPorts, type PortRange } from "../../core/network/network.ts";
import { formatSpec, listeners, type PublishedPort } from "../../core/network/published_port.ts";
import { UnsupportedNetworkError } from "../../core/firewall_backend.ts";
import type { FamilyPolicy, FilteredPolicy } from "../../core/policy/policy.ts";
import { quoted } from "../../core/quoted.ts";
import type { Element } from "./objects.ts";

/**
 * Ranges of more ports than these are one element of a map with ranges, where that can say it: the kernel
 * moves a packet to another address or to another port, but not to another port by a difference.
 */
const MANY = 128;

/** So many a record can hold, with the way to remove each. */
const MOST = 65536;

/**
 * Refuses a definition of few lines that would become a script of many megabytes.
 *
 * @throws {UnsupportedNetworkError} When more ports than a host has would have a member each.
 */
export function refuseTooMany({ network, families }: FilteredPolicy): void {
  const single = families.flatMap(({ published }) => published.filter((one) => !isRange(one)));
  const count = single.reduce(
    (sum, one) => sum + (one.ports.end - one.ports.start + 1) * listeners(one).length,
    0,
  );
  if (count <= MOST) return;
  const [widest] = single.toSorted((one, other) =>
    other.ports.end - other.ports.start - one.ports.end + one.ports.start
  );
  throw new UnsupportedNetworkError(
    `Network ${quoted(network)} publishes ${count} ports that nftables has to know one by one, ` +
      `at most ${MOST}`,
    widest === undefined || widest.ports.end - widest.ports.start < MANY
      ? "Publish fewer ports, or more than 128 in a row"
      : `Lead wide ranges to the same ports of the guest: ${
        formatSpec({
          ...widest,
          guestPorts: widest.ports,
        })
      }`,
  );
}

/** The members for all ports that a family publishes, each of them once. */
export function publishedElements(
  { family, published }: FamilyPolicy,
): readonly Element[] {
  const targets = new Map<string, Element>();
  // Two ports of the host may lead to the same one of a guest.
  for (const element of published.flatMap(targetElements)) targets.set(element.key, element);
  return [
    ...published.flatMap((one) => translations(one, family)),
    ...targets.values(),
    ...rangeTargets(published, family),
  ];
}

/**
 * What is only in the one and only in the other, of the members for two lists of ports. Ports of guests for
 * which nothing changes are not looked at.
 */
export function changedElements(
  before: FamilyPolicy,
  after: FamilyPolicy,
): { readonly gone: readonly Element[]; readonly come: readonly Element[] } {
  const guests = new Set([
    ...portsBeyond(before.published, after.published),
    ...portsBeyond(after.published, before.published),
  ].map(guestKey));
  const [old, now] = [before, after].map((family) =>
    publishedElements({
      ...family,
      published: family.published.filter((one) => guests.has(guestKey(one))),
    })
  );
  return { gone: without(old ?? [], now ?? []), come: without(now ?? [], old ?? []) };
}

function guestKey({ protocol, guest }: PublishedPort): string {
  return `${protocol} ${guest.value}`;
}

function without(elements: readonly Element[], others: readonly Element[]): readonly Element[] {
  const kept = new Set(others.map(elementKey));
  return elements.filter((element) => !kept.has(elementKey(element)));
}

function elementKey({ collection, key, value = "" }: Element): string {
  return `${collection} ${key} : ${value}`;
}

/** Whether the ports are one range, and not elements by themselves. */
function isRange({ ports, guestPorts }: PublishedPort): boolean {
  return ports.end - ports.start >= MANY && ports.start === guestPorts.start;
}

function translations(published: PublishedPort, family: Family): readonly Element[] {
  const { protocol, ports, guest, guestPorts } = published;
  const address = formatAddress(guest);
  return listeners(published).flatMap((listener): readonly Element[] => {
    const [any, before] = listener === "any" ? ["_any", ""] as const : [
      "",
      `${formatAddress(listener)} . `,
    ] as const;
    if (isRange(published)) {
      return [{
        collection: `publish${any}_ranges_${family}`,
        key: `${before}${protocol} . ${formatPorts(ports)}`,
        value: address,
      }];
    }
    return numbers(ports).map((port) => ({
      collection: `publish${any}_${family}`,
      key: `${before}${protocol} . ${port}`,
      value: `${address} . ${port - ports.start + guestPorts.start}`,
    }));
  });
}

function numbers({ start, end }: PortRange): readonly number[] {
  if (start === end) return [start];
  return Array.from({ length: end - start + 1 }, (_, index) => start + index);
}

function targetElements(published: PublishedPort): readonly Element[] {
  return targetsOf(published).filter(({ collection }) => !isRangeSet(collection));
}

/**
 * Where a port leads, for the set that lets it through; the counters of these elements tell what it has
 * carried. Of a range the collection alone is meant: its element may be a larger one.
 */
export function targetsOf(published: PublishedPort): readonly Element[] {
  const { protocol, guest, guestPorts } = published;
  const { family } = guest;
  const before = `${protocol} . ${formatAddress(guest)} . `;
  if (isRange(published)) {
    const key = `${before}${formatPorts(guestPorts)}`;
    return [{ collection: `published_ranges_${family}`, key }];
  }
  return numbers(guestPorts)
    .map((port) => ({ collection: `published_${family}`, key: `${before}${port}` }));
}

function isRangeSet(collection: Element["collection"]): boolean {
  return collection.startsWith("published_ranges_");
}

/** Ranges of a guest that overlap (the same ports of two addresses of the host) are one. */
function rangeTargets(published: readonly PublishedPort[], family: Family): readonly Element[] {
  const groups = Map.groupBy(
    published.filter(isRange),
    ({ protocol, guest }) => `${protocol} . ${formatAddress(guest)}`,
  );
  return [...groups].flatMap(([target, ranges]) =>
    mergeRanges(ranges.map(({ guestPorts }) => guestPorts)).map((range): Element => ({
      collection: `published_ranges_${family}`,
      key: `${target} . ${formatPorts(range)}`,
    }))
  );
}

function mergeRanges(ranges: readonly PortRange[]): readonly PortRange[] {
  const merged: PortRange[] = [];
  for (const range of ranges.toSorted((one, other) => one.start - other.start)) {
    const last = merged.at(-1);
    if (last === undefined || range.start > last.end) merged.push(range);
    else merged[merged.length - 1] = { start: last.start, end: Math.max(last.end, range.end) };
  }
  return merged;
}
