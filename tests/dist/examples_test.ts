/** The examples that packages bring along. */
import { assertEquals } from "@std/assert";
import { DEFAULT_CONFIGURATION, parseConfiguration } from "../../core/configuration.ts";
import { makesBridge } from "../../core/network/network.ts";
import { parseNetwork } from "../../core/network/parse_network.ts";
import { validateTogether } from "../../core/network/validate_network.ts";
import { PROJECT } from "../hosts/bundle.ts";

const EXAMPLES = `${PROJECT}dist/examples/`;

Deno.test("all examples can be up at once, each is named in their README", () => {
  const files = [...Deno.readDirSync(EXAMPLES)].map(({ name }) => name);
  const readme = Deno.readTextFileSync(`${EXAMPLES}README.md`);
  for (const file of files.filter((one) => one !== "README.md")) {
    assertEquals(readme.includes(`\`${file}\``), true, file);
  }
  const networks = files.filter((name) => name.endsWith(".xml")).map((file) => ({
    network: parseNetwork(Deno.readTextFileSync(EXAMPLES + file), file),
    file,
  }));
  validateTogether(networks);
  assertEquals(networks.length >= 5, true);
  for (const { network: { forward: { mode } }, file } of networks) {
    assertEquals(makesBridge(mode) && mode !== "open", true, file);
  }
});

for (const file of ["dist/examples/bridgewall.conf", "dist/freebsd/files/bridgewall.conf.sample"]) {
  Deno.test(`${file} says what holds without it`, async () => {
    const text = Deno.readTextFileSync(PROJECT + file);
    assertEquals(await parseConfiguration(text, file), DEFAULT_CONFIGURATION);
    const { backend: _, ...said } = await parseConfiguration(
      text.replaceAll(/^#(?=\w)/gm, ""),
      file,
    );
    assertEquals(said, DEFAULT_CONFIGURATION);
  });
}
