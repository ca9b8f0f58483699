/** `pass …` and `block …`. */
import { expand, type Icmp, readStatement, type Statement } from "./pf_criteria.ts";
import {
  expect,
  keyword,
  list,
  name,
  number,
  peek,
  type Reader,
  readTag,
  refuse,
  symbol,
} from "./pf_reader.ts";
import type { FilterRule } from "./pf_rules.ts";
import { PROTOCOLS } from "../packets/packet.ts";

/** What `set block-policy` and `set state-policy` say; they hold for the rest of the file. */
export interface Policies {
  readonly block: "drop" | "return";
  readonly state: "floating" | "if-bound";
}

/** What may follow the addresses. */
type Options =
  & {
    -readonly [K in "label" | "tag" | "maxStates"]?: FilterRule[K];
  }
  & {
    flags?: Statement["flags"];
    icmp?: Statement["icmp"];
    tagged?: Statement["tagged"];
    state?: "no" | "keep" | "modulate" | "synproxy";
    stateLock?: Policies["state"];
    sloppy?: boolean;
    allowOptions?: boolean;
  };

/** Without `text`, which the caller knows. */
export type Untold<T> = Omit<T, "text">;

/** Takes a filter rule up to the end of its line. */
export function readFilterRules(
  reader: Reader,
  action: FilterRule["action"],
  policies: Policies,
): readonly Untold<FilterRule>[] {
  const answer = action === "pass" ? "drop" : readAnswer(reader, policies);
  const direction = keyword(reader, "in", "out");
  const quick = readLogQuick(reader);
  const head = readStatement(reader, direction);
  const options = readOptions(reader);
  const keepState = action === "pass" && options.state !== "no";
  checkOptions(reader, action, answer, head, options);
  const hasFlags = "flags" in options;
  const flags = hasFlags ? options.flags : keepState ? { set: "S", mask: "SA" } : undefined;
  const { icmp = [undefined], tagged } = options;
  return expand(reader, { ...head, flags, icmp, tagged }).map((criteria) => ({
    kind: "filter",
    criteria,
    action,
    answer,
    quick,
    keepState,
    ifBound: keepState && (options.stateLock ?? policies.state) === "if-bound",
    maxStates: options.maxStates,
    allowOptions: options.allowOptions ?? false,
    label: options.label,
    tag: options.tag,
  }));
}

function readAnswer(reader: Reader, { block }: Policies): FilterRule["answer"] {
  return keyword(reader, "drop", "return", "return-rst", "return-icmp") ?? block;
}

function readLogQuick(reader: Reader): boolean {
  const [first, second] = [keyword(reader, "log", "quick"), keyword(reader, "log", "quick")];
  if (first !== undefined && first === second) refuse(reader, "syntax error");
  return first === "quick" || second === "quick";
}

function checkOptions(
  reader: Reader,
  action: FilterRule["action"],
  answer: FilterRule["answer"],
  { protocols }: Statement,
  options: Options,
): void {
  const hasState = options.state !== undefined && options.state !== "no";
  if (action === "block" && hasState) refuse(reader, "keep state is only for pass rules");
  if (action === "block" && options.allowOptions === true) {
    refuse(reader, "allow-opts can only be specified for pass rules");
  }
  if (options.sloppy === true && options.state !== "keep") {
    refuse(reader, "sloppy state matching cannot be used with modulate or synproxy state");
  }
  if (answer === "return-rst" && protocols.some((each) => each !== PROTOCOLS.tcp)) {
    refuse(reader, "return-rst can only be applied to TCP rules");
  }
  const noTcp = !protocols.some((each) => each === undefined || each === PROTOCOLS.tcp);
  if (options.flags !== undefined && noTcp) refuse(reader, "flags only apply to tcp");
}

/** In any order, each once: pfctl lets some of them come again. */
function readOptions(reader: Reader): Options {
  const options: Options = {};
  const seen = new Set<string>();
  while (peek(reader).kind !== "newline") {
    const option = readOption(reader, options);
    if (seen.has(option)) refuse(reader, `${option} cannot be redefined`);
    seen.add(option);
  }
  return options;
}

