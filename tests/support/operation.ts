/** Operations on a host, from few words. */
import type { XmlElement } from "@std/xml";
import type { RemovalGroup, Step } from "../../core/change/change.ts";
import type { Entering, Operation, Rebuild } from "../../core/change/operation.ts";
import type { Command, Program, RuleProgram } from "../../core/command.ts";
import type { Installation } from "../../core/record/record.ts";

const ELEMENT: XmlElement = {
  type: "element",
  name: { raw: "network", local: "network" },
  attributes: {},
  children: [],
};

/** A program with its input: one line. */
export function input(program: Program, text: string): Command {
  return { program, args: ["-"], stdin: `${text}\n` };
}

/** A program of iptables with one line for one table. */
export function restore(program: RuleProgram, line: string, table = "filter"): Command {
  return { program, args: ["--noflush"], stdin: `*${table}\n${line}\nCOMMIT\n` };
}

/** Commands that go together. */
export function group(command: Command, ignoreErrors = false): RemovalGroup {
  return { commands: [command], ignoreErrors };
}

/** What stands, with its removal. */
export function standing(...removal: readonly RemovalGroup[]): Installation {
  return { network: ELEMENT, backend: "nftables", removal };
}

/** What stands, and what an earlier backend left behind. */
export function leftover(
  removal: readonly RemovalGroup[],
  ...left: readonly RemovalGroup[]
): Installation {
  return { ...standing(...removal), left: [{ backend: "iptables", removal: left }] };
}

/** A step whose purpose is its input. */
export function step(command: Command, optional?: Step["optional"]): Step {
  const required = { purpose: `do ${command.stdin?.trim() ?? command.args.join(" ")}`, command };
  return optional === undefined ? required : { ...required, optional };
}

/** A network that gets in; `remove NAME` is its removal. */
export function entering(name: string, ...steps: readonly Step[]): Entering {
  return { name, installation: standing(group(input("nft", `remove ${name}`))), steps };
}

/** All rules made anew, every program having told what it holds. */
export function anew(reset: readonly Command[], entering: readonly Entering[]): Rebuild {
  return { reset, unseen: [], entering };
}

/** An operation that does nothing. */
export const NOTHING: Operation = {
  leaving: [],
  staying: [],
  entering: [],
  settings: [],
  rebuild: () => Promise.resolve(anew([], [])),
};
