/** The parts that statements of pf.conf share: names, lists, interfaces, addresses and ports. */
import { parseAddress, type Subnet, subnetOf } from "../../../core/address.ts";
import type { Address, Named, PortOperator, Ports, TableEntry } from "./pf_rules.ts";
import { PfSyntaxError, readTokens, type Token } from "./pf_words.ts";

/** A place in a text; reading moves it on. */
export interface Reader {
  readonly source: string;
  readonly tokens: readonly Token[];
  at: number;
}

/** A reader of the text, at its start. */
export function readerOf(source: string): Reader {
  return { source, tokens: readTokens(source), at: 0 };
}

/** The token that comes next. */
export function peek({ tokens, at }: Reader): Token {
  const token = tokens[at];
  if (token === undefined) throw new PfSyntaxError(tokens.at(-1)?.line ?? 1, "syntax error");
  return token;
}

/** @throws {PfSyntaxError} always, with the line of the next token or of the last one. */
export function refuse(reader: Reader, why: string): never {
  const { line } = reader.tokens[Math.min(reader.at, reader.tokens.length - 1)] ?? { line: 1 };
  throw new PfSyntaxError(line, why);
}

/** Takes the next token when it is one of these keywords. */
export function keyword<T extends string>(reader: Reader, ...texts: readonly T[]): T | undefined {
  const { kind, text } = peek(reader);
  const found = kind === "keyword" ? texts.find((each) => each === text) : undefined;
  if (found !== undefined) reader.at++;
  return found;
}

/** Takes the next token when it is this symbol. */
export function symbol(reader: Reader, text: string): boolean {
  const next = peek(reader);
  if (next.kind !== "symbol" || next.text !== text) return false;
  reader.at++;
  return true;
}

/** Takes the symbol. */
export function expect(reader: Reader, text: string): void {
  if (!symbol(reader, text)) refuse(reader, `syntax error, "${text}" is wanted`);
}

/** Takes a name in quotes or a bare word that is no keyword, of so many bytes at most. */
export function name(reader: Reader, what: string, limit: number): string {
  const { kind, text } = peek(reader);
  if (kind !== "string") refuse(reader, `syntax error, the name of a ${what} is wanted`);
  if (new TextEncoder().encode(text).length > limit) refuse(reader, `${what} too long`);
  // In labels and tags pfctl puts something else for $if and the like.
  const isExpanded = text.includes("$") && (what === "label" || what === "tag");
  if (text === "" || isExpanded) refuse(reader, `the ${what} "${text}" is not read here`);
  reader.at++;
  return text;
}

/** Takes a number without needless zeros, which some versions read as octal. */
export function number(reader: Reader, low: number, high: number): number {
  const { kind, text } = peek(reader);
  const value = Number(text);
  if (kind !== "number" || String(value) !== text) refuse(reader, "a number is wanted");
  if (value < low || value > high) refuse(reader, `${text} is not within ${low} to ${high}`);
  reader.at++;
  return value;
}

/** Takes one item or `{ item, item … }`: commas are optional, lines may end after an item. */
export function list<T>(reader: Reader, item: (reader: Reader) => T): readonly T[] {
  if (!symbol(reader, "{")) return [item(reader)];
  skipNewlines(reader);
  const items: T[] = [];
  do {
    items.push(item(reader));
    skipNewlines(reader);
    // After a comma there is an item, on the same line.
    if (symbol(reader, ",") && symbol(reader, "}")) refuse(reader, "syntax error");
  } while (!symbol(reader, "}"));
  return items;
}

/** Takes the ends of lines that may stand in a list. */
export function skipNewlines(reader: Reader): void {
  while (peek(reader).kind === "newline") reader.at++;
}

/** `on IF`, `on ! IF`, `on { … }`; `[undefined]` where there is none. */
export function readInterfaces(reader: Reader): readonly (Named | undefined)[] {
  if (keyword(reader, "on") === undefined) return [undefined];
  return list(reader, () => {
    const negated = symbol(reader, "!");
    return { name: name(reader, "interface", 15), negated };
  });
}

/** The tag of `tag T` and of `tagged T`. */
export function readTag(reader: Reader): string {
  return name(reader, "tag", 63);
}