const OPTIONS = ["flags", "icmp-type", "icmp6-type", "allow-opts", "label", "tag"] as const;

/** What it is, `icmp-type` for both kinds of it. */
function readOption(reader: Reader, options: Options): string {
  if (symbol(reader, "!")) {
    if (keyword(reader, "tagged") === undefined) refuse(reader, "syntax error");
    options.tagged = { name: readTag(reader), negated: true };
    return "tagged";
  }
  const state = keyword(reader, "no", "keep", "modulate", "synproxy");
  if (state !== undefined) {
    if (keyword(reader, "state") === undefined) refuse(reader, "syntax error");
    options.state = state;
    if (state !== "no" && symbol(reader, "(")) readStateOptions(reader, options);
    return "state";
  }
  const option = keyword(reader, ...OPTIONS, "tagged");
  switch (option) {
    case "flags":
      options.flags = readFlags(reader);
      return option;
    case "icmp-type":
    case "icmp6-type":
      options.icmp = list(reader, () => readIcmp(reader, option === "icmp6-type"));
      return "icmp-type";
    case "allow-opts":
      options.allowOptions = true;
      return option;
    case "label":
      options.label = name(reader, "label", 63);
      return option;
    case "tag":
      options.tag = readTag(reader);
      return option;
    case "tagged":
      options.tagged = { name: readTag(reader), negated: false };
      return option;
    case undefined:
      return refuse(reader, "syntax error");
  }
}

function readStateOptions(reader: Reader, options: Options): void {
  do {
    const option = keyword(reader, "max", "if-bound", "floating", "sloppy");
    if (option === "max" && options.maxStates === undefined) {
      options.maxStates = number(reader, 1, 0xffffffff);
    } else if (option === "sloppy" && options.sloppy === undefined) options.sloppy = true;
    else if ((option === "if-bound" || option === "floating") && options.stateLock === undefined) {
      options.stateLock = option;
    } else refuse(reader, "state option: unknown, or multiple definitions");
    if (symbol(reader, ",") && symbol(reader, ")")) refuse(reader, "syntax error");
  } while (!symbol(reader, ")"));
}

function readFlags(reader: Reader): Statement["flags"] {
  if (keyword(reader, "any") !== undefined) return undefined;
  const set = symbol(reader, "/") ? "" : name(reader, "flags", 8);
  if (set !== "") expect(reader, "/");
  const mask = name(reader, "flags", 8);
  if (!/^[FSRPAUEW]+$/.test(set + mask)) refuse(reader, `bad flags ${set}/${mask}`);
  if ([...set].some((flag) => !mask.includes(flag))) refuse(reader, "flags always false");
  return { set, mask };
}

const ICMP_TYPES: Readonly<Record<string, number>> = {
  echorep: 0,
  unreach: 3,
  echoreq: 8,
  timex: 11,
  paramprob: 12,
};

const ICMP6_TYPES: Readonly<Record<string, number>> = {
  unreach: 1,
  toobig: 2,
  timex: 3,
  paramprob: 4,
  echoreq: 128,
  echorep: 129,
  listqry: 130,
  listenrep: 131,
  listendone: 132,
  routersol: 133,
  routeradv: 134,
  neighbrsol: 135,
  neighbradv: 136,
  redir: 137,
};

function readIcmp(reader: Reader, isIcmp6: boolean): Icmp {
  const type = peek(reader).kind === "number"
    ? number(reader, 0, 255)
    : (isIcmp6 ? ICMP6_TYPES : ICMP_TYPES)[name(reader, "icmp-type", 15)];
  if (type === undefined) refuse(reader, "unknown icmp-type");
  const code = keyword(reader, "code") === undefined ? undefined : number(reader, 0, 255);
  return { protocol: isIcmp6 ? PROTOCOLS.icmp6 : PROTOCOLS.icmp, type, code };
}
