/** Changes of iptables, run on tables in memory. */
import { assertEquals } from "@std/assert";
import type { NetworkChange } from "../../../core/change/change.ts";
import { type Operation, operationCommands } from "../../../core/change/operation.ts";
import type { Command } from "../../../core/command.ts";
import {
  describeTables,
  runRestore,
  saveTables,
  type Tables,
} from "../../support/model_iptables.ts";
import { NOTHING, standing } from "../../support/operation.ts";

/** The tables of a host by the name of the program that restores them. */
export type HostTables = ReadonlyMap<string, Tables>;

/** The host after commands that must all be taken; what no packet would notice is left out. */
export function afterCommands(before: HostTables, commands: readonly Command[]): HostTables {
  const after = new Map(before);
  for (const { program, stdin = "" } of commands) {
    const variant = program.includes("legacy") ? "legacy" : "nft";
    const { tables, error } = runRestore(after.get(program) ?? new Map(), stdin, variant, false);
    assertEquals(error, undefined, stdin);
    after.set(program, tables);
  }
  return new Map([...after].filter(([, tables]) => describeTables(tables) !== ""));
}

function commandsOf(
  changes: readonly NetworkChange[],
  rest: Partial<Operation>,
): readonly Command[] {
  return operationCommands({
    ...NOTHING,
    ...rest,
    entering: changes.map(({ network, install, removal }) => ({
      name: network,
      installation: standing(...removal),
      steps: install,
    })),
  });
}

function installations(changes: readonly NetworkChange[]): Operation["leaving"] {
  return changes.map(({ removal }) => standing(...removal));
}

/** The runs that bring networks up; those that stood before as they were then. */
export function installCommands(
  changes: readonly NetworkChange[],
  before: readonly NetworkChange[] = [],
): readonly Command[] {
  return commandsOf(changes, { leaving: installations(before) });
}

/** The runs that take networks down, while others stay. */
export function removeCommands(
  changes: readonly NetworkChange[],
  staying: readonly NetworkChange[] = [],
): readonly Command[] {
  const [leaving, others] = [installations(changes), installations(staying)];
  return commandsOf([], { leaving, staying: others });
}

/** The host after these networks have come up. */
export function installed(before: HostTables, changes: readonly NetworkChange[]): HostTables {
  return afterCommands(before, installCommands(changes));
}

/** The host after these networks have gone, while others stay. */
export function removed(
  before: HostTables,
  changes: readonly NetworkChange[],
  staying: readonly NetworkChange[] = [],
): HostTables {
  return afterCommands(before, removeCommands(changes, staying));
}

/** Those of the commands that bring and take rules: settings beside them need the bridge to be there. */
export function withoutSettings(commands: readonly Command[]): readonly Command[] {
  return commands.filter(({ program }) => program !== "sysctl");
}

/** What stands, as text: tables that are open but empty are nothing. */
export function described(tables: HostTables): string {
  return [...tables].map(([program, own]) => [program, describeTables(own)] as const)
    .filter(([, text]) => text !== "").toSorted()
    .map(([program, text]) => `${program}\n${text}\n`).join("");
}

/** What the program that belongs to this restore prints, each rule having counted so much. */
export function listing(tables: HostTables, program: string, counted = "[0:0]"): string {
  return saveTables(tables.get(program) ?? new Map()).replaceAll(/^-A/gm, `${counted} -A`);
}
