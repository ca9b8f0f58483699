/** The machine as a command finds it. */
import { commandKey } from "../change/change.ts";
import type { Command, CommandResult, CommandRunner } from "../command.ts";
import type { Answers, FirewallBackend, WantedNetwork } from "../firewall_backend.ts";
import type { FactsWanted, Host, HostFacts } from "../host.ts";
import { type Installation, installationsOf, type Record } from "../record/record.ts";
import { ALL_FACTS } from "./prepare.ts";

/** What is known of the machine, under the lock. */
export interface Snapshot {
  /** All that this program has: each compiles the networks that it holds. */
  readonly backends: readonly FirewallBackend[];
  /** As far as the command asked for them: the rest is empty. */
  readonly facts: HostFacts;
  /** To the questions of the backends that may be needed. */
  readonly answers: Answers;
  /** Sorted by name. */
  readonly records: readonly Record[];
}

/** Answers of a machine that was not asked. */
export const NO_ANSWERS: Answers = { to: () => undefined };

/** pf is asked several questions for each network, and a host has only so many processes. */
const QUESTIONS_AT_ONCE = 16;

/** Runs each question once, many of them side by side. */
export async function askQuestions(
  runner: CommandRunner,
  questions: readonly Command[],
): Promise<Answers> {
  const waiting = new Map(questions.map((question) => [commandKey(question), question])).entries();
  const answers = new Map<string, CommandResult>();
  const askInTurn = async (): Promise<void> => {
    // All take from the same iterator, which gives each question once.
    for (const [key, question] of waiting) answers.set(key, await runner.run(question));
  };
  await Promise.all(Array.from({ length: QUESTIONS_AT_ONCE }, askInTurn));
  return { to: (question) => answers.get(commandKey(question)) };
}

/** What a command has to know before it works. */
export interface Wanted {
  /** Of the host. */
  readonly facts: FactsWanted;
  /** The networks that it installs; absent: all on record. */
  readonly networks?: readonly WantedNetwork[];
}

/**
 * Asks the machine what one backend has to know in order to install.
 *
 * @param backend May still be being chosen: the facts do not wait for it.
 */
export async function lookAt(
  host: Host,
  backends: readonly FirewallBackend[],
  records: readonly Record[],
  wanted: Wanted,
  backend: Promise<FirewallBackend> | undefined,
): Promise<Snapshot> {
  const [facts, answers] = await Promise.all([
    host.facts(wanted.facts),
    backend?.then((chosen) =>
      askQuestions(host, chosen.questions(records, false, wanted.networks))
    ) ?? NO_ANSWERS,
  ]);
  return { backends, facts, answers, records };
}

/** Asks the machine everything that could be needed to make all rules anew, in whatever backend. */
export async function lookAtAll(
  host: Host,
  backends: readonly FirewallBackend[],
  records: readonly Record[],
  entering: readonly Installation[] = [],
): Promise<Snapshot> {
  const involved = involvedBackends(backends, records, entering);
  const [facts, answers] = await Promise.all([
    host.facts(ALL_FACTS),
    askQuestions(host, involved.flatMap((backend) => backend.questions(records, true))),
  ]);
  return { backends, facts, answers, records };
}

/** The backends that hold a network or what is left of one, or are about to. */
export function involvedBackends(
  backends: readonly FirewallBackend[],
  records: readonly Record[],
  entering: readonly Installation[],
): readonly FirewallBackend[] {
  const installations = records.flatMap(installationsOf);
  const names = new Set(
    [...installations, ...installations.flatMap(({ left }) => left ?? []), ...entering]
      .map(({ backend }) => backend),
  );
  return backends.filter(({ name }) => names.has(name));
}
