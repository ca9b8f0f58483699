/** Operations on a host, from few words. */
import type { XmlElement } from "@std/xml";
import type { RemovalGroup, Step } from "../../core/change/change.ts";
import type { Entering, Operation } from "../../core/change/operation.ts";
import type { Command, Program } from "../../core/command.ts";
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

/** Commands that go together. */
export function group(command: Command, ignoreErrors = false): RemovalGroup {
  return { commands: [command], ignoreErrors };
}

/** What stands, with its removal. */
export function standing(...removal: readonly RemovalGroup[]): Installation {
  return { network: ELEMENT, backend: "nftables", removal };
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

/** An operation that does nothing. */
export const NOTHING: Operation = {
  leaving: [],
  staying: [],
  entering: [],
  settings: [],
  rebuild: () => Promise.resolve([]),
};
