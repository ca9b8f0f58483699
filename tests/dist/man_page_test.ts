/** The manual page, as those read it who install the program. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { COMMANDS, EXIT_CODES, GLOBAL_OPTIONS } from "../../core/cli/command_table.ts";
import { manPage } from "../../dist/man_page.ts";
import { hostTest } from "../hosts/requirements.ts";
import { run } from "../hosts/run_program.ts";

/** All that is said of a word that somebody could look for. */
function wordsOf(): readonly string[] {
  const options = [...GLOBAL_OPTIONS, ...COMMANDS.flatMap((one) => one.options)];
  return [
    ...COMMANDS.flatMap(({ name, examples }) => [`bridgewall ${name}`, ...examples]),
    ...options.map(({ name }) => `--${name}`),
    ...EXIT_CODES.map(([code]) => String(code)),
    "/etc/bridgewall/networks/",
  ];
}

hostTest({
  name: "the manual page has every command and option, and groff has nothing to say about it",
  tools: ["groff"],
  body: async () => {
    const page = manPage(0);
    const argv = ["groff", "-man", "-ww", "-Tascii", "-P-c", "-P-b", "-P-o", "-P-u"];
    const { code, stdout, stderr } = await run(argv, { stdin: page });
    assertEquals([code, stderr], [0, ""]);
    const text = stdout.replaceAll(/-\n\s+/g, "").replaceAll(/\s+/g, " ");
    for (const word of wordsOf()) assertStringIncludes(text, word);
    assertStringIncludes(text, "1970-01-01");
  },
});

Deno.test("nothing in a text is taken for a request", () => {
  const lines = manPage(0).split("\n");
  const requests = lines.filter((line) => line.startsWith(".")).map((line) => line.split(" ")[0]);
  const known = [".TH", ".SH", ".SS", ".B", ".TP", ".PP", ".nf", ".fi", ".RS", ".RE"];
  assertEquals(requests.filter((request) => !known.includes(request ?? "")), []);
  assert(lines.every((line) => !/(?<!\\)-/.test(line) || line.startsWith(".TH")), "a bare dash");
});