/** `address`, `address/prefix`, `(IF)`, `<table>`, each with `!` before it where that is allowed. */
export function readAddress(reader: Reader): Address {
  if (symbol(reader, "<")) {
    const table: Address = { kind: "table", name: name(reader, "table", 31) };
    expect(reader, ">");
    return table;
  }
  return symbol(reader, "(") ? readInterfaceAddress(reader) : {
    kind: "subnet",
    subnet: readSubnet(reader),
  };
}

function readInterfaceAddress(reader: Reader): Address {
  const [interfaceName = "", modifier, ...more] = name(reader, "interface", 23).split(":");
  expect(reader, ")");
  if (!/^[A-Za-z]/.test(interfaceName)) refuse(reader, `invalid interface name '${interfaceName}'`);
  if (new TextEncoder().encode(interfaceName).length > 15) refuse(reader, "interface too long");
  const part = modifier === undefined
    ? "all"
    : ({ "0": "first", network: "network", broadcast: "broadcast" } as const)[modifier];
  if (part === undefined || more.length > 0) refuse(reader, "interface has bad modifier");
  return { kind: "interface", name: interfaceName, part };
}

/** Only numeric addresses: names are looked up, and interfaces must be there. */
function readSubnet(reader: Reader): Subnet {
  const { kind, text } = peek(reader);
  const isPlain = text.includes(":") || /^(?:(?:0|[1-9]\d{0,2})(?:\.(?!$)|$)){4}$/.test(text);
  const address = kind === "string" && isPlain ? parseAddress(text) : undefined;
  if (address === undefined) refuse(reader, "could not parse host specification");
  reader.at++;
  const bits = address.family === "ipv4" ? 32 : 128;
  if (!symbol(reader, "/")) return subnetOf(address, bits);
  const prefix = number(reader, 0, bits);
  const subnet = subnetOf(address, prefix);
  if (subnet.value !== address.value) refuse(reader, `${text}/${prefix} has host bits`);
  return subnet;
}

/** One address of a table. */
export function readTableEntry(reader: Reader): TableEntry {
  const negated = symbol(reader, "!");
  const address = readAddress(reader);
  if (address.kind !== "subnet") refuse(reader, `a table cannot contain a ${address.kind}`);
  return { subnet: address.subnet, negated };
}

/** The ports after `port`. */
export function readPorts(reader: Reader): readonly Ports[] {
  return list(reader, readPortItem);
}

function readPortItem(reader: Reader): Ports {
  const operator = readUnaryOperator(reader);
  const [first, last] = readPortRange(reader);
  if (operator !== undefined) {
    if (last !== undefined) refuse(reader, "':' cannot be used with an other port operator");
    return { operator, first, last: first };
  }
  if (last !== undefined) {
    return first === last ? { operator: "=", first, last } : { operator: ":", first, last };
  }
  const binary = (["><", "<>"] as const).find((each) => symbol(reader, each));
  if (binary === undefined) return { operator: "=", first, last: first };
  const [end, endOfEnd] = readPortRange(reader);
  if (endOfEnd !== undefined || end < first) refuse(reader, "invalid port range");
  return { operator: binary, first, last: end };
}

function readUnaryOperator(reader: Reader): PortOperator | undefined {
  if (symbol(reader, "=")) return "=";
  if (symbol(reader, "!")) {
    expect(reader, "=");
    return "!=";
  }
  const operator = (["<", ">"] as const).find((each) => symbol(reader, each));
  return operator !== undefined && symbol(reader, "=") ? `${operator}=` : operator;
}

/** `N`, or `N:M` with an end; a number before an operator is lexed as a word. */
export function readPortRange(reader: Reader): readonly [number, number | undefined] {
  const { text, quoted } = peek(reader);
  const [, first, last] = /^(0|[1-9]\d*)(?::(0|[1-9]\d*))?$/.exec(text) ?? [];
  if (first === undefined || quoted) refuse(reader, `unknown port ${text}`);
  const [low, high] = [Number(first), last === undefined ? undefined : Number(last)];
  if (Math.max(low, high ?? 0) > 65535) refuse(reader, `illegal port value ${text}`);
  // Until 2024 pfctl took it, newer ones do not.
  if (high !== undefined && high < low) refuse(reader, "invalid port range");
  reader.at++;
  return [low, high];
}
