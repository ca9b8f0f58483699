/** Answers of firewalld, from few words: for tests of its backend. */
import {
  installedFirewalld,
  runFirewalldProgram,
  startFirewalld,
} from "../../support/model_firewalld.ts";
import type { Firewalld } from "../../support/model_firewalld.ts";
import type { Command, CommandResult } from "../../../core/command.ts";
import type { Answers } from "../../../core/firewall_backend.ts";

/** What differs from a firewalld that runs, has its own zones and libvirt's, and nothing in them. */
export interface Told {
  /** Zones beside firewalld's own; absent: libvirt's. */
  readonly zones?: readonly string[];
  /** Interfaces and their zones at run time. */
  readonly runtime?: Readonly<Record<string, string>>;
  /** Interfaces and their zones by the files. */
  readonly permanent?: Readonly<Record<string, string>>;
  /** False: only files are there. */
  readonly running?: boolean;
  /** Instead of the answer, for questions with this word. */
  readonly instead?: readonly (readonly [word: string, answer: Partial<CommandResult>])[];
}

/** firewalld's answers to whatever is asked. */
export function answersOf(told: Told = {}): Answers {
  const { zones, runtime = {}, permanent = {}, running = true, instead = [] } = told;
  const installed = installedFirewalld(zones);
  const started = running ? startFirewalld(installed) : installed;
  const firewalld: Firewalld = {
    ...started,
    permanent: new Map(Object.entries(permanent)),
    bindings: new Map(Object.entries(runtime)),
  };
  return {
    to: (question) => {
      const [, other] = instead.find(([word]) => question.args.includes(word)) ?? [];
      if (other !== undefined) return { status: 0, stdout: "", stderr: "", ...other };
      return isOfFirewalld(question) ? runFirewalldProgram(firewalld, question).result : undefined;
    },
  };
}

function isOfFirewalld({ program }: Command): boolean {
  return program === "busctl" || program === "cat";
}
