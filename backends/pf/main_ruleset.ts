/** Whether packets get to our anchors at all: pf itself, and the ruleset of the administrator. */
import { type CommandResult, firstLine } from "../../core/command.ts";
import type { Command } from "../../core/command.ts";
import type { Answers } from "../../core/firewall_backend.ts";
import { printable, quoted } from "../../core/quoted.ts";

/** `Status: Enabled for …`, or why pf does not answer. */
export const STATUS_QUESTION: Command = { program: "pfctl", args: ["-s", "info"] };

/** Translation rules of the main ruleset, one a line, anchors among them. */
export const TRANSLATION_QUESTION: Command = { program: "pfctl", args: ["-s", "nat"] };

/** Filter rules of the main ruleset. */
export const FILTER_QUESTION: Command = { program: "pfctl", args: ["-s", "rules"] };

/** Interfaces that pf knows: one that it leaves alone has `(skip)` behind its name. */
export const INTERFACES_QUESTION: Command = { program: "pfctl", args: ["-v", "-s", "Interfaces"] };

/** All that {@linkcode findProblems} reads. */
export const QUESTIONS: readonly Command[] = [
  STATUS_QUESTION,
  TRANSLATION_QUESTION,
  FILTER_QUESTION,
  INTERFACES_QUESTION,
];

/** Something that keeps rules from working that are loaded all the same. */
export interface Problem {
  /** A sentence without a period. */
  readonly sentence: string;
  /** What to type, or to write into which file. */
  readonly fix: string;
}

/** pf answers, or it does not: then nothing can be loaded. */
export type PfStatus =
  | { readonly kind: "enabled" }
  | { readonly kind: "disabled" }
  | { readonly kind: "absent"; readonly problem: Problem };

const START = "Run `sysrc pf_enable=YES` and `service pf start`";

/** Reads what `pfctl -s info` answered. */
export function readStatus({ status, stdout, stderr }: CommandResult): PfStatus {
  if (/^Status: Enabled/m.test(stdout)) return { kind: "enabled" };
  if (/^Status: Disabled/m.test(stdout)) return { kind: "disabled" };
  const absent = (sentence: string, fix: string): PfStatus => ({
    kind: "absent",
    problem: { sentence, fix },
  });
  if (status === 127) return absent("pfctl is not installed", "Install the base system's pf");
  if (/\/dev\/pf: No such file/.test(stderr)) {
    return absent(
      "there is no /dev/pf: the module pf is not loaded",
      `${START}, or \`kldload pf\` for now`,
    );
  }
  if (/Permission denied/.test(stderr)) {
    return absent("only root may ask pf", "Run it again as root");
  }
  return absent(
    `pfctl does not answer: ${printable(firstLine(stderr)) || `status ${status}`}`,
    START,
  );
}

/**
 * What stands between packets and the anchors below `root`.
 *
 * @param devices The interfaces that matter: bridges, and those that packets leave by.
 */
export function findProblems(
  root: string,
  devices: readonly string[],
  answers: Answers,
): readonly Problem[] {
  const status = answers.to(STATUS_QUESTION);
  if (status === undefined) return [];
  const pf = readStatus(status);
  if (pf.kind === "absent") return [pf.problem];
  return [
    ...(pf.kind === "disabled"
      ? [{ sentence: "pf is disabled, so no packet meets a rule", fix: START }]
      : []),
    ...anchorProblems(
      root,
      printedBy(answers, TRANSLATION_QUESTION) + printedBy(answers, FILTER_QUESTION),
    ),
    ...skipProblems(devices, printedBy(answers, INTERFACES_QUESTION)),
  ];
}

/** What the program printed; nothing where it was not asked. */
export function printedBy(answers: Answers, question: Command): string {
  return answers.to(question)?.stdout ?? "";
}

/** The lines that pf.conf needs, in the order that pf wants: translation before filter rules. */
export function anchorLines(root: string): readonly string[] {
  return ["nat-anchor", "rdr-anchor", "anchor"].map((kind) => `${kind} "${root}/*"`);
}

function anchorProblems(root: string, listing: string): readonly Problem[] {
  const lines = listing.split("\n");
  const wanted = anchorLines(root);
  const missing = wanted.filter((line) => !lines.some((one) => one.startsWith(`${line} `)));
  if (missing.length > 0) return [missingAnchors(root, lines, missing)];
  return wanted.flatMap((line) =>
    lines.filter((one) => one.startsWith(`${line} `)).map((one) => one.slice(line.length).trim())
      .filter((conditions) => !/^(quick )?(inet )?all$/.test(conditions))
      .map((conditions) => ({
        sentence: `The main ruleset of pf has \`${line}\` for some packets only: ` +
          printable(conditions),
        fix: "Write the line in /etc/pf.conf without conditions, unless you mean them",
      }))
  );
}

function missingAnchors(
  root: string,
  lines: readonly string[],
  missing: readonly string[],
): Problem {
  // Printed as it was written: pf takes the backslash for a part of the name.
  const misspelt = lines.find((line) => line.includes(`"${root}\\*"`));
  const reason = misspelt === undefined
    ? `the main ruleset of pf has no ${missing.map((line) => `\`${line}\``).join(", ")}`
    : `the main ruleset of pf has ${quoted(`${root}\\*`)}, in which the backslash makes the star ` +
      "an ordinary character";
  return {
    sentence: `No packet gets to all of the rules: ${reason}`,
    fix: [
      "Put these lines into /etc/pf.conf, in this order, before its filter rules, and run " +
      "`service pf reload`:",
      ...anchorLines(root).map((line) => `  ${line}`),
    ].join("\n"),
  };
}

function skipProblems(devices: readonly string[], listing: string): readonly Problem[] {
  const skipped = listing.split("\n").filter((line) => line.endsWith(" (skip)"))
    .map((line) => line.slice(0, -" (skip)".length).trim());
  return devices.filter((device) => skipped.includes(device)).map((device) => ({
    sentence:
      `pf leaves interface ${quoted(device)} alone (\`set skip\`): nothing is filtered or ` +
      "translated there",
    fix: "Take the interface out of `set skip` in /etc/pf.conf and run `service pf reload`",
  }));
}
