import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { parse, stringify } from "@std/xml";
import fc from "fast-check";
import { portsBeyond } from "../../../core/network/compare_ports.ts";
import { NetworkDefinitionError } from "../../../core/network/network_error.ts";
import { NAMESPACE } from "../../../core/network/own_elements.ts";
import { portList, readPortList } from "../../../core/network/port_list.ts";
import { formatSpec, parseSpec, type PublishedPort } from "../../../core/network/published_port.ts";
import { CROWDED_PORTS } from "../../support/arbitrary_ports.ts";
import { network } from "../../support/definitions.ts";

function read(text: string): readonly PublishedPort[] {
  const xml = `<b:ports xmlns:b='${NAMESPACE}'>${text}</b:ports>`;
  return readPortList({ element: parse(xml).root, file: "x" });
}

Deno.test("a list has one port in a line, and what is true of it behind", () => {
  const web = parseSpec("8080:10.0.0.2:80/tcp", { localhost: true });
  const range = parseSpec("[2001:db8::1]:5000-5010:[fd00::2]:6000/udp", { localhost: false });
  const element = portList([web, { ...range, runtime: false }]);
  assertEquals(element.children, [{
    type: "text",
    text: "\n8080:10.0.0.2:80/tcp localhost runtime\n" +
      "[2001:db8::1]:5000-5010:[fd00::2]:6000-6010/udp\n",
  }]);
});

Deno.test("what is written into a list is read out of it", () => {
  fc.assert(fc.property(fc.array(CROWDED_PORTS), (ports) => {
    const root = { ...portList(ports), attributes: { "xmlns:bridgewall": NAMESPACE } };
    assertEquals(readPortList({ element: parse(stringify(root)).root, file: "x" }), ports);
  }));
});

Deno.test("white space around lines means nothing", () => {
  assertEquals(read("").length, 0);
  assertEquals(read("  \n\t80:10.0.0.2/tcp \n\n   81:10.0.0.2/tcp\n").map(formatSpec), [
    "80:10.0.0.2:80/tcp",
    "81:10.0.0.2:81/tcp",
  ]);
});

Deno.test("attributes of a list are refused: they would seem to say something", () => {
  const { root } = parse(`<b:ports xmlns:b='${NAMESPACE}' proto='udp'>80:10.0.0.2/tcp</b:ports>`);
  assertThrows(
    () => readPortList({ element: root, file: "x" }),
    NetworkDefinitionError,
    '<b:ports> has "proto"',
  );
});

Deno.test("a line that is no published port is refused with its text", () => {
  const refusals: Readonly<Record<string, string>> = {
    "80:10.0.0.2": 'Cannot read "80:10.0.0.2" as a published port',
    "80:10.0.0.2/tcp always": '"always" behind 80:10.0.0.2/tcp is unknown',
    "80:10.0.0.2/tcp  runtime x": '"x" behind 80:10.0.0.2/tcp is unknown',
    "<b:publish/>80:10.0.0.2/tcp": '<b:ports> has "<b:publish>", and takes lines of text alone',
    "70000:10.0.0.2/tcp": 'Cannot read "70000" as ports',
    "80:10.0.0.2/tcp\u00a0runtime": "Cannot read",
    "80:[fd00::2]/tcp localhost": "Localhost cannot lead to an IPv6 guest",
  };
  for (const [line, message] of Object.entries(refusals)) {
    assertStringIncludes(assertThrows(() => read(line), NetworkDefinitionError).message, message);
  }
});

Deno.test("a definition may hold what a record holds: it is checked as elements are", () => {
  const within = (lines: string): string =>
    `<metadata><b:network xmlns:b='${NAMESPACE}'><b:ports>${lines}</b:ports></b:network>` +
    "</metadata><ip address='10.0.0.1' prefix='24'/>";
  assertEquals(network(within("80:10.0.0.2/tcp")).published.map(formatSpec), [
    "80:10.0.0.2:80/tcp",
  ]);
  for (
    const [lines, message] of [
      ["80:10.0.1.2/tcp", 'Guest "10.0.1.2" is not inside the network'],
      ["80:10.0.0.2/tcp\n80:10.0.0.3/tcp", "Port 80/tcp is published already"],
    ] as const
  ) {
    const error = assertThrows(() => network(within(lines)), NetworkDefinitionError);
    assertStringIncludes(error.message, message);
  }
});

Deno.test("ports beyond others are told by what they are, not by whose value they are", () => {
  fc.assert(
    fc.property(fc.uniqueArray(CROWDED_PORTS, { selector: textOf }), fc.nat(), (all, at) => {
      const [before, after] = [all.slice(0, at % 7), all.slice(at % 3)];
      const copies = after.map((port, index) => index % 2 === 0 ? port : { ...port });
      const known = new Set(before.map(textOf));
      assertEquals(portsBeyond(copies, before), after.filter((port) => !known.has(textOf(port))));
      const now = new Set(after.map(textOf));
      assertEquals(portsBeyond(before, copies), before.filter((port) => !now.has(textOf(port))));
    }),
  );
});

function textOf(port: PublishedPort): string {
  return `${formatSpec(port)} ${port.localhost}`;
}
