/**
 * Text → tokens, by the rules of the lexer in sbin/pfctl/parse.y of FreeBSD 13 to 15, yylex() and
 * lgetc().
 *
 * It knows less than pfctl: macros, `include`, single quotes, line breaks inside of quotes and
 * backslashes inside of bare words are refused, although pfctl has a meaning for them.
 */

/** What pfctl, or this reading of it, refuses: `LINE: why`. */
export class PfSyntaxError extends Error {
  override readonly name = "PfSyntaxError";

  constructor(readonly line: number, why: string) {
    super(`${line}: ${why}`);
  }
}

/** What a token is; `string` is a bare word that is no keyword, or one in quotes. */
export type TokenKind = "string" | "keyword" | "number" | "symbol" | "newline";

/** One token, and where the text has it. */
export interface Token {
  readonly kind: TokenKind;
  /** Without quotes. */
  readonly text: string;
  /** Whether it stood in quotes. */
  readonly quoted: boolean;
  /** The first line is 1. */
  readonly line: number;
  readonly start: number;
  readonly end: number;
}

/** Words that cannot be the bare name of anything; those of several versions and their forks. */
const KEYWORDS: ReadonlySet<string> = new Set(
  `af-to all allow-opts allow-related altq anchor antispoof any bandwidth binat binat-anchor
  binat-to bitmask block block-policy bridge-to buckets cbq code codelq crop debug divert-packet
  divert-reply divert-to dnpipe dnqueue drop drop-ovl dup-to endpoint-independent entries ether
  fail-policy fairq fastroute file fingerprints flags floating flush for fragment from global group
  hfsc hogs hostid icmp-type icmp6-type if-bound in include inet inet6 interval keep keepcounters
  l3 label limit limiter linkshare load log loginterface map-e-portset match matches max max-mss
  max-pkt-rate max-pkt-size max-src-conn max-src-conn-rate max-src-nodes max-src-states min-ttl
  modulate nat nat-anchor nat-to no no-df no-route no-sync on once optimization os out overload pass
  pflow port prefer-ipv6-nexthop prio priority priq probability proto qlimit queue quick random
  random-id rate rdr rdr-anchor rdr-to realtime reassemble received-on reply-to require-order return
  return-icmp return-icmp6 return-rst ridentifier round-robin route route-to rtable rule
  ruleset-optimization schedule scrub set set-tos skip sloppy source source-hash source-track state
  state-defaults state-policy states static-port sticky-address syncookies synproxy table tag tagged
  target tbrsize timeout to tos ttl upperlimit urpf-failed user`.split(/\s+/),
);

/** Between tokens: blanks, joined lines, and comments, which a backslash carries on as well. */
const BLANK = /(?:[ \t]|\\\n|#(?:[^\n\\]|\\\n|\\[^\n])*)+/y;

/** A backslash stays, before a quote it makes the quote a part of the string. */
const QUOTED = /"((?:[^"\\\n]|\\(?:"|(?!["\n])))*)"/y;

/** A number ends before one of these characters; before any other it is the start of a word. */
const NUMBER = /[0-9]+(?=[\s),/}=]|$)/y;

const WORD = /[A-Za-z0-9:_][A-Za-z0-9!-~]*/y;

/** The characters that end a word, and the backslash, which is not looked into here. */
const WORD_END = /[(){}<>!=/#,\\]/;

const SYMBOL = /->|<>|><|[(){}<>!=/,]/y;

/**
 * The tokens of a file. Its last line must end in a newline as soon as there is a word on it.
 *
 * @throws {PfSyntaxError} for what pfctl does not read, and for what is not read here.
 */
export function readTokens(text: string): readonly Token[] {
  const tokens: Token[] = [];
  let at = 0;
  let line = 1;
  while (at < text.length) {
    const blank = matchAt(BLANK, text, at)?.[0];
    if (blank !== undefined) {
      at += blank.length;
      line += blank.split("\n").length - 1;
      continue;
    }
    const token = tokenAt(text, at, line);
    tokens.push(token);
    at = token.end;
    if (token.kind === "newline") line++;
  }
  const last = tokens.at(-1);
  if (last !== undefined && last.kind !== "newline") throw new PfSyntaxError(line, "syntax error");
  return tokens;
}

function tokenAt(text: string, start: number, line: number): Token {
  const token = (kind: TokenKind, length: number, value?: string): Token => {
    const end = start + length;
    return {
      kind,
      text: value ?? text.slice(start, end),
      quoted: kind === "string",
      line,
      start,
      end,
    };
  };
  if (text[start] === "\n") return token("newline", 1);
  const quoted = matchAt(QUOTED, text, start);
  if (quoted !== undefined) {
    return token("string", quoted[0].length, (quoted[1] ?? "").replaceAll('\\"', '"'));
  }
  const number = matchAt(NUMBER, text, start)?.[0];
  if (number !== undefined) return token("number", number.length);
  const word = wordAt(text, start);
  if (word !== "") {
    if (text[start + word.length] === "\\") {
      throw new PfSyntaxError(line, `a backslash in the word "${word}" is not read here`);
    }
    const kind = KEYWORDS.has(word) ? "keyword" : "string";
    return { ...token(kind, word.length), quoted: false };
  }
  const symbol = matchAt(SYMBOL, text, start)?.[0];
  if (symbol !== undefined) return token("symbol", symbol.length);
  throw new PfSyntaxError(line, `the character ${JSON.stringify(text[start])} is not read here`);
}

function wordAt(text: string, start: number): string {
  const longest = matchAt(WORD, text, start)?.[0] ?? "";
  const end = longest.search(WORD_END);
  return end === -1 ? longest : longest.slice(0, end);
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text) ?? undefined;
}
