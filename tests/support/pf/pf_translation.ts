/** `nat …`, `rdr …`, `binat …` and what follows their `->`. */
import { expand, familyOf, readStatement, type Statement } from "./pf_criteria.ts";
import type { Untold } from "./pf_filter.ts";
import {
  expect,
  keyword,
  list,
  peek,
  readAddress,
  type Reader,
  readPortRange,
  readTag,
  refuse,
  symbol,
} from "./pf_reader.ts";
import type {
  Address,
  Criteria,
  Named,
  Pool,
  PoolMethod,
  TranslationKind,
  TranslationRule,
} from "./pf_rules.ts";
import { PROTOCOLS } from "../packets/packet.ts";

/** The ports of nat where none are given, PF_NAT_PROXY_PORT_LOW and _HIGH. */
const DEFAULT_PORTS = { first: 50001, last: 65535 };

/** Takes a translation rule up to the end of its line. */
export function readTranslationRules(
  reader: Reader,
  kind: TranslationKind,
  isNo: boolean,
): readonly Untold<TranslationRule>[] {
  const pass = keyword(reader, "pass") !== undefined;
  if (pass && isNo) refuse(reader, '"pass" not valid with "no"');
  const head = readStatement(reader, undefined);
  const tag = keyword(reader, "tag") === undefined ? undefined : readTag(reader);
  const tagged = readTagged(reader);
  const pool = isNo ? undefined : readPool(reader, kind, head);
  const addresses = [head.source.hosts[0], head.destination.hosts[0]].map((each) => each?.address);
  // Unlike in filter rules, the first address decides for all combinations.
  const [family] = [head.family, ...[...addresses, pool?.addresses[0]].map(familyOfAny)]
    .filter((each) => each !== undefined);
  if (pool?.addresses.some((each) => ![undefined, family].includes(familyOf(each)))) {
    refuse(reader, "no translation address with matching address family found");
  }
  if (kind === "binat") checkBinat(reader, head, pool);
  return expand(reader, { ...head, tagged, family }).map((criteria) => {
    checkTranslation(reader, kind, criteria, pool);
    return { kind, criteria, pass, pool, tag };
  });
}

function familyOfAny(address: Address | undefined): Criteria["family"] {
  return address === undefined ? undefined : familyOf(address);
}

function readTagged(reader: Reader): Named | undefined {
  const negated = symbol(reader, "!");
  if (keyword(reader, "tagged") !== undefined) return { name: readTag(reader), negated };
  return negated ? refuse(reader, "syntax error") : undefined;
}

function readPool(reader: Reader, kind: TranslationKind, head: Statement): Pool {
  expect(reader, "->");
  const addresses = kind === "binat" ? [readAddress(reader)] : list(reader, readAddress);
  if (addresses.some(({ kind }) => kind === "any")) refuse(reader, "syntax error");
  const isPortGiven = kind !== "binat" && keyword(reader, "port") !== undefined;
  const given = isPortGiven ? readPoolPorts(reader, kind, head) : undefined;
  const options = readPoolOptions(reader, kind);
  if (options.staticPort && given !== undefined) {
    refuse(reader, "the 'static-port' option can't be used when specifying a port range");
  }
  const isDynamic = addresses.length > 1 || addresses.some(hasSeveral);
  const method = options.method ?? (isDynamic ? "round-robin" : "single");
  if (isDynamic && method !== "round-robin") {
    refuse(reader, "only round-robin valid for multiple redirection addresses");
  }
  const ports = given ?? (kind === "nat" && !options.staticPort ? DEFAULT_PORTS : undefined);
  return { addresses, ports, sticky: options.sticky, staticPort: options.staticPort, method };
}

/** `(IF:0)` has one address, unless its name looks like that of a group. */
function hasSeveral(address: Address): boolean {
  return address.kind === "table" ||
    address.kind === "interface" && (address.part !== "first" || !/\d$/.test(address.name));
}

function readPoolPorts(reader: Reader, kind: TranslationKind, head: Statement): Pool["ports"] {
  const [, text] = /^(\d+):\*$/.exec(peek(reader).text) ?? [];
  if (text !== undefined) {
    const [range] = head.destination.ports;
    if (kind !== "rdr" || range?.operator !== ":") refuse(reader, "':*' needs a range of ports");
    const first = Number(text);
    const last = first + range.last - range.first;
    if (first < 1 || last > 65535 || String(first) !== text) refuse(reader, "illegal port value");
    reader.at++;
    return { first, last };
  }
  const [first, last = first] = readPortRange(reader);
  return first === 0 ? refuse(reader, "illegal port value 0") : { first, last };
}

interface PoolOptions {
  method?: PoolMethod;
  sticky: boolean;
  staticPort: boolean;
}

function readPoolOptions(reader: Reader, kind: TranslationKind): PoolOptions {
  const options: PoolOptions = { sticky: false, staticPort: false };
  if (kind === "binat") return options;
  const methods = ["bitmask", "random", "round-robin", "source-hash"] as const;
  for (;;) {
    const option = keyword(reader, ...methods, "static-port", "sticky-address");
    if (option === undefined) return options;
    if (option === "static-port") {
      if (options.staticPort || kind !== "nat") refuse(reader, "static-port cannot be used");
      options.staticPort = true;
    } else if (option === "sticky-address") {
      if (options.sticky) refuse(reader, "sticky-address cannot be redefined");
      options.sticky = true;
    } else {
      if (options.method !== undefined) refuse(reader, "pool type cannot be redefined");
      options.method = option;
      if (option === "source-hash") readHashKey(reader);
    }
  }
}

function readHashKey(reader: Reader): void {
  const { kind, text } = peek(reader);
  if (kind !== "string") return;
  if (!/^0x[0-9a-f]{32}$/.test(text)) refuse(reader, "hex key must be 128 bits");
  reader.at++;
}

function checkTranslation(
  reader: Reader,
  kind: TranslationKind,
  { protocol, destination, family }: Criteria,
  pool: Pool | undefined,
): void {
  if (kind !== "rdr") return;
  const hasPorts = protocol === PROTOCOLS.tcp || protocol === PROTOCOLS.udp;
  if (!hasPorts && pool?.ports !== undefined) refuse(reader, "rpool port only applies to tcp/udp");
  const operator = destination.ports?.operator ?? "=";
  if (operator !== "=" && operator !== ":") {
    refuse(reader, "invalid port operator for rdr destination port");
  }
  const isNamed = pool?.addresses.every((address) => familyOf(address) === undefined) ?? true;
  if (family === undefined && !isNamed) refuse(reader, "address family not given");
}

/** One source, one target of the same size, and no lists. */
function checkBinat(reader: Reader, head: Statement, pool: Pool | undefined): void {
  const { source, destination, interfaces, protocols } = head;
  const [from, to] = [source.hosts[0], destination.hosts[0]];
  const lists = [source.hosts, destination.hosts, interfaces, protocols];
  const hasPorts = [...source.ports, ...destination.ports].some((each) => each !== undefined);
  if (lists.some(({ length }) => length > 1) || hasPorts || from?.negated !== false) {
    refuse(reader, "binat takes one address, without ports");
  }
  const target = pool?.addresses[0] ?? from.address;
  if (from.address.kind !== "subnet" || target.kind !== "subnet" || to === undefined) {
    refuse(reader, "binat takes an address or a subnet here");
  }
  if (from.address.subnet.prefix !== target.subnet.prefix) {
    refuse(reader, "'binat' source mask and redirect mask must be the same");
  }
}
