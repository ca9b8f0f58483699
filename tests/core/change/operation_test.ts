import { assertEquals } from "@std/assert";
import { operationCommands } from "../../../core/change/operation.ts";
import type { Command } from "../../../core/command.ts";
import { entering, group, input, NOTHING, standing, step } from "../../support/operation.ts";

Deno.test("what a network that stays or comes again needs is not removed", () => {
  const table = group(input("nft", "remove table"));
  const own = group(input("nft", "remove one"));
  const commands = operationCommands({
    ...NOTHING,
    leaving: [standing(own, table)],
    staying: [standing(table)],
    entering: [entering("one", step(input("nft", "add one")))],
  });
  assertEquals(commands.map(({ stdin }) => stdin), ["add one\n"]);
});

Deno.test("commands that differ in their arguments are not merged", () => {
  const other: Command = { program: "nft", args: ["--other"], stdin: "b\n" };
  const plain: Command = { program: "nft", args: ["-"] };
  const steps = [input("nft", "a"), other, plain, input("nft", "c")].map((one) => step(one));
  assertEquals(
    operationCommands({ ...NOTHING, entering: [entering("one", ...steps)] }).length,
    4,
  );
});

Deno.test("what may fail does not share a run with what must not", () => {
  const leaving = [
    standing(group(input("nft", "a"), true), group(input("nft", "b"))),
    standing(group(input("nft", "c"))),
  ];
  const commands = operationCommands({ ...NOTHING, leaving });
  assertEquals(commands.map(({ stdin }) => stdin), ["a\n", "b\nc\n"]);
});
