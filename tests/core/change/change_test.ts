import { assertEquals, assertNotEquals } from "@std/assert";
import { groupKey, type RemovalGroup, removalOf } from "../../../core/change/change.ts";

function group(script: string, ignoreErrors = false): RemovalGroup {
  return { commands: [{ program: "nft", args: ["-f", "-"], stdin: script }], ignoreErrors };
}

function scripts(groups: readonly RemovalGroup[]): readonly (string | undefined)[] {
  return groups.flatMap(({ commands }) => commands.map(({ stdin }) => stdin));
}

const TABLE = group("table");
const HOOK = group("hook");
const [ONE, TWO, THREE] = ["one", "two", "three"].map((name) => group(name));
const first = [ONE, HOOK, TABLE].flatMap((one) => one ?? []);
const second = [TWO, TABLE].flatMap((one) => one ?? []);
const third = [THREE, HOOK, TABLE].flatMap((one) => one ?? []);

Deno.test("what networks share stays until the last of them goes", () => {
  assertEquals(scripts(removalOf([first], [second])), ["one", "hook"]);
  assertEquals(scripts(removalOf([first], [third])), ["one"]);
  assertEquals(scripts(removalOf([second], [first, third])), ["two"]);
});

Deno.test("what networks share goes once, and after all that needs it", () => {
  assertEquals(scripts(removalOf([first, second, third], [])), [
    "one",
    "two",
    "three",
    "hook",
    "table",
  ]);
});

Deno.test("a network that comes again as it was loses nothing", () => {
  assertEquals(removalOf([first], [first]), []);
  assertEquals(removalOf([], [first]), []);
});

Deno.test("groups are equal when they run the same commands with the same input", () => {
  assertEquals(groupKey(group("x")), groupKey(group("x", true)));
  const plain = { program: "nft", args: ["a b"] } as const;
  const different = [
    [plain],
    [plain, plain],
    [{ ...plain, args: ["a", "b"] }],
    [{ ...plain, program: "tc" } as const],
    [{ ...plain, stdin: "" }],
    [{ ...plain, stdin: "null" }],
    [],
  ];
  const keys = different.map((commands) => groupKey({ commands, ignoreErrors: false }));
  assertEquals(new Set(keys).size, different.length);
  assertNotEquals(groupKey(group("x")), groupKey(group("y")));
});
