import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { isCData, isComment, isElement, isText, parse, XmlSyntaxError } from "@std/xml";

/** Refuses with that message at that place; a hostile text must not take long either. */
function assertRefused(xml: string, message: string, line: number, column: number): void {
  const error = assertThrows(() => parse(xml), XmlSyntaxError);
  assertStringIncludes(error.message, message);
  assertEquals([error.line, error.column], [line, column], error.message);
  assert(error.message.length < 500, "the message repeats the text");
}

Deno.test("a document is its elements, attributes and text", () => {
  const { root } = parse("<a x='1' y=\"2\">one<b/>two<!-- c --><![CDATA[<3]]></a>");
  assertEquals(root.name, { raw: "a", local: "a" });
  assertEquals({ ...root.attributes }, { x: "1", y: "2" });
  assertEquals(root.children.map((child) => child.type), [
    "text",
    "element",
    "text",
    "comment",
    "cdata",
  ]);
  assertEquals(root.children.filter(isText), [
    { type: "text", text: "one" },
    { type: "text", text: "two" },
  ]);
  assertEquals(root.children.filter(isElement).map(({ name }) => name.raw), ["b"]);
  assertEquals(root.children.filter(isComment), [{ type: "comment", text: " c " }]);
  assertEquals(root.children.filter(isCData), [{ type: "cdata", text: "<3" }]);
});

Deno.test("references become characters", () => {
  const { root } = parse("<a x='&lt;&#10;&#x1F600;'>&amp;&quot;&apos;&gt;</a>");
  assertEquals(root.attributes["x"], "<\n\u{1f600}");
  assertEquals(root.children, [{ type: "text", text: "&\"'>" }]);
});

Deno.test("line breaks of any kind become line feeds", () => {
  const { root } = parse("<a x='1\r\n2'>1\r\n2\r3</a>");
  assertEquals(root.attributes["x"], "1 2");
  assertEquals(root.children, [{ type: "text", text: "1\n2\n3" }]);
});

Deno.test("the declaration is kept", () => {
  const text = "<?xml version='1.0' encoding='UTF-8' standalone='yes'?><a/>";
  assertEquals(parse(text).declaration, {
    type: "declaration",
    version: "1.0",
    encoding: "UTF-8",
    standalone: "yes",
    line: 1,
    column: 1,
    offset: 0,
  });
  assertEquals(parse("<a/>").declaration, undefined);
});

Deno.test("what stands beside the root is dropped, and processing instructions everywhere", () => {
  const { root } = parse("<!-- made by a program -->\n<?p q?><a>1<?p q?>2</a>\n<!-- end -->\n");
  assertEquals(root.children, [{ type: "text", text: "12" }]);
});

Deno.test("a byte order mark is skipped and counts no column", () => {
  assertEquals(parse("\uFEFF<a/>").root.position, { line: 1, column: 1 });
  assertRefused("\uFEFF<a>&x;</a>", "not defined", 1, 4);
  assertRefused("\uFEFF\uFEFF<a/>", "Second byte order mark", 1, 1);
});

Deno.test("elements know where they start, in lines and columns from 1", () => {
  const { root } = parse("<!-- 1\r\n2 --><a>\r\n  \u{1f600}<b/>\n</a>");
  assertEquals(root.position, { line: 2, column: 6 });
  assertEquals(root.children.filter(isElement)[0]?.position, { line: 3, column: 5 });
  assertEquals(parse("<a/>", { trackPosition: false }).root.position, undefined);
});

Deno.test("white space and comments can be left out", () => {
  const text = "<a>\n  <b> x </b>\n  <!-- c -->\n</a>";
  const { root } = parse(text, { ignoreWhitespace: true, ignoreComments: true });
  assertEquals(root.children.map((child) => child.type), ["element"]);
  assertEquals(parse("<a>1<!-- c -->2</a>", { ignoreComments: true }).root.children, [
    { type: "text", text: "12" },
  ]);
});

Deno.test("prefixes are resolved, a default namespace is not applied", () => {
  const text = "<a xmlns='urn:d' xmlns:p='urn:one'><p:b xmlns:p='urn:two'><p:c/></p:b><p:d/></a>";
  const { root } = parse(text);
  assertEquals(root.name, { raw: "a", local: "a" });
  const [b, d] = root.children.filter(isElement);
  assertEquals(b?.name, { raw: "p:b", local: "b", prefix: "p", uri: "urn:two" });
  assertEquals(b?.children.filter(isElement)[0]?.name.uri, "urn:two");
  assertEquals(d?.name.uri, "urn:one");
  assertEquals(parse("<a xml:lang='en'/>").root.attributes["xml:lang"], "en");
});

