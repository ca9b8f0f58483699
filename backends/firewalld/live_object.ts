/** A zone or a policy as its file and firewalld itself have it, compared with what it should be. */
import type { Command, CommandResult } from "../../core/command.ts";
import type { Answers } from "../../core/firewall_backend.ts";
import { printable } from "../../core/quoted.ts";
import { answerOf, fileQuestion, settingsOf, settingsQuestion, textsOf } from "./bus.ts";
import { isInKernel } from "./kernel_rules.ts";
import { filePath } from "./object_name.ts";
import { fileText, type FirewalldObject, isZone } from "./objects.ts";
import { formatRichRule } from "./rich_rule.ts";

/** The questions for {@linkcode differencesOf}. */
export function objectQuestions(
  object: FirewalldObject["object"],
): readonly Command[] {
  return [fileQuestion(filePath(object)), settingsQuestion(object)];
}

/** Whether the file is there and holds just that; false also where nobody asked. */
export function isFileAsWanted(wanted: FirewalldObject, answers: Answers): boolean {
  const file = answers.to(fileQuestion(filePath(wanted.object)));
  return file?.status === 0 && file.stdout === fileText(wanted);
}

/** What is not as it should be, as sentences without a period; empty: all is well. */
export function differencesOf(wanted: FirewalldObject, answers: Answers): readonly string[] {
  return [...fileDifferences(wanted, answers), ...liveDifferences(wanted, answers)];
}

function fileDifferences(wanted: FirewalldObject, answers: Answers): readonly string[] {
  if (isFileAsWanted(wanted, answers)) return [];
  const path = filePath(wanted.object);
  const isThere = answers.to(fileQuestion(path))?.status === 0;
  return [`File "${path}" ${isThere ? "was changed" : "is missing"}`];
}

/** The settings that matter, as texts; what we leave out has to be empty. */
type Settings = ReadonlyMap<string, readonly string[]>;

/** Words for people that change nothing. */
const REMARKS = ["short", "description", "version"];

function liveDifferences(wanted: FirewalldObject, answers: Answers): readonly string[] {
  const { kind, name } = wanted.object;
  const what = `${kind === "zone" ? "Zone" : "Policy"} "${name}"`;
  const live = liveSettings(answers.to(settingsQuestion(wanted.object)));
  if (live === undefined) return [`${what} is not known to firewalld`];
  if (!isInKernel(name, answers)) return [`${what} has its rules missing in the kernel`];
  const expected = expectedSettings(wanted);
  return [...new Set([...expected.keys(), ...live.keys()])].flatMap((key) => {
    const [should, is] = [expected.get(key) ?? [], live.get(key) ?? []];
    return [
      ...should.filter((one) => !is.includes(one))
        .map((one) => `${what} lacks ${settingText(key, one)}`),
      ...is.filter((one) => !should.includes(one))
        .map((one) => `${what} has ${settingText(key, one)}, which is not of this network`),
    ];
  });
}

function settingText(key: string, value: string): string {
  return `${WORDS[key] ?? key} \`${printable(value)}\``;
}

/** Keys of D-Bus in words; rules speak for themselves. */
const WORDS: Readonly<Record<string, string>> = {
  rules_str: "the",
  rich_rules: "the",
  interfaces: "the interface",
  services: "the service",
  protocols: "the protocol",
  ingress_zones: "the ingress zone",
  egress_zones: "the egress zone",
};

function expectedSettings(wanted: FirewalldObject): Settings {
  if (isZone(wanted)) {
    return new Map([
      ["target", ["default"]],
      ["interfaces", [wanted.interface]],
      ["services", wanted.services],
      ["protocols", wanted.protocols],
    ]);
  }
  return new Map([
    ["target", [wanted.target]],
    ["priority", [String(wanted.priority)]],
    ["ingress_zones", [wanted.from]],
    ["egress_zones", [wanted.to]],
    ["rich_rules", wanted.rules.map(formatRichRule)],
  ]);
}

function liveSettings(result: CommandResult | undefined): Settings | undefined {
  const settings = settingsOf(result);
  if (settings === undefined) return undefined;
  return new Map(
    [...settings].filter(([key]) => !REMARKS.includes(key))
      .flatMap(([key, { data }]): [string, readonly string[]][] => {
        const values = Array.isArray(data)
          ? data.map((one) => typeof one === "string" ? one : JSON.stringify(one))
          // A switch that is off is as good as none.
          : data === false
          ? []
          : [String(data)];
        return [[key, values]];
      }),
  );
}

/** Names that a list of D-Bus gives; undefined where nobody asked. */
export function namesIn(answers: Answers, question: Command): readonly string[] | undefined {
  const names = answerOf(answers.to(question));
  return names === undefined ? undefined : textsOf(names);
}
