import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { readWords } from "../../../backends/iptables/saved.ts";
import {
  type ChainKind,
  chainName,
  commentText,
  formatLine,
  formatTable,
  interfaceWord,
} from "../../../backends/iptables/script.ts";
import { UnsupportedNetworkError } from "../../../core/firewall_backend.ts";
import { byteLength } from "../../../core/quoted.ts";
import { INTERFACE_NAMES, TEXTS } from "../../support/arbitrary.ts";
import { wordsOf } from "../../support/model_iptables.ts";
import { WRITABLE_NAMES } from "./names.ts";

/** Names that JavaScript would split where neither the kernel nor iptables sees a space. */
const UNICODE_SPACES = [..."\u1680\u2000\u2003\u2028\u2029\u202f\u205f\u3000\ufeff"];

Deno.test("a word that means nothing to iptables stands without quotes", () => {
  assertEquals(
    formatLine(["-A", "BWALL_F=_-", "-s", "fd44::/64", "!", "--to-ports", "1024-65535"]),
    "-A BWALL_F=_- -s fd44::/64 ! --to-ports 1024-65535",
  );
});

Deno.test("a word with a space, a quote or a sign stands in quotes", () => {
  const words = ["", "a b", 'a"b', "a\\b", "it's", "#", "a;b", "ü", "\u2003"];
  assertEquals(
    formatLine(words),
    `"" "a b" "a\\"b" "a\\\\b" "it's" "#" "a;b" "ü" "\u2003"`,
  );
  assertEquals([readWords(formatLine(words)), wordsOf(formatLine(words))], [words, words]);
});

Deno.test("a word that would end its line is refused", () => {
  for (const word of ["a\nCOMMIT", "\n", "a\0b"]) {
    assertThrows(() => formatLine(["-s", word]), RangeError, "A word ends the line");
  }
});

Deno.test("whatever text a word holds, iptables reads the same word, and so do we", () => {
  const words = fc.oneof(
    TEXTS.map((text) => text.replaceAll(/[\r\n\0]/g, "")),
    fc.tuple(TEXTS, fc.constantFrom("x", "guests to outside")).map((two) => commentText(...two)),
    WRITABLE_NAMES,
  );
  fc.assert(fc.property(fc.array(words, { maxLength: 5 }), (line) => {
    const text = formatLine(line);
    assert(!/[\r\n]/.test(text), text);
    assertEquals(readWords(text), line);
    assertEquals(wordsOf(text), line);
  }));
});

Deno.test("a table is named, its lines follow, and it is taken at the end", () => {
  assertEquals(formatTable("nat", [["-N", "a"], ["-F", "b"]]), "*nat\n-N a\n-F b\nCOMMIT\n");
});

Deno.test("an interface name is written as it is", () => {
  const names = [
    "virbr0",
    "-b;{}$#*",
    "a'b",
    "a\\b",
    "+a",
    "a+b",
    "!a",
    "!!",
    "网",
    ...UNICODE_SPACES,
  ];
  for (const name of names) assertEquals(interfaceWord(name), name);
});

Deno.test("a name that iptables would take for another one, or for many, is refused", () => {
  for (const name of ["virbr+", "+", "++", "!", '"', 'a"b', '"a"']) {
    const error = assertThrows(
      () => interfaceWord(name),
      UnsupportedNetworkError,
      "The language of iptables cannot write the interface name",
    );
    assert(error.hint?.startsWith("Give the interface a name of letters"));
  }
});

Deno.test("a chain says what it is for and on which bridge", () => {
  assertEquals(chainName("FROM", "virbr0"), "BWALL_FROM_virbr0");
  assertEquals(chainName("NAT", "br.4_x-y"), "BWALL_NAT_br.4_x-y");
  assertEquals(chainName("INP", "-b;{}$#*"), "BWALL_I=LWI7e30kIyo");
  assertEquals(chainName("TO", "网"), "BWALL_T=572R");
  assertEquals(chainName("BACK", "x".repeat(15)), "BWALL_BACK_xxxxxxxxxxxxxxx");
});

const KINDS: fc.Arbitrary<ChainKind> = fc.constantFrom<ChainKind[]>(
  ...["FROM", "TO", "INP", "OUT", "NAT"] as const,
  ...["PRE", "BACK", "REQ", "ANS"] as const,
);

Deno.test("two bridges never share a chain, whatever their names, and the kernel takes all", () => {
  const names = fc.oneof(INTERFACE_NAMES, fc.stringMatching(/^[A-Za-z0-9_=-]{1,15}$/));
  fc.assert(
    fc.property(KINDS, names, KINDS, names, (kind, one, other, two) => {
      const [first, second] = [chainName(kind, one), chainName(other, two)];
      assert(/^BWALL_[A-Za-z0-9._=-]+$/.test(first), first);
      assert(byteLength(first) <= 28, first);
      assertEquals(first === second, kind === other && one === two);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("a bridge cannot be named so that its chain is that of another", () => {
  const bridge = "a;b";
  const encoded = chainName("FROM", bridge).slice("BWALL_F=".length);
  for (const other of [encoded, `=${encoded}`, `F=${encoded}`, `_${encoded}`]) {
    assert(chainName("FROM", other) !== chainName("FROM", bridge), other);
  }
});

Deno.test("a comment names the network and what the rule is for", () => {
  assertEquals(commentText("lan", "DNS"), "lan: DNS");
  assertEquals(commentText('a"b\\', "x"), 'a\\"b\\\\: x');
  assertEquals(commentText("a\nb\u2028", "x"), "a\\u{a}b\\u{2028}: x");
});

Deno.test("a name too long for a comment is cut, its purpose is not", () => {
  const comment = commentText("é".repeat(200), "guests to outside");
  assert(comment.endsWith("é…: guests to outside"), comment);
  assert(byteLength(comment) > 252, comment);
  assertEquals(commentText("n".repeat(252), "x"), `${"n".repeat(252)}: x`);
  assertEquals(commentText("n".repeat(253), "x"), `${"n".repeat(249)}…: x`);
});

Deno.test("no comment is longer than the kernel takes, or holds a control character", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary", maxLength: 400 }),
      TEXTS,
      fc.constantFrom("x", "TFTP, data that guests acknowledge"),
      (one, two, text) => {
        for (const name of [one, two, one + two]) {
          const comment = commentText(name, text);
          assert(!/[\p{C}\p{Zl}\p{Zp}]/u.test(comment), comment);
          assert(byteLength(comment) <= 255, comment);
          assert(comment.endsWith(`: ${text}`), comment);
        }
      },
    ),
  );
});
