import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { byteLength, cutToBytes, quoted, quotedPath } from "../../core/quoted.ts";

/** Any character of Unicode, halves of pairs as well. */
const ANY_CHARACTER = fc.nat({ max: 0x10ffff }).map((code) => String.fromCodePoint(code));

Deno.test("ordinary text is repeated as it is", () => {
  assertEquals(quoted("réseau 网 😀"), '"réseau 网 😀"');
  assertEquals(quoted(""), '""');
});

Deno.test("what a terminal would act on is spelled out", () => {
  assertEquals(quoted('a"\\b'), '"a\\"\\\\b"');
  assertEquals(
    quoted("\u001b[2J\n\u009b\u202ex\ud800"),
    '"\\u{1b}[2J\\u{a}\\u{9b}\\u{202e}x\\u{d800}"',
  );
});

Deno.test("long text is cut", () => {
  assertEquals(quoted("x".repeat(80)), `"${"x".repeat(80)}"`);
  assertEquals(quoted("x".repeat(81)), `"${"x".repeat(80)}…"`);
  assertEquals(quoted("😀".repeat(1000)), `"${"😀".repeat(80)}…"`);
});

Deno.test("no text of others gets a line break or control character out", () => {
  fc.assert(fc.property(fc.string({ unit: ANY_CHARACTER }), (text) => {
    // Unicode: control characters, separators of lines and paragraphs, directions.
    assert(!/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u.test(quoted(text)));
  }));
});

Deno.test("a path is quoted whole, however long it is", () => {
  assertEquals(quotedPath(`${"x".repeat(200)}\n"`), `"${"x".repeat(200)}\\u{a}\\""`);
});

Deno.test("text has the length that it takes in a file", () => {
  assertEquals(["", "lan", "é", "网", "😀"].map(byteLength), [0, 3, 2, 3, 4]);
});

Deno.test("text that fits stays whole, and other text says that it was cut", () => {
  assertEquals(cutToBytes("réseau", 7), "réseau");
  assertEquals(cutToBytes("réseau", 6), "ré…");
  assertEquals(cutToBytes("réseau", 5), "r…");
  assertEquals(cutToBytes("😀😀", 7), "😀…");
  assertEquals(cutToBytes("", 3), "");
});

Deno.test("no cut text is too long, and none is cut within a character", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: ANY_CHARACTER }),
      fc.integer({ min: 3, max: 99 }),
      (text, most) => {
        const cut = cutToBytes(text, most);
        assert(byteLength(cut) <= most);
        assert(cut === text || text.startsWith(cut.slice(0, -1)), cut);
        assertEquals(cut.isWellFormed() || !text.isWellFormed(), true);
      },
    ),
  );
});
