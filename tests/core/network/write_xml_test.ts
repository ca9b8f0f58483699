import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { parse, stringify } from "@std/xml";
import type { XmlElement, XmlNode } from "@std/xml";

/** A tree as it is compared: what a reader adds (positions, no prototype) left out. */
function plain(node: XmlNode): unknown {
  if (node.type !== "element") return node;
  const { type, name, attributes, children } = node;
  return { type, name, attributes: Object.entries(attributes), children: children.map(plain) };
}

function element(
  raw: string,
  attributes: Readonly<Record<string, string>> = {},
  children: readonly XmlNode[] = [],
): XmlElement {
  return { type: "element", name: { raw, local: raw }, attributes, children };
}

const texts = fc.string({
  unit: fc.constantFrom(
    ..."ab \t\n\r<>&'\"]-",
    "]]>",
    "é",
    "\u{1f600}",
    "\u202e",
    "\u0085",
    "\u2028",
  ),
  minLength: 1,
  maxLength: 12,
});
const names = fc.constantFrom("a", "ip", "_x-1.2", "__proto__", "constructor", "é", "桥");
const attributes = fc.dictionary(names, texts, { maxKeys: 4, noNullPrototype: false });

const leaves: fc.Arbitrary<XmlNode> = fc.oneof(
  texts.map((text) => ({ type: "text" as const, text })),
  texts.map((text) => ({ type: "cdata" as const, text: text.replaceAll("\r", "") })),
  texts.map((text) => ({ type: "comment" as const, text: text.replace(/[-\r]/g, "") })),
);

/** Neighbours of one kind are one node after reading, so the trees have none. */
function joined(children: readonly XmlNode[]): readonly XmlNode[] {
  return children.filter((child, index) =>
    child.type === "element" || child.type === "comment" || child.type !== children[index - 1]?.type
  );
}

const { tree } = fc.letrec<{ tree: XmlElement }>((tie) => ({
  tree: fc.tuple(
    names,
    attributes,
    fc.array(fc.oneof({ maxDepth: 3 }, leaves, tie("tree")), { maxLength: 4 }),
  )
    .map(([name, values, children]) => element(name, values, joined(children))),
}));

Deno.test("a tree that is written reads back equal", () => {
  fc.assert(
    fc.property(tree, (one) => {
      assertEquals(plain(parse(stringify(one)).root), plain(one));
    }),
    { numRuns: 300 },
  );
});

Deno.test("a document that is read and written does not change any more", () => {
  const text =
    "<?xml version='1.0' encoding='UTF-8'?>\r\n<a b='&#13;&#10;&#9;\"'>\r\n x &gt; &#13; " +
    "<![CDATA[<&]]><!-- c --><p:q xmlns:p='urn:x'/></a>";
  const once = stringify(parse(text));
  assertEquals(stringify(parse(once)), once);
  assertEquals(
    once,
    '<?xml version="1.0" encoding="UTF-8"?><a b="&#13;&#10;&#9;&quot;">\n x &gt; &#13; ' +
      '<![CDATA[<&]]><!-- c --><p:q xmlns:p="urn:x"/></a>',
  );
  assertEquals(stringify(parse(text), { declaration: false }).startsWith("<a"), true);
});

Deno.test("the end of a CDATA section inside of one survives", () => {
  const one = element("a", {}, [{ type: "cdata", text: "x]]>y" }]);
  assertEquals(stringify(one), "<a><![CDATA[x]]]]><![CDATA[>y]]></a>");
  assertEquals(plain(parse(stringify(one)).root), plain(one));
});

Deno.test("indentation changes no text", () => {
  const one = element("a", {}, [
    element("b", { c: "1" }),
    { type: "comment", text: " d " },
    element("e", {}, [element("f")]),
    element("g", {}, [{ type: "text", text: "h" }, element("i")]),
  ]);
  const text = stringify(one, { indent: "  " });
  assertEquals(
    text,
    '<a>\n  <b c="1"/>\n  <!-- d -->\n  <e>\n    <f/>\n  </e>\n  <g>h<i/></g>\n</a>',
  );
  assertEquals(plain(parse(text, { ignoreWhitespace: true }).root), plain(one));
  const document = parse("<?xml version='1.0'?><a/>");
  assertEquals(stringify(document, { indent: " " }), '<?xml version="1.0"?>\n<a/>');
});

Deno.test("an element that is to stay as it is gets no white space, however deep it is", () => {
  const kept = element("kept", {}, [element("b", {}, [element("c")])]);
  const text = stringify(element("a", {}, [element("d", {}, [element("e")]), kept]), {
    indent: "  ",
    verbatim: (one) => one === kept,
  });
  assertEquals(text, "<a>\n  <d>\n    <e/>\n  </d>\n  <kept><b><c/></b></kept>\n</a>");
});

Deno.test("what XML cannot say is an error, not a broken file", () => {
  const bad: readonly XmlNode[] = [
    { type: "text", text: "\u0001" },
    { type: "text", text: "\ud800" },
    { type: "cdata", text: "\r" },
    { type: "cdata", text: "\0" },
    { type: "comment", text: "a--b" },
    { type: "comment", text: "a-" },
    { type: "comment", text: "\ufffe" },
  ];
  for (const node of bad) assertThrows(() => stringify(element("a", {}, [node])), TypeError);
  assertThrows(() => stringify(element("a", { b: "\u001b" })), TypeError);
});
