/** Keys of maps and sets with ranges, as far as nft looks whether two of them have a value in common. */
import { type AddressRange, parseAddress, parseSubnet, rangeOf } from "../../core/address.ts";

/** What one part of a key holds: words are only equal or not. */
type Part = string | readonly [start: bigint, end: bigint];

/** One of the others that has something in common with the key. */
export function findOverlap(key: string, others: readonly string[]): string | undefined {
  const parts = partsOf(key);
  return others.find((other) => {
    const its = partsOf(other);
    return its.length === parts.length && its.every((part, index) => meets(part, parts[index]));
  });
}

function meets(one: Part, other: Part | undefined): boolean {
  if (other === undefined || typeof one === "string" || typeof other === "string") {
    return one === other;
  }
  return one[0] <= other[1] && other[0] <= one[1];
}

const PARTS = new Map<string, readonly Part[]>();

function partsOf(key: string): readonly Part[] {
  const parts = PARTS.get(key) ?? key.split(" . ").map(readPart);
  PARTS.set(key, parts);
  return parts;
}

function readPart(text: string): Part {
  const ports = /^(\d+)(?:-(\d+))?$/.exec(text);
  if (ports !== null) {
    const [, start = "0", end = start] = ports;
    return [BigInt(start), BigInt(end)];
  }
  const range = rangeOfText(text);
  return range === undefined ? text : [range.start.value, range.end.value];
}

function rangeOfText(text: string): AddressRange | undefined {
  const subnet = parseSubnet(text);
  if (subnet !== undefined) return rangeOf(subnet);
  const [start, end] = text.split("-").map(parseAddress);
  return start === undefined || end === undefined ? undefined : { start, end };
}
