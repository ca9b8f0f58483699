import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import {
  problemOfBridgeName,
  problemOfInterfaceName,
} from "../../../core/network/interface_name.ts";

/** Any character of Unicode, halves of pairs as well. */
const ANY_CHARACTER = fc.nat({ max: 0x10ffff }).map((code) => String.fromCodePoint(code));

/** What the kernel does, byte for byte: the twin that the rule is held against. */
function kernelTakes(name: string): boolean {
  const bytes = new TextEncoder().encode(name);
  if (bytes.length === 0 || bytes.length > 15 || name === "." || name === "..") return false;
  return !bytes.some((byte) =>
    byte === 0x2f || byte === 0x3a || byte === 0 || byte === 0x20 || byte === 0xa0 ||
    (byte >= 0x09 && byte <= 0x0d)
  );
}

Deno.test("names that the kernel takes are taken", () => {
  const names = [
    "a",
    "virbr0",
    "br-0123456789ab",
    "...",
    "-x",
    "--",
    "a\\b",
    '";drop',
    "$(reboot)",
    "eth0.100",
    "网桥",
    "br€",
    "b\u202er",
    "\u0001",
    "all0",
    "Default",
  ];
  for (const name of names) {
    assertEquals(problemOfInterfaceName(name), undefined, name);
    assertEquals(problemOfBridgeName(name), undefined, name);
  }
});

Deno.test("names that the kernel refuses are refused, with the reason", () => {
  const refused: readonly (readonly [name: string, reason: string])[] = [
    ["", "is empty"],
    ["br-0123456789abc", "has 16 bytes, but at most 15 fit"],
    ["桥桥桥桥桥桥", "has 18 bytes"],
    [".", "is reserved"],
    ["..", "is reserved"],
    ["all", "is reserved"],
    ["default", "is reserved"],
    ["a/b", 'contains "/"'],
    ["a:b", 'contains "/", ":"'],
    ["a\0b", "or NUL"],
    ["a b", "white space"],
    ["a\tb", "white space"],
    ["a\nb", "white space"],
    ["a\u000bb", "white space"],
    ["a\u00a0b", "white space"],
    ["brà", "byte 0xA0"],
    ["br%", 'contains "%"'],
  ];
  for (const [name, reason] of refused) {
    assertStringIncludes(problemOfInterfaceName(name) ?? "taken", reason);
    assertStringIncludes(problemOfBridgeName(name) ?? "taken", reason);
  }
});

Deno.test("exactly the kernel's names are taken, for any text", () => {
  const characters = fc.constantFrom(..."ab%d:/. \t\u00a0\u00e0\u0120é桥😀\0\u200b");
  const names = fc.string({ unit: characters, maxLength: 17 });
  fc.assert(
    fc.property(fc.oneof(names, fc.string({ unit: ANY_CHARACTER, maxLength: 16 })), (name) => {
      const taken = problemOfInterfaceName(name) === undefined;
      const reserved = name === "all" || name === "default" || name.includes("%");
      assertEquals(taken, kernelTakes(name) && !reserved);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("a bridge name can be a template with one %d", () => {
  for (const name of ["virbr%d", "%d", "a%db", "a%d.b", "0123456789a%d"]) {
    assertEquals(problemOfBridgeName(name), undefined, name);
  }
});

Deno.test("a template that would give a name over 15 bytes is refused", () => {
  assertEquals(problemOfBridgeName("0123456789ab%d"), undefined);
  assertStringIncludes(problemOfBridgeName("0123456789abc%d") ?? "taken", "exceeds 15 bytes");
});

Deno.test("a template with anything else after % is refused", () => {
  for (const name of ["br%s", "br%", "br%%d", "%d%d", "br%d%", "br%D"]) {
    assertStringIncludes(problemOfBridgeName(name) ?? "taken", '"%"');
  }
  assertStringIncludes(problemOfBridgeName("b r%d") ?? "taken", "white space");
  assertStringIncludes(problemOfBridgeName("b/r%d") ?? "taken", '"/"');
});

Deno.test("a device cannot be a template", () => {
  assertStringIncludes(problemOfInterfaceName("eth%d") ?? "taken", 'contains "%"');
});

Deno.test("a reason never repeats what could upset a terminal", () => {
  const problem = problemOfInterfaceName("a b\u001b[31m\u202e") ?? "taken";
  assert(!problem.includes("\u001b") && !problem.includes("\u202e"), problem);
});
