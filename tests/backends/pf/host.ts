/** Commands on a FreeBSD host in memory, and what pfctl was told to do. */
import type { Command, CommandResult } from "../../../core/command.ts";
import { check } from "../../../core/commands/check.ts";
import type { CommandOutput, Context } from "../../../core/commands/context.ts";
import { down } from "../../../core/commands/down.ts";
import { masquerade } from "../../../core/commands/masquerade.ts";
import { reload } from "../../../core/commands/reload.ts";
import { up } from "../../../core/commands/up.ts";
import type { HostRoute } from "../../../core/host.ts";
import { emptyWorld, startProcess, type World } from "../../support/model_host.ts";
import { runProgram } from "../../support/model_programs.ts";

/** What a program answers instead; undefined: as the model does. */
export type Fault = (
  command: Command,
) => { readonly status: number; readonly stderr: string; readonly stdout?: string } | undefined;

/** What came of one command. */
export interface Ran {
  /** Of the runs of pfctl those that are no questions, their arguments. */
  readonly changes: readonly string[];
  readonly error: unknown;
  readonly said: readonly string[];
}

/** A FreeBSD host on which nothing has been done; without a release one that is only imagined. */
export function freebsdWorld(kernel?: string): World {
  const world = emptyWorld();
  const facts = kernel === undefined ? world.facts : { ...world.facts, kernel };
  return { ...world, facts, platform: "freebsd" };
}

/** The route to everything by that interface. */
export function defaultRoute(device: string): HostRoute {
  return { destination: { family: "ipv4", value: 0n, prefix: 0 }, device };
}

/** Runs one command in the world. */
export async function run(
  world: World,
  definitions: Readonly<Record<string, string>>,
  work: (context: Context) => Promise<unknown>,
  fault: Fault = () => undefined,
): Promise<Ran> {
  const changes: string[] = [];
  const { context, said } = startProcess(world, definitions);
  const host: Context["host"] = {
    ...context.host,
    run: (command) => {
      const line = command.args.join(" ");
      if (command.program === "pfctl" && !/-s |-T show/.test(line)) changes.push(line);
      const failed = fault(command);
      return Promise.resolve(
        failed === undefined ? runProgram(world, command) : { stdout: "", ...failed },
      );
    },
  };
  const error = await work({ ...context, host }).then(() => undefined, (thrown) => thrown);
  return { changes, error, said };
}

/** `up` of these definitions. */
export function bringUp(...names: readonly string[]): (context: Context) => Promise<unknown> {
  return (context) => up(context, { names, all: false });
}

/** `masquerade` with these words. */
export function masquerading(
  ...operands: readonly string[]
): (context: Context) => Promise<unknown> {
  return (context) => masquerade(context, operands);
}

/** `reload` of all networks. */
export function reloadAll(context: Context): Promise<unknown> {
  return reload(context, { names: [], all: true });
}

/** `down` of all networks. */
export function takeDownAll(context: Context): Promise<unknown> {
  return down(context, { names: [], all: true });
}

/** What a command shows that only looks, where these questions are answered otherwise. */
export async function look(
  world: World,
  work: (context: Context) => Promise<CommandOutput>,
  answers: Readonly<Record<string, Partial<CommandResult>>> = {},
): Promise<CommandOutput> {
  const { context } = startProcess(world, {});
  const host: Context["host"] = {
    ...context.host,
    run: async (command) => ({
      ...await context.host.run(command),
      ...answers[command.args.join(" ")],
    }),
  };
  return await work({ ...context, host });
}

/** What `check` finds. */
export async function drift(
  world: World,
  answers?: Readonly<Record<string, Partial<CommandResult>>>,
): Promise<readonly string[]> {
  return (await look(world, (context) => check(context, { names: [], all: true }), answers)).text;
}
