/** One statement, as JSON or as text of a script → the one form in which the two can be compared. */
import {
  type AddressRange,
  formatAddress,
  parseAddress,
  parseSubnet,
  rangeOf,
} from "../../core/address.ts";

/** An object of nft's JSON, its members still to be looked at. */
export type Json = Readonly<Record<string, unknown>>;

/** One statement as a script would have it; what bridgewall never writes stays JSON. */
export function statement(expression: unknown): string {
  // What nft has no JSON for it prints as text.
  if (typeof expression === "string") return expression.replace(/\s+/g, " ");
  try {
    return knownStatement(expression);
  } catch (error) {
    // Somebody else's rule may hold anything; it is not ours, and that is all there is to say.
    if (error instanceof SyntaxError) return JSON.stringify(expression);
    throw error;
  }
}

function knownStatement(expression: unknown): string {
  const [[kind, value] = ["", null]] = Object.entries(object(expression));
  switch (kind) {
    case "accept":
    case "drop":
    case "return":
      return kind;
    case "jump":
    case "goto":
      return `${kind} ${String(object(value)["target"])}`;
    case "reject":
      return rejectStatement(value);
    case "counter":
      return typeof value === "string" ? `counter name "${value}"` : JSON.stringify(expression);
    case "vmap": {
      const { key, data } = object(value);
      return typeof data === "string"
        ? `${selector(key)} vmap ${data}`
        : JSON.stringify(expression);
    }
    case "match":
      return matchStatement(object(value));
    case "masquerade":
    case "snat":
    case "dnat":
      return translationStatement(kind, value === null ? {} : object(value));
    default:
      return JSON.stringify(expression);
  }
}

/** Port unreachable is what `reject` means by itself; newer nft lists the bare word. */
function rejectStatement(value: unknown): string {
  if (value === null) return "reject";
  const { type, expr } = object(value);
  if (type === "icmpx" && expr === "port-unreachable") return "reject";
  return ["reject", type, expr].filter((word) => word !== undefined).join(" ");
}

function matchStatement({ op, left, right }: Json): string {
  const key = selector(left);
  // Flags are asked for one by one (`in`): all of them and no other (`==`) is something else.
  if (/^ct (state|status)$/.test(key)) {
    return `${key} ${op === "in" ? "" : `${op} `}${flagList(right)}`;
  }
  const operator = op === "==" || op === "in" ? "" : `${String(op)} `;
  if (key.endsWith("name") && typeof right === "string") return `${key} ${operator}"${right}"`;
  if (/ [sd]addr$/.test(key)) return `${key} ${operator}${rangesText(operand(right))}`;
  const values = typeof right === "object" && right !== null && "set" in right
    ? `{ ${list(object(right)["set"]).map((value) => protocolName(key, value)).join(", ")} }`
    : protocolName(key, right);
  return `${key} ${operator}${values}`;
}

/** Flags in the order of their names: nft lists them in the order of their bits. */
function flagList(value: unknown): string {
  return Array.isArray(value) ? value.map(plain).toSorted().join(",") : plain(value);
}

/** nft lists numbers where the system has no /etc/protocols (Debian's netbase). */
const PROTOCOL_NAMES: ReadonlyMap<unknown, string> = new Map([
  [1, "icmp"],
  [6, "tcp"],
  [17, "udp"],
  [58, "ipv6-icmp"],
  [132, "sctp"],
]);

function protocolName(key: string, value: unknown): string {
  return key === "meta l4proto" ? protocolWord(value) : plain(value);
}

/** A protocol by its name, whatever nft made of it. */
export function protocolWord(value: unknown): string {
  return PROTOCOL_NAMES.get(value) ?? plain(value);
}

function translationStatement(kind: string, value: Json): string {
  const family = value["family"] === undefined ? "" : ` ${String(value["family"])}`;
  const address = value["addr"] === undefined ? "" : addressText(value["addr"]);
  const port = value["port"] === undefined ? "" : `:${plain(value["port"])}`;
  const flags = value["flags"] === undefined ? "" : ` ${plain(value["flags"])}`;
  return `${kind}${family}${address || port ? ` to ${address}${port}` : ""}${flags}`;
}

/** An address or a range, or the map that has it. */
function addressText(value: unknown): string {
  const { map } = typeof value === "object" && value !== null ? object(value) : {};
  if (map === undefined) return rangesText(operand(value));
  const { key, data } = object(map);
  return `${selector(key)} map ${String(data)}`;
}

