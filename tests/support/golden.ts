/** Golden files: compared with, or written when `BRIDGEWALL_GOLDEN=write` asks for it. */
import { assertEquals } from "@std/assert";

/** Where the scenarios are, from the root of the project. */
export const SCENARIOS = "tests/networks";

/** The names of all scenarios: the folders that hold a definition. */
export function scenarios(): readonly string[] {
  return [...Deno.readDirSync(SCENARIOS)].filter(({ isDirectory }) => isDirectory)
    .map(({ name }) => name).toSorted();
}

/** The definition of a scenario. */
export function definitionOf(scenario: string): string {
  return Deno.readTextFileSync(`${SCENARIOS}/${scenario}/network.xml`);
}

/** Compares lines with the golden file of a scenario, or writes it. */
export function assertGolden(scenario: string, file: string, lines: readonly string[]): void {
  const path = `${SCENARIOS}/${scenario}/${file}`;
  const text = lines.map((line) => `${line}\n`).join("");
  if (isWriting()) Deno.writeTextFileSync(path, text);
  assertEquals(text, Deno.readTextFileSync(path), `${path} differs: see \`deno task golden\``);
}

function isWriting(): boolean {
  const { state } = Deno.permissions.querySync({ name: "env", variable: "BRIDGEWALL_GOLDEN" });
  return state === "granted" && Deno.env.get("BRIDGEWALL_GOLDEN") === "write";
}
