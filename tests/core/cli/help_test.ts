import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { COMMANDS, EXIT_CODES, GLOBAL_OPTIONS } from "../../../core/cli/command_table.ts";
import { commandHelp, generalHelp } from "../../../core/cli/help.ts";
import { readArguments } from "../../../core/cli/read_arguments.ts";

function hasLine(page: readonly string[], start: string, end: string): boolean {
  return page.some((line) => line.trim().startsWith(start) && line.endsWith(end));
}

Deno.test("the help names every command, every global option and every exit code", () => {
  const page = generalHelp();
  for (const { name, operands, summary } of COMMANDS) {
    assert(hasLine(page, `${name} ${operands}`.trim(), `  ${summary}`), name);
  }
  for (const { name, value, help } of GLOBAL_OPTIONS) {
    assert(hasLine(page, `--${name}${value === undefined ? "" : ` ${value}`}`, `  ${help}`), name);
  }
  for (const [code, meaning] of EXIT_CODES) {
    assert(hasLine(page, String(code), `  ${meaning}`), meaning);
  }
  assertEquals(EXIT_CODES.map(([code]) => code), [0, 1, 2, 3, 4]);
});

Deno.test("the help of a command names its operands, its options and its examples", () => {
  for (const entry of COMMANDS) {
    const page = commandHelp(entry);
    assertEquals(page[0], `bridgewall ${entry.name}: ${entry.summary}`);
    assert(page.includes(`Usage: bridgewall ${entry.name} [OPTION...] ${entry.operands}`.trim()));
    for (const { name, help } of [...entry.options, ...GLOBAL_OPTIONS]) {
      assert(hasLine(page, `--${name}`, `  ${help}`), `${entry.name} --${name}`);
    }
    assert(entry.examples.length > 0, entry.name);
    for (const example of entry.examples) assert(page.includes(`  ${example}`), example);
    for (const detail of entry.details) assertStringIncludes(page.join(" "), detail);
  }
});

Deno.test("every example of the help is understood", () => {
  for (const { examples } of COMMANDS) {
    for (const example of examples.flatMap((line) => line.split(" || "))) {
      const [program, ...words] = example.split(" ");
      assertEquals(program, "bridgewall");
      assertEquals(readArguments(words).kind, "run", example);
    }
  }
});

Deno.test("the help fits a terminal of 100 columns, without trailing spaces", () => {
  for (const line of [...generalHelp(), ...COMMANDS.flatMap(commandHelp)]) {
    assert(line.length <= 100, line);
    assertEquals(line, line.trimEnd());
  }
});