Deno.test("names that JavaScript objects have are ordinary names", () => {
  const text = "<__proto__ __proto__='1' constructor='2'><toString/></__proto__>";
  const { root } = parse(text);
  assertEquals(Object.entries(root.attributes), [["__proto__", "1"], ["constructor", "2"]]);
  assertEquals(root.attributes["toString"], undefined);
  assertEquals(root.name.local, "__proto__");
  assertEquals(({} as { polluted?: unknown }).polluted, undefined);
});

const MALFORMED:
  readonly (readonly [xml: string, message: string, line: number, column: number])[] = [
    ["", "Root element is missing", 1, 1],
    ["hello", "Root element is missing", 1, 1],
    ["<", "Root element is missing", 1, 1],
    ["<a>\n<b>\n</a>", "Missing end tag for element b", 3, 1],
    ["<a", 'Unclosed start tag for element "a"', 1, 3],
    ["<a><!-- x", "Unclosed comment", 1, 8],
    ["<a><!-- -- --></a>", 'The string "--" is not allowed', 1, 9],
    ["<a><![CDATA[x</a>", "Unclosed CDATA", 1, 13],
    ["<a>]]></a>", "", 1, 4],
    ["<a/><b/>", "Extra content", 1, 5],
    ["<a/>x", "Extra content", 1, 5],
    ["<a x=1/>", "Attribute value expected", 1, 6],
    ["<a x/>", "Attribute value expected", 1, 5],
    ["<a x='1' x='2'/>", "Duplicate attribute: x", 1, 15],
    ["<a x='<'/>", 'Unescaped "<"', 1, 7],
    ["<a>\n & </a>", "Unterminated reference", 2, 4],
    ["<a>&nbsp;</a>", "Named entity is not defined: &nbsp;", 1, 4],
    ["<a>&#0;</a>", "invalid character", 1, 8],
    ["<a>&#xD800;</a>", "invalid character", 1, 12],
    ["<a>&#x110000;</a>", "invalid character", 1, 14],
    [" <?xml version='1.0'?><a/>", "XML declaration is not allowed here", 1, 2],
    ["<a>\n\u{1f600}\u{1f600}</b>", "Missing end tag", 2, 5],
  ];

Deno.test("text that is not well-formed is refused with its place", () => {
  for (const row of MALFORMED) assertRefused(...row);
});

Deno.test("characters that XML does not have are refused with their place", () => {
  assertRefused("<a>\n\u0001</a>", "Character U+0001 is not allowed", 2, 1);
  assertRefused("<a>\0</a>", "Character U+0000 is not allowed", 1, 4);
  assertRefused("<a>\u{1f600}\ud800</a>", "Character U+D800 is not allowed", 1, 6);
  assertRefused("<a x='\udc00'/>", "Character U+DC00 is not allowed", 1, 7);
  assertRefused("<a>\uffff</a>", "Character U+FFFF is not allowed", 1, 4);
});

Deno.test("namespaces that are misused are refused with their place", () => {
  const rows: readonly (readonly [xml: string, message: string, line: number, column: number])[] = [
    ["<a>\n<p:b/></a>", 'prefix "p" of "p:b" is not declared', 2, 1],
    ["<a p:x='1'/>", 'prefix "p" of "p:x" is not declared', 1, 1],
    ["<a><b xmlns:p='u'/><p:c/></a>", "is not declared", 1, 20],
    ["<a xmlns:p='u' xmlns:q='u' p:x='1' q:x='2'/>", '"p:x" and "q:x" are the same', 1, 1],
    ["<a xmlns:p=''/>", "is bound to nothing", 1, 1],
    ["<a:b:c/>", "is not a namespaced name", 1, 1],
    ["<:a/>", "is not a namespaced name", 1, 1],
    ["<a xmlns:='u'/>", "is not a namespaced name", 1, 1],
    ["<xmlns:a/>", "may not use the prefix", 1, 1],
    ["<a xmlns:xmlns='u'/>", "may not be bound", 1, 1],
    ["<a xmlns:xml='u'/>", "may not be bound", 1, 1],
    ["<a xmlns:p='http://www.w3.org/XML/1998/namespace'/>", "may not be bound", 1, 1],
    ["<a xmlns='http://www.w3.org/2000/xmlns/'/>", "may not be the default", 1, 1],
  ];
  for (const row of rows) assertRefused(...row);
});
