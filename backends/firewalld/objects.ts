/** Zones and policies as values, and the files that define them. */
import type { ObjectName } from "./object_name.ts";
import { type RichRule, richRuleElement } from "./rich_rule.ts";

/** A zone of ours: one bridge, and what its guests may ask of the host. */
export interface Zone {
  /** What it is called. */
  readonly object: ObjectName;
  /** The bridge. */
  readonly interface: string;
  /** Names of services that firewalld brings. */
  readonly services: readonly string[];
  /** Names of protocols, as in /etc/protocols. */
  readonly protocols: readonly string[];
}

/** Whose packets a policy decides: those of a zone, of the host itself, or all that are forwarded. */
export type PolicyEnd = string | typeof ANY | typeof HOST;

/** Everybody but the host. */
export const ANY = "ANY";

/** The host itself. */
export const HOST = "HOST";

/** What becomes of packets that go from one zone to another (firewalld.policies(5)). */
export interface ZonePolicy {
  /** What it is called. */
  readonly object: ObjectName;
  /** Below 0 it comes before what zones say themselves, above 0 after it. Never 0. */
  readonly priority: number;
  /** What becomes of packets that no rule speaks of. */
  readonly target: "ACCEPT" | "CONTINUE" | "REJECT";
  /** Where packets come from. */
  readonly from: PolicyEnd;
  /** Where they go. */
  readonly to: PolicyEnd;
  /** In any order: firewalld puts them into one of its own. */
  readonly rules: readonly RichRule[];
}

/** Either. */
export type FirewalldObject = Zone | ZonePolicy;

/** Whether it is a zone. */
export function isZone(one: FirewalldObject): one is Zone {
  return "interface" in one;
}

/** The file of the object (firewalld.zone(5), firewalld.policy(5)). */
export function fileText(one: FirewalldObject): string {
  const lines = isZone(one) ? zoneLines(one) : policyLines(one);
  return ['<?xml version="1.0" encoding="utf-8"?>', ...lines, ""].join("\n");
}

/** Tells whose the file is, for people and for {@linkcode isOurFile}. */
const MARK = "Made by bridgewall, which changes it and takes it away";

/** Whether this program wrote the file. */
export function isOurFile(text: string): boolean {
  return text.includes(`<description>${MARK}`);
}

function zoneLines(zone: Zone): readonly string[] {
  return [
    "<zone>",
    ...descriptionLines(`guests on ${zone.interface}`),
    ...zone.services.map((name) => `  <service name="${escaped(name)}"/>`),
    ...zone.protocols.map((name) => `  <protocol value="${escaped(name)}"/>`),
    `  <interface name="${escaped(zone.interface)}"/>`,
    "</zone>",
  ];
}

function policyLines({ object, priority, target, from, to, rules }: ZonePolicy): readonly string[] {
  return [
    `<policy priority="${priority}" target="${target}">`,
    ...descriptionLines(object.name),
    ...rules.map((rule) => `  ${richRuleElement(rule)}`),
    `  <ingress-zone name="${escaped(from)}"/>`,
    `  <egress-zone name="${escaped(to)}"/>`,
    "</policy>",
  ];
}

function descriptionLines(what: string): readonly string[] {
  return [
    `  <short>bridgewall: ${escaped(what)}</short>`,
    `  <description>${MARK}</description>`,
  ];
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
};

function escaped(text: string): string {
  return text.replaceAll(/[&<>"]/g, (character) => ENTITIES[character] ?? character);
}
