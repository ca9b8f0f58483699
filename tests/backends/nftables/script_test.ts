import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  commentString,
  interfaceString,
  objectName,
  subnetSet,
} from "../../../backends/nftables/script.ts";
import { UnsupportedNetworkError } from "../../../core/firewall_backend.ts";
import { INTERFACE_NAMES, TEXTS } from "../../support/arbitrary.ts";
import { subnet } from "../../support/definitions.ts";

function bytes(text: string): number {
  return new TextEncoder().encode(text).length;
}

Deno.test("an interface name is written between quotes, as it is", () => {
  for (const name of ["virbr0", "a\\b", "{$e};#>", "网络", "a*b", "*a", "\\*a", "'"]) {
    assertEquals(interfaceString(name), `"${name}"`);
  }
});

Deno.test("a star at the end is a star, not any name that starts so", () => {
  assertEquals(interfaceString("virbr*"), '"virbr\\*"');
  assertEquals(interfaceString("*"), '"\\*"');
  assertEquals(interfaceString("a**"), '"a*\\*"');
});

Deno.test("names that the language of nft cannot write are refused", () => {
  for (
    const name of ['a"b', '"', "a\\*", "\\*", "\\0*", "a\\b*", "x".repeat(14) + "*", "x".repeat(17)]
  ) {
    const error = assertThrows(
      () => interfaceString(name),
      UnsupportedNetworkError,
      "The language of nftables cannot write the interface name",
    );
    assert(error.hint?.startsWith("Give the interface a name of letters"));
  }
  assertEquals(interfaceString("x".repeat(13) + "*"), `"${"x".repeat(13)}\\*"`);
  assertEquals(interfaceString("x".repeat(15)), `"${"x".repeat(15)}"`);
});

Deno.test("no interface name leaves its quotes, and no two share a text", () => {
  const written = (name: string): string | undefined => {
    try {
      return interfaceString(name);
    } catch (error) {
      assert(error instanceof UnsupportedNetworkError);
      return undefined;
    }
  };
  fc.assert(fc.property(INTERFACE_NAMES, INTERFACE_NAMES, (one, other) => {
    const text = written(one);
    if (text === undefined) return;
    // A string of nft: anything but quotes and line breaks between two quotes.
    assert(/^"[^"\n]+"$/.test(text) && !/[^\\]\*"$/.test(text), text);
    if (one !== other) assert(text !== written(other));
  }));
});

Deno.test("names of objects say what they are, in nft's letters", () => {
  assertEquals(objectName("from", "virbr0"), "from-virbr0");
  assertEquals(objectName("to", "br.4_x-y"), "to-br.4_x-y");
  assertEquals(objectName("nat", "a;b"), "nat-a/3bb");
  assertEquals(objectName("out", "é"), "out-/c3/a9");
});

Deno.test("two interfaces never share an object, whatever their names", () => {
  const kinds = fc.constantFrom("from", "to", "nat", "out", "in", "rejected");
  fc.assert(
    fc.property(kinds, INTERFACE_NAMES, kinds, INTERFACE_NAMES, (kind, one, other, two) => {
      const [first, second] = [objectName(kind, one), objectName(other, two)];
      assert(/^[a-z]+-[A-Za-z0-9/._-]+$/.test(first), first);
      // The kernel keeps 127 bytes of a chain's name (NFT_NAME_MAXLEN less JUMP's own limits).
      assert(first.length <= 9 + 3 * 15);
      assertEquals(first === second, kind === other && one === two);
    }),
  );
  assert(objectName("from", "a;") !== objectName("from", "a3b"));
  assert(objectName("from", "a;") !== objectName("from", "a_3b"));
});

Deno.test("a comment names the network and what the object is for", () => {
  assertEquals(commentString("lan", "rejected"), '"lan: rejected"');
  assertEquals(commentString('a"b\\', "x"), `"a\\'b\\\\: x"`);
  assertEquals(commentString("a\nb", "x"), '"a\\u{a}b: x"');
});

Deno.test("a name too long for a comment is cut, its purpose is not", () => {
  const comment = commentString("n".repeat(200), "guests to outside");
  assertEquals(bytes(comment), 127 + 2);
  assert(comment.endsWith('n…: guests to outside"'), comment);
  assertEquals(commentString("n".repeat(124), "x"), `"${"n".repeat(124)}: x"`);
});

Deno.test("no comment is too long for nft, ends early or holds a control character", () => {
  fc.assert(fc.property(TEXTS, fc.constantFrom("x", "guests to outside"), (name, text) => {
    const comment = commentString(name, text);
    assert(/^"[^"\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\p{Cs}]*"$/u.test(comment), comment);
    assert(bytes(comment.slice(1, -1)) <= 127, comment);
    assert(comment.endsWith(`: ${text}"`));
  }));
});

Deno.test("one subnet stands alone, several between braces, hosts without a prefix", () => {
  const set = (...texts: readonly string[]): string => subnetSet(texts.map(subnet));
  assertEquals(set("10.44.0.0/24"), "10.44.0.0/24");
  assertEquals(set("10.44.0.1/32"), "10.44.0.1");
  assertEquals(set("fd44::1/128"), "fd44::1");
  assertEquals(set("10.44.0.0/24", "255.255.255.255/32"), "{ 10.44.0.0/24, 255.255.255.255 }");
  assertEquals(set("fd44::/64", "ff02::/16"), "{ fd44::/64, ff02::/16 }");
});
