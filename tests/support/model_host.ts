/** A host in memory, on which every single effect can fail or be the last one. */
import { backends } from "../../backends/mod.ts";
import type { Command, CommandResult } from "../../core/command.ts";
import type { Context, DefinitionText } from "../../core/commands/context.ts";
import type { Host, HostFacts } from "../../core/host.ts";
import { RecordError } from "../../core/record/record.ts";
import { formatRecord, parseRecord } from "../../core/record/record_xml.ts";
import { type Ruleset, runScript } from "./model_nft.ts";

/** The process is gone: nothing after this is run. */
export class Killed extends Error {
  override readonly name = "Killed";
}

/** What happens at an effect: nothing special, an error, or the end of the process. */
export type Fate = "works" | "fails" | "dies before" | "dies after";

/** What outlives a process. */
export interface World {
  ruleset: Ruleset;
  /** Status files by the name of their network. */
  files: Map<string, string>;
  /** The facts of the host. */
  readonly facts: HostFacts;
}

/** A world in which nothing has been done. */
export function emptyWorld(facts: Partial<HostFacts> = {}): World {
  return {
    ruleset: new Map(),
    files: new Map(),
    facts: {
      interfaces: ["virbr0", "virbr1", "virbr2"],
      routes: [],
      forwarding: { ipv4: true, ipv6: true },
      advertised: [],
      clsact: [],
      ...facts,
    },
  };
}

/** One process in the world. `effects` counts what it has done to it. */
export interface Process {
  readonly context: Context;
  readonly effects: () => number;
  readonly said: readonly string[];
}

/** @param fateOf What becomes of the effect with this number, the first being 0. */
export function startProcess(
  world: World,
  definitions: Readonly<Record<string, string>>,
  fateOf: (effect: number) => Fate = () => "works",
): Process {
  let count = 0;
  let dead = false;
  const said: string[] = [];
  function effect<Result>(run: () => Result, fail: () => Result): Result {
    if (dead) throw new Killed("the process is dead");
    const fate = fateOf(count++);
    if (fate === "dies before") dead = true;
    if (dead) throw new Killed("dead before the effect");
    const result = fate === "fails" ? fail() : run();
    if (fate === "dies after") dead = true;
    if (dead) throw new Killed("dead after the effect");
    return result;
  }
  const refuseWrite = (): never => {
    throw new RecordError("Cannot write a record: no space left on device");
  };
  const host: Host = {
    platform: "linux",
    kernel: "6.1.0",
    privileged: true,
    facts: () => Promise.resolve(world.facts),
    run: (command) =>
      Promise.resolve().then(() =>
        effect(() => runOn(world, command), () => ({
          status: 1,
          stdout: "",
          stderr: "Error: Device or resource busy",
        }))
      ),
    records: {
      directory: "memory",
      readAll: () =>
        Promise.resolve(
          [...world.files].toSorted(([one], [other]) => one < other ? -1 : 1)
            .map(([name, text]) => parseRecord(text, name)),
        ),
      write: (record) =>
        Promise.resolve().then(() =>
          effect(() => void world.files.set(record.name, formatRecord(record)), refuseWrite)
        ),
      remove: (name) =>
        Promise.resolve().then(() => effect(() => void world.files.delete(name), refuseWrite)),
      lock: () => Promise.resolve({ [Symbol.dispose]: () => {} }),
    },
  };
  const read = (name: string): DefinitionText => ({ text: definitions[name] ?? "", file: name });
  const context: Context = {
    host,
    backends: backends({ table: "bridgewall" }),
    options: { sysctl: true, wait: 0 },
    definitions: {
      read: (name) => Promise.resolve(read(name)),
      readAll: () => Promise.resolve(Object.keys(definitions).map(read)),
    },
    messages: {
      note: (text) => void said.push(text),
      warn: (text) => void said.push(text),
      detail: () => {},
    },
  };
  return { context, effects: () => count, said };
}

function runOn(world: World, { program, args, stdin }: Command): CommandResult {
  const done = { status: 0, stdout: "", stderr: "" };
  if (program !== "nft") return done;
  if (args[0] === "--version") return { ...done, stdout: "nftables v1.0.6\n" };
  if (args[0] !== "-f") return done;
  const { ruleset, error } = runScript(world.ruleset, stdin ?? "");
  world.ruleset = ruleset;
  return error === undefined ? done : { ...done, status: 1, stderr: `Error: ${error}` };
}
