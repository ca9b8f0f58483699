import { assertEquals } from "@std/assert";
import { NetworkDefinitionError } from "../../../core/network/network_error.ts";

Deno.test("the place stands before the problem", () => {
  const error = new NetworkDefinitionError("No name", "my lan.xml", { line: 3, column: 5 }, "Add");
  assertEquals(error.message, "my lan.xml:3:5: No name");
  assertEquals([error.file, error.hint], ["my lan.xml", "Add"]);
});

Deno.test("the file is shown without what a terminal would act on", () => {
  const file = "\x1b[2J\n\u202e.xml";
  const error = new NetworkDefinitionError("No name", file, { line: 1, column: 1 });
  assertEquals(error.message, "\\u{1b}[2J\\u{a}\\u{202e}.xml:1:1: No name");
  assertEquals(error.file, file);
});
