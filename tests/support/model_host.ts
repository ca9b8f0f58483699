/** A host in memory, on which every single effect can fail or be the last one. */
import { backends } from "../../backends/mod.ts";
import type { Command, CommandRunner } from "../../core/command.ts";
import type { Context, DefinitionText } from "../../core/commands/context.ts";
import type { Host, HostFacts, Platform } from "../../core/host.ts";
import { type Record, RecordError } from "../../core/record/record.ts";
import { formatRecord, parseRecord } from "../../core/record/record_xml.ts";
import { keepingRuntime } from "../../backends/firewalld/kept_runtime.ts";
import { describeFirewalld } from "./firewalld_listing.ts";
import { installedFirewalld } from "./model_firewalld.ts";
import { describeTables } from "./model_iptables.ts";
import { describeRuleset } from "./model_nft.ts";
import { describeAnchors } from "./model_pf.ts";
import { type Machine, runProgram } from "./model_programs.ts";

/** The process is gone: nothing after this is run. */
export class Killed extends Error {
  override readonly name = "Killed";
}

/** What happens at an effect: nothing special, an error, or the end of the process. */
export type Fate = "works" | "fails" | "dies before" | "dies after";

/** What outlives a process. */
export interface World extends Machine {
  /** Status files by the name of their network. */
  files: Map<string, string>;
  /** What it runs. */
  platform: Platform;
  /** The facts of the host. */
  readonly facts: HostFacts;
}

/** A world in which nothing has been done. */
export function emptyWorld(facts: Partial<HostFacts> = {}): World {
  return {
    ruleset: new Map(),
    tables: new Map(),
    anchors: new Map(),
    firewalld: installedFirewalld(),
    platform: "linux",
    variant: "nft",
    missing: new Set(),
    ipv6: true,
    localRouting: new Set(),
    queues: new Set(),
    connections: [],
    files: new Map(),
    facts: {
      platform: "linux",
      interfaces: ["virbr0", "virbr1", "virbr2"],
      routes: [{ destination: { family: "ipv4", value: 0n, prefix: 0 }, device: "re0" }],
      forwarding: { ipv4: true, ipv6: true },
      advertised: [],
      clsact: [],
      ...facts,
    },
  };
}

/** The same world, which then goes its own way. */
export function copyWorld(world: World): World {
  return { ...world, files: new Map(world.files) };
}

/** Chains whose rules are those of networks, each for its own packets: their order means nothing. */
const UNORDERED = /^ {2}BRIDGEWALL_(?!LET$).*(?:\n {4}.*)+/gm;

/** All rules of all programs as text, the same for hosts that do the same. */
export function describeRules(
  { ruleset, tables, anchors, firewalld, localRouting }: Machine,
): string {
  const restored = [...tables].flatMap(([program, own]) => {
    const text = describeTables(own).replaceAll(UNORDERED, (chain) => {
      const [name, ...rules] = chain.split("\n");
      return [name, ...rules.toSorted()].join("\n");
    });
    return text === "" ? [] : [`${program}\n${text}`];
  });
  const texts = [
    describeRuleset(ruleset),
    ...restored.toSorted(),
    describeAnchors(anchors),
    describeFirewalld(firewalld),
    ...[...localRouting].toSorted().map((bridge) => `127.0.0.0/8 by ${bridge}`),
  ];
  return texts.filter((text) => text !== "").join("\n");
}

/** Rules and records as text. */
export function describeWorld(world: World): string {
  const records = [...world.files].toSorted(([one], [other]) => one < other ? -1 : 1).flat();
  return [describeRules(world), ...records].join("\n");
}

/**
 * What becomes of an effect.
 *
 * @param effect Its number, the first being 0.
 * @param command What is run; absent for a record.
 */
export type FateOf = (effect: number, command?: Command) => Fate;

const RECORDS = new Map<string, Record>();

/** Reads each record once: the same few come again and again. */
/** Nobody changes anything behind a command's back. */
async function* nothing(): AsyncIterable<never> {}

function readRecord(name: string, text: string): Record {
  const record = RECORDS.get(text) ?? parseRecord(text, name);
  RECORDS.set(text, record);
  return record;
}

/** One process in the world. `effects` counts what it has done to it. */
export interface Process {
  readonly context: Context;
  readonly effects: () => number;
  /** True when it was killed: what it still throws reaches nobody. */
  readonly isDead: () => boolean;
  readonly said: readonly string[];
}

/**
 * @param fateOf Absent: everything works.
 * @param backend The one that is asked for.
 */
export function startProcess(
  world: World,
  definitions: Readonly<globalThis.Record<string, string>>,
  fateOf?: FateOf,
  backend?: string,
): Process {
  let count = 0;
  let dead = false;
  const said: string[] = [];
  function effect<Result>(run: () => Result, fail: () => Result, command?: Command): Result {
    if (dead) throw new Killed("the process is dead");
    const fate = fateOf?.(count, command) ?? "works";
    count++;
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
  const runner: CommandRunner = {
    run: (command) =>
      Promise.resolve().then(() =>
        effect(() => runProgram(world, command), () => ({
          status: 1,
          stdout: "",
          stderr: "Error: Device or resource busy",
        }), command)
      ),
  };
  const host: Host = {
    platform: world.platform,
    kernel: "6.1.0",
    privileged: true,
    pause: () => Promise.resolve(),
    follow: nothing,
    now: () => 0,
    date: () => new Date(0),
    rest: () => Promise.resolve(),
    facts: () =>
      Promise.resolve({
        ...world.facts,
        platform: world.platform,
        clsact: [...world.facts.clsact, ...world.queues],
      }),
    // As main.ts does it.
    run: keepingRuntime(runner, (sentence) => void said.push(sentence)),
    records: {
      directory: "memory",
      readAll: () =>
        Promise.resolve(
          [...world.files].toSorted(([one], [other]) => one < other ? -1 : 1)
            .map(([name, text]) => readRecord(name, text)),
        ),
      write: (record) =>
        Promise.resolve().then(() =>
          effect(() => void world.files.set(record.name, formatRecord(record)), refuseWrite)
        ),
      remove: (name) =>
        Promise.resolve().then(() => effect(() => void world.files.delete(name), refuseWrite)),
      changes: nothing,
      lock: () => Promise.resolve({ [Symbol.dispose]: () => {} }),
    },
  };
  const read = (name: string): DefinitionText => ({ text: definitions[name] ?? "", file: name });
  const context: Context = {
    host,
    backends: backends({ table: "bridgewall", anchor: "bridgewall" }),
    options: {
      sysctl: true,
      wait: 0,
      insists: backend !== undefined,
      ...(backend === undefined ? {} : { backend }),
    },
    definitions: {
      read: (name) => Promise.resolve(read(name)),
      readAll: () => Promise.resolve(Object.keys(definitions).map(read)),
      readLibvirt: () => Promise.resolve(Object.keys(definitions).map(read)),
    },
    messages: {
      note: (text) => void said.push(text),
      warn: (text) => void said.push(text),
      detail: () => {},
      event: (text) => void said.push(text),
    },
  };
  return { context, effects: () => count, isDead: () => dead, said };
}
