import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { parse, XmlSyntaxError } from "@std/xml";

/** Refuses with that message at that place; a hostile text must not take long either. */
function assertRefused(xml: string, message: string, line: number, column: number): void {
  const error = assertThrows(() => parse(xml), XmlSyntaxError);
  assertStringIncludes(error.message, message);
  assertEquals([error.line, error.column], [line, column], error.message);
  assert(error.message.length < 500, "the message repeats the text");
}

Deno.test("entity bombs and external entities are refused before they are read", () => {
  const bomb = "<!DOCTYPE a [<!ENTITY x 'xxxxxxxxxx'><!ENTITY y '&x;&x;&x;&x;'>]><a>&y;</a>";
  assertRefused(bomb, "DOCTYPE is not allowed", 1, 1);
  const external =
    "<?xml version='1.0'?>\n<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a/>";
  assertRefused(external, "DOCTYPE is not allowed", 2, 1);
  assertRefused("<!DOCTYPE a SYSTEM 'http://192.0.2.1/'><a/>", "DOCTYPE is not allowed", 1, 1);
});

Deno.test("markup inside of comments, CDATA, instructions and values is no markup", () => {
  const text = "<a x='&lt;!DOCTYPE'><!-- <!DOCTYPE <b><b> --><![CDATA[<!DOCTYPE <b><b>]]>" +
    "<?p <b><b> ?><c d='>' e='/>'/></a>";
  assertEquals(parse(text, { maxDepth: 2 }).root.children.length, 3);
});

Deno.test("deep nesting is refused quickly, and siblings are not nesting", () => {
  const start = performance.now();
  assertRefused("<a>".repeat(50_000) + "</a>".repeat(50_000), "more than 64 deep", 1, 193);
  assertRefused("<a>".repeat(50_000), "more than 64 deep", 1, 193);
  assert(performance.now() - start < 5_000);
  assertEquals(parse("<a>".repeat(64) + "</a>".repeat(64)).root.name.raw, "a");
  assertEquals(parse(`<a>${"<b></b><c/>".repeat(1000)}</a>`).root.children.length, 2000);
  assertThrows(
    () => parse("<a><b>x</b></a>", { maxDepth: 1 }),
    XmlSyntaxError,
  );
});

Deno.test("hundred thousand attributes are refused", () => {
  const names = Array.from({ length: 100_000 }, (_, index) => `a${index}=''`).join(" ");
  assertRefused(`<a>\n<b ${names}/></a>`, "more than 64 attributes", 2, 1);
  const few = Array.from({ length: 64 }, (_, index) => `a${index}='>'`).join(" ");
  assertEquals(Object.keys(parse(`<a ${few}/>`).root.attributes).length, 64);
});

Deno.test("text over the size limit is refused, text under it read in reasonable time", () => {
  const giant = "x".repeat(2 ** 20);
  assertRefused(`<a>${giant}</a>`, "at most 1048576 are read", 1, 1048577);
  assertEquals(parse(`<a>${giant}</a>`, { maxLength: 2 ** 21 }).root.children.length, 1);
  const start = performance.now();
  parse(`<a>${"\r".repeat(1_000_000)}</a>`);
  parse(`<a>${"&amp;".repeat(200_000)}</a>`);
  assertThrows(() => parse("<a>" + "<!--".repeat(200_000)), XmlSyntaxError);
  assertThrows(() => parse("<a " + "x='".repeat(200_000)), XmlSyntaxError);
  assertThrows(() => parse("<".repeat(1_000_000)), XmlSyntaxError);
  assert(performance.now() - start < 20_000, "quadratic");
});

Deno.test("a message does not repeat a giant name", () => {
  assertRefused(`<${"a".repeat(500_000)}>`, "Missing end tag", 1, 500_003);
  assertRefused(`<p:${"a".repeat(500_000)}/>`, "is not declared", 1, 1);
});
