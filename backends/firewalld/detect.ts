/** Can this host use firewalld? */
import { isNobodyThere } from "../../core/change/already_so.ts";
import { type Command, firstLine } from "../../core/command.ts";
import { askQuestions } from "../../core/commands/snapshot.ts";
import { type Answers, type Detection, NoBackendError } from "../../core/firewall_backend.ts";
import type { Host } from "../../core/host.ts";
import { printable } from "../../core/quoted.ts";
import { answerOf, STATE_QUESTION, VERSION_QUESTION } from "./bus.ts";

/** The first with all that is used: Debian 12 has it. */
const OLDEST = { major: 1, minor: 3 } as const;

/** firewalld can be used while it runs: what it has in files only stops nothing. */
export async function detectFirewalld(host: Host): Promise<Detection> {
  if (host.platform !== "linux") {
    return { usable: false, evidence: "firewalld is a firewall of Linux, and this host is none" };
  }
  const answers = await askQuestions(host, [STATE_QUESTION, VERSION_QUESTION]);
  const problem = problemOf(answers);
  if (problem !== undefined) return { usable: false, ...problem };
  const version = answerOf(answers.to(VERSION_QUESTION));
  const text = typeof version === "string" ? version : "";
  const [, major = "0", minor = "0"] = /^(\d+)\.(\d+)/.exec(text) ?? [];
  const isOld = Number(major) < OLDEST.major ||
    (Number(major) === OLDEST.major && Number(minor) < OLDEST.minor);
  const name = `firewalld ${printable(text)}`;
  return isOld
    ? {
      usable: false,
      evidence: `${name} is running, but ${OLDEST.major}.${OLDEST.minor} is the oldest that works`,
    }
    : { usable: true, evidence: `${name} is running` };
}

/**
 * A question that got no answer is no "no": who took it for one would put a bridge into the wrong zone.
 *
 * @throws {NoBackendError} When firewalld was asked, and did not answer.
 */
export function refuseSilence(questions: readonly Command[], answers: Answers): void {
  for (const question of questions) {
    const answer = answers.to(question);
    if (answer === undefined || answer.status === 0) continue;
    throw new NoBackendError(
      `Cannot use firewalld: it does not answer (${printable(firstLine(answer.stderr))})`,
    );
  }
}

/** Why firewalld cannot be used, by its answer to {@linkcode STATE_QUESTION}; undefined: it can. */
export function problemOf(answers: Answers): Pick<Detection, "evidence" | "hint"> | undefined {
  const state = answers.to(STATE_QUESTION);
  if (state === undefined) return undefined;
  if (state.status === 127) {
    return {
      evidence: "busctl (systemd), which speaks with firewalld, is not installed",
    };
  }
  if (state.status === 126) return { evidence: "the program busctl may not be run" };
  if (state.status !== 0) {
    const said = firstLine(state.stderr);
    // Most hosts have none, and need none.
    return { evidence: isNobodyThere(state) ? "firewalld is not running" : printable(said) };
  }
  const value = answerOf(state);
  if (value === "RUNNING") return undefined;
  return {
    evidence: `firewalld is in the state ${
      printable(String(value))
    }: its configuration is not in use`,
    hint: "See `firewall-cmd --check-config` and the log of firewalld",
  };
}

/** Whether firewalld was asked for, and nobody is there. */
export function isAbsent(answers: Answers): boolean {
  const state = answers.to(STATE_QUESTION);
  return state !== undefined && isNobodyThere(state);
}
