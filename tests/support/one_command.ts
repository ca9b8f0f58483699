/** One command in a world in memory: what it ran, said and gave back. */
import { commandKey } from "../../core/change/change.ts";
import type { Command } from "../../core/command.ts";
import type { CommandOutput, Context } from "../../core/commands/context.ts";
import { down } from "../../core/commands/down.ts";
import { hook } from "../../core/commands/hook.ts";
import { importLibvirt } from "../../core/commands/import_libvirt.ts";
import { masquerade } from "../../core/commands/masquerade.ts";
import { publish } from "../../core/commands/publish.ts";
import { reload } from "../../core/commands/reload.ts";
import { status } from "../../core/commands/status.ts";
import { unpublish } from "../../core/commands/unpublish.ts";
import { up } from "../../core/commands/up.ts";
import { parseNetwork } from "../../core/network/parse_network.ts";
import { startProcess, type World } from "./model_host.ts";

/** How a command went. */
export interface Went {
  /** Every program that was run, with its arguments. */
  readonly ran: readonly string[];
  /** Those that were run more than once, with the same input. */
  readonly repeated: readonly string[];
  /** The scripts that nft took, line by line. */
  readonly scripts: readonly (readonly string[])[];
  /** Notes and warnings. */
  readonly said: readonly string[];
  readonly output: CommandOutput;
}

/** Two networks, which publish nothing. */
export const LANS = {
  lan: definition("lan", "nat", 0),
  lab: definition("lab", "isolated", 1),
} as const;

/** A network on `virbrN` with the subnet 10.0.N.0/24. */
export function definition(name: string, mode: string, number: number, metadata = ""): string {
  const forward = mode === "isolated" ? "" : `<forward mode='${mode}'/>`;
  return `<network><name>${name}</name>${
    metadata === "" ? "" : `<metadata>${metadata}</metadata>`
  }` +
    `${forward}<bridge name='virbr${number}'/><ip address='10.0.${number}.1' prefix='24'/></network>`;
}

/** A published port in a definition. */
export function publishElement(attributes: string): string {
  return `<b:publish xmlns:b='urn:bridgewall:network:1' ${attributes}/>`;
}

type Words = readonly string[];

/** The command that these words ask for, as `bridgewall` itself reads them. */
function work(
  context: Context,
  words: Words,
  definitions: Readonly<Record<string, string>>,
): Promise<CommandOutput> {
  const localhost = words.includes("--localhost");
  const [command, ...operands] = words.filter((word) => !word.startsWith("--"));
  const names = { names: operands, all: words.includes("--all") };
  switch (command) {
    case "up":
      return up(context, { ...names, names: namesOf(definitions, operands) });
    case "down":
      return down(context, names);
    case "reload":
      return reload(context, names);
    case "status":
      return status(context, names);
    case "publish":
      return publish(context, { operands, localhost });
    case "unpublish":
      return unpublish(context, operands);
    case "masquerade":
      return masquerade(context, operands);
    case "hook":
      return hook(context, operands);
    case "import":
      return importLibvirt(context, operands);
    default:
      throw new Error(`no command: ${command}`);
  }
}

/** What `up` was given has to be one of the definitions. */
function namesOf(definitions: Readonly<Record<string, string>>, names: Words): Words {
  for (const name of names) parseNetwork(definitions[name] ?? "", name);
  return names;
}

/** The backend that the command line asks for, or the configuration (`configured=NAME`). */
const BACKEND = /^(--backend|configured)=(\S+) /;

/**
 * Runs `bridgewall` with these words.
 *
 * @param line May begin with `--backend=NAME`, or with what the configuration says: `configured=NAME`.
 * @param definitions Absent: {@linkcode LANS}.
 */
export async function bridgewall(
  world: World,
  line: string,
  definitions: Readonly<Record<string, string>> = LANS,
): Promise<Went> {
  const commands: Command[] = [];
  const [, where, backend] = BACKEND.exec(line) ?? [];
  const words = line.replace(BACKEND, "").split(" ");
  const { context, said } = startProcess(world, definitions, (_, command) => {
    if (command !== undefined) commands.push(command);
    return "works";
  }, backend);
  const sysctl = !words.includes("--no-sysctl");
  const insists = where === "--backend";
  const output = await work(
    { ...context, options: { ...context.options, sysctl, insists } },
    words.filter((word) => word !== "--no-sysctl"),
    definitions,
  );
  const keys = commands.map(commandKey);
  return {
    said,
    output,
    repeated: keys.filter((key, index) => keys.indexOf(key) < index),
    ran: commands.map(({ program, args }) => [program, ...args].join(" ")),
    scripts: commands.filter(({ program, args }) => program === "nft" && args[0] === "-f")
      .map(({ stdin = "" }) => stdin.trimEnd().split("\n")),
  };
}
