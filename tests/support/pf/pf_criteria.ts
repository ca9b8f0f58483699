/** What a rule matches: read as one statement, then expanded into a rule for each combination. */
import type { Family } from "../../../core/address.ts";
import {
  keyword,
  list,
  name,
  number,
  peek,
  readAddress,
  type Reader,
  readInterfaces,
  readPorts,
  refuse,
  symbol,
} from "./pf_reader.ts";
import type { Address, Criteria, Direction, Named, Peer, Ports } from "./pf_rules.ts";
import { PROTOCOLS } from "../packets/packet.ts";

/** An address as a statement has it. */
interface Host {
  readonly address: Address;
  readonly negated: boolean;
}

/** `from …` or `to …`. */
export interface Side {
  readonly hosts: readonly Host[];
  readonly ports: readonly (Ports | undefined)[];
}

/** The lists of a statement; each has one element or more, of which `undefined` matches all. */
export interface Statement {
  readonly direction: Direction | undefined;
  readonly interfaces: readonly (Named | undefined)[];
  readonly family: Family | undefined;
  readonly protocols: readonly (number | undefined)[];
  readonly source: Side;
  readonly destination: Side;
  readonly icmp: readonly (Icmp | undefined)[];
  readonly flags: Criteria["flags"];
  readonly tagged: Named | undefined;
}

/** One type of `icmp-type` or `icmp6-type`. */
export interface Icmp {
  readonly protocol: number;
  readonly type: number;
  readonly code: number | undefined;
}

const ANY: Host = { address: { kind: "any" }, negated: false };
const EVERY: Side = { hosts: [ANY], ports: [undefined] };

/** Takes `[on …] [inet|inet6] [proto …] [all | from … to …]`, in this order. */
export function readStatement(reader: Reader, direction: Direction | undefined): Statement {
  const interfaces = readInterfaces(reader);
  const inet = keyword(reader, "inet", "inet6");
  const family = inet === undefined ? undefined : inet === "inet" ? "ipv4" : "ipv6";
  const protocols = keyword(reader, "proto") === undefined
    ? [undefined]
    : list(reader, readProtocol);
  const all = keyword(reader, "all") !== undefined;
  const source = all || keyword(reader, "from") === undefined ? EVERY : readSide(reader);
  const destination = all || keyword(reader, "to") === undefined ? EVERY : readSide(reader);
  const none = { icmp: [undefined], flags: undefined, tagged: undefined };
  return { direction, interfaces, family, protocols, source, destination, ...none };
}

function readProtocol(reader: Reader): number {
  if (peek(reader).kind === "number") return number(reader, 1, 255);
  const protocol = name(reader, "protocol", 15);
  const known: Readonly<Record<string, number>> = PROTOCOLS;
  return known[protocol] ?? refuse(reader, `unknown protocol ${protocol}`);
}

function readSide(reader: Reader): Side {
  const hosts = startsPorts(reader) ? [ANY] : readHosts(reader);
  return { hosts, ports: keyword(reader, "port") === undefined ? [undefined] : readPorts(reader) };
}

function startsPorts(reader: Reader): boolean {
  const { kind, text } = peek(reader);
  return kind === "keyword" && text === "port";
}

/** In a list, `any` would be passed over by pfctl, so it is refused. */
function readHosts(reader: Reader): readonly Host[] {
  if (keyword(reader, "any") !== undefined) return [ANY];
  return list(reader, () => {
    const negated = symbol(reader, "!");
    return { address: readAddress(reader), negated };
  });
}

/** The family that an address has by itself. */
export function familyOf(address: Address): Family | undefined {
  return address.kind === "subnet" ? address.subnet.family : undefined;
}

/** What each rule of the statement matches; combinations of two families are left out, as pfctl does. */
export function expand(reader: Reader, statement: Statement): readonly Criteria[] {
  const { interfaces, protocols, icmp, source, destination } = statement;
  const criteria = interfaces.flatMap((on) =>
    protocols.flatMap((protocol) =>
      icmp.flatMap((type) =>
        peers(source).flatMap((from) =>
          peers(destination).flatMap((to) =>
            combine(reader, statement, on, protocol, type, from, to)
          )
        )
      )
    )
  );
  if (criteria.length === 0) refuse(reader, "rule expands to no valid combination");
  return criteria;
}

function peers({ hosts, ports }: Side): readonly Peer[] {
  return hosts.flatMap((host) => ports.map((each) => ({ ...host, ports: each })));
}

function combine(
  reader: Reader,
  { direction, family: stated, flags, tagged }: Statement,
  on: Named | undefined,
  protocol: number | undefined,
  icmp: Icmp | undefined,
  source: Peer,
  destination: Peer,
): readonly Criteria[] {
  const families = [stated, familyOf(source.address), familyOf(destination.address)]
    .filter((family) => family !== undefined);
  const [family] = families;
  if (families.some((each) => each !== family)) return [];
  const isTcp = protocol === undefined || protocol === PROTOCOLS.tcp;
  const criteria = {
    interface: on,
    direction,
    family,
    protocol,
    source,
    destination,
    flags: isTcp ? flags : undefined,
    icmp: icmp === undefined ? undefined : { type: icmp.type, code: icmp.code },
    tagged,
  };
  if (icmp !== undefined && icmp.protocol !== protocol) refuse(reader, "icmp-type mismatch");
  checkCriteria(reader, criteria);
  return [criteria];
}

/** What pfctl refuses of a filter or an rdr rule; the others are held to the same. */
function checkCriteria(reader: Reader, criteria: Criteria): void {
  const { family, protocol, source, destination, icmp } = criteria;
  const hasPorts = protocol === PROTOCOLS.tcp || protocol === PROTOCOLS.udp;
  if (!hasPorts && (source.ports !== undefined || destination.ports !== undefined)) {
    refuse(reader, "port only applies to tcp/udp");
  }
  if (icmp !== undefined && family === undefined) {
    refuse(reader, "must indicate address family with icmp-type/code");
  }
  if (
    family === (protocol === PROTOCOLS.icmp ? "ipv6" : protocol === PROTOCOLS.icmp6 ? "ipv4" : "")
  ) {
    refuse(reader, "proto doesn't match address family");
  }
}