function selector(value: unknown): string {
  const { meta, payload, ct, concat, fib } = object(value);
  if (concat !== undefined) return list(concat).map(selector).join(" . ");
  if (fib !== undefined) {
    const { flags, result } = object(fib);
    return `fib ${[flags].flat().join(" . ")} ${String(result)}`;
  }
  if (meta !== undefined) {
    const key = String(object(meta)["key"]);
    return key.endsWith("name") ? key : `meta ${key}`;
  }
  if (ct !== undefined) return `ct ${String(object(ct)["key"])}`;
  if (payload !== undefined) {
    const { protocol, field } = object(payload);
    if (protocol !== undefined) return `${String(protocol)} ${String(field)}`;
  }
  return JSON.stringify(value);
}

function plain(value: unknown): string {
  if (typeof value !== "object" || value === null) return String(value);
  if (Array.isArray(value)) return value.map(plain).join(",");
  const range = object(value)["range"];
  return Array.isArray(range) ? range.join("-") : JSON.stringify(value);
}

/** The addresses of one operand: an address, a prefix, a range, or a set of them. */
export function operand(value: unknown): readonly string[] {
  if (typeof value === "string") return [addressWord(value)];
  const { set, prefix, range } = object(value);
  if (set !== undefined) return list(set).flatMap(operand);
  if (prefix !== undefined) {
    const { addr, len } = object(prefix);
    return [`${addressWord(String(addr))}/${String(len)}`];
  }
  if (!Array.isArray(range)) return [JSON.stringify(value)];
  return [range.map((end) => typeof end === "string" ? addressWord(end) : end).join("-")];
}

/** nft ends an IPv6 address that holds one of IPv4 in dots (`::ffff:10.0.0.1`), a script of ours does not. */
function addressWord(text: string): string {
  if (!text.includes(":") || !text.includes(".")) return text;
  const address = parseAddress(text);
  return address === undefined ? text : formatAddress(address);
}

/**
 * Statements of a script in the form that {@linkcode Listing} has them: sets of addresses as
 * sorted ranges, because nft may list a set in another order and other pieces than it was given.
 */
export function canonicalStatements(statements: string): string {
  return statements
    .replace(
      /( [sd]addr )(!= )?(\{[^}]*\}|\S+)/g,
      (_, key: string, not: string | undefined, value: string) =>
        `${key}${not ?? ""}${rangesText(pieces(value))}`,
    )
    .replace(
      /(ct (?:state|status) (?:! )?)([a-z]+(?:,[a-z]+)*)/g,
      (_, key: string, flags: string) => `${key}${flags.split(",").toSorted().join(",")}`,
    )
    // nft up to 1.0.6 does not list that the map gives a port too.
    .replace(/ addr \. port to /, " to ")
    .replace(
      / to ([0-9a-f.]+(?:-[0-9a-f.]+)?)(?=:| |$)/,
      (_, value: string) => ` to ${rangesText([value])}`,
    );
}

function pieces(value: string): readonly string[] {
  return value.replace(/^\{ ?| ?\}$/g, "").split(", ");
}

function rangesText(texts: readonly string[]): string {
  const ranges = texts.map(readRange);
  const known = ranges.filter((range): range is AddressRange => range !== undefined)
    .toSorted((one, other) => one.start.value < other.start.value ? -1 : 1);
  if (known.length < texts.length) return texts.join(", ");
  const merged: AddressRange[] = [];
  for (const range of known) {
    const last = merged.at(-1);
    if (last !== undefined && range.start.value <= last.end.value + 1n) {
      const end = range.end.value > last.end.value ? range.end : last.end;
      merged[merged.length - 1] = { start: last.start, end };
    } else merged.push(range);
  }
  return merged.map(({ start, end }) => `${formatAddress(start)}-${formatAddress(end)}`).join(",");
}

function readRange(text: string): AddressRange | undefined {
  const subnet = parseSubnet(text);
  if (subnet !== undefined) return rangeOf(subnet);
  const [start, end] = text.split("-").map(parseAddress);
  return start === undefined || end === undefined ? undefined : { start, end };
}

/** The value as an object. @throws {SyntaxError} When it is none. */
export function object(value: unknown): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new SyntaxError(`Cannot read the answer of nft: found ${JSON.stringify(value)}`);
  }
  return value as Json;
}

/** The value as a list. @throws {SyntaxError} When it is none. */
export function list(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) {
    throw new SyntaxError(`Cannot read the answer of nft: found ${JSON.stringify(value)}`);
  }
  return value;
}
