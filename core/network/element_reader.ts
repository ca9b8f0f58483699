/** Reading values out of the elements of a definition, with errors that say where. */
import { isElement } from "@std/xml";
import type { XmlElement, XmlNode } from "@std/xml";
import { parseAddress } from "../address.ts";
import type { IpAddress } from "../address.ts";
import { NetworkDefinitionError, type SourcePlace } from "./network_error.ts";
import { quoted } from "../quoted.ts";

/** An element and the file it stands in. */
export interface Part {
  /** Errors point at its start tag. */
  readonly element: XmlElement;
  /** For messages: the path, `-` for standard input, or `record of NAME`. */
  readonly file: string;
}

/**
 * Refuses the definition because of this part.
 *
 * @param hint What to type instead.
 * @throws {NetworkDefinitionError} Always.
 */
export function refuse(part: Part, problem: string, hint?: string): never {
  const { file, ...position } = placeOf(part);
  throw new NetworkDefinitionError(problem, file, position, hint);
}

/** Where the element begins. Trees that were not read from a text have no positions. */
export function placeOf({ element, file }: Part): SourcePlace {
  const { line, column } = element.position ?? { line: 1, column: 1 };
  return { file, line, column };
}

/** The element's name as the user wrote it: `<ip>`. */
export function tagOf({ element }: Part): string {
  return `<${element.name.raw}>`;
}

/**
 * The elements of that name right below, in order.
 *
 * An element with a prefix or a default namespace of its own is another one, as in libvirt.
 */
export function partsNamed({ element, file }: Part, name: string): readonly Part[] {
  return element.children
    .filter((child) => isElementNamed(child, name))
    .map((child) => ({ element: child, file }));
}

/** Whether the node is libvirt's own element of that name, by the rule of {@linkcode partsNamed}. */
export function isElementNamed(node: XmlNode, name: string): node is XmlElement {
  return isElement(node) && node.name.local === name && node.name.prefix === undefined &&
    (node.attributes["xmlns"] ?? "") === "";
}

/**
 * The element of that name, `undefined` when there is none.
 *
 * libvirt takes the first of several. For a firewall that would be a trap: what the reader sees
 * last may be what opens the network, so a second one is refused.
 *
 * @throws {NetworkDefinitionError} When there are several.
 */
export function onlyPart(part: Part, name: string): Part | undefined {
  const [first, second] = partsNamed(part, name);
  if (second === undefined) return first;
  const line = first?.element.position?.line;
  const place = line === undefined ? "" : `, the first is at line ${line}`;
  return refuse(second, `Second <${name}> in ${tagOf(part)}${place}`, `Keep one <${name}>`);
}

/** The attribute's value, `undefined` when it is absent. */
export function attributeOf({ element }: Part, name: string): string | undefined {
  return Object.hasOwn(element.attributes, name) ? element.attributes[name] : undefined;
}

/** As {@linkcode attributeOf}, an empty value taken for none: what libvirt does in many places. */
export function filledAttribute(part: Part, name: string): string | undefined {
  return attributeOf(part, name) || undefined;
}

/**
 * The attribute's value, which must be there.
 *
 * @param example What the hint tells the user to add.
 * @throws {NetworkDefinitionError} When the attribute is absent or empty.
 */
export function requiredAttribute(part: Part, name: string, example: string): string {
  return filledAttribute(part, name) ??
    refuse(part, `${tagOf(part)} has no ${name}`, `Add ${name}='${example}'`);
}

/** All the text in the element, as XPath's string() gives it: nothing is trimmed. */
export function textOf({ element }: Part): string {
  return textIn(element);
}

function textIn(element: XmlElement): string {
  return element.children.map((child) => {
    switch (child.type) {
      case "text":
      case "cdata":
        return child.text;
      case "element":
        return textIn(child);
      case "comment":
        return "";
    }
  }).join("");
}

/**
 * True for `yes`, false for `no`, `undefined` when the attribute is absent.
 *
 * @throws {NetworkDefinitionError} On any other value: libvirt takes no other either.
 */
export function yesOrNo(part: Part, name: string): boolean | undefined {
  return oneOf(part, name, ["yes", "no"]) === undefined
    ? undefined
    : attributeOf(part, name) === "yes";
}

/**
 * The attribute's value, `undefined` when it is absent.
 *
 * @throws {NetworkDefinitionError} When it is none of the words.
 */
export function oneOf<Word extends string>(
  part: Part,
  name: string,
  words: readonly Word[],
): Word | undefined {
  const value = attributeOf(part, name);
  if (value === undefined) return undefined;
  return words.find((word) => word === value) ??
    refuse(
      part,
      `${tagOf(part)} has ${name} ${quoted(value)}, wanted ${words.join(", ")}`,
      words.length > 2
        ? undefined
        : `Write ${words.map((word) => `${name}='${word}'`).join(" or ")}`,
    );
}

/**
 * The attribute as a whole number, `undefined` when it is absent.
 *
 * Decimal digits only: what else strtoul(3) would take (white space, a sign) helps nobody here.
 *
 * @param largest The largest that is taken; 0 is the smallest.
 * @throws {NetworkDefinitionError} When it is no number, or too large.
 */
export function decimal(part: Part, name: string, largest: number): number | undefined {
  const value = attributeOf(part, name);
  if (value === undefined) return undefined;
  if (/^[0-9]+$/.test(value) && Number(value) <= largest) return Number(value);
  return refuse(
    part,
    `${tagOf(part)} has ${name} ${quoted(value)}, wanted a number from 0 to ${largest}`,
  );
}

/** The largest `unsigned int`, which libvirt reads most numbers as. */
export const UNSIGNED_INT_MAX: number = 2 ** 32 - 1;
/** The largest `unsigned long`, rounded up to what a number can hold. */
export const UNSIGNED_LONG_MAX: number = 2 ** 64;

/**
 * The attribute as an address, `undefined` when it is absent.
 *
 * @throws {NetworkDefinitionError} When it is none.
 */
export function addressAttribute(part: Part, name: string): IpAddress | undefined {
  const value = attributeOf(part, name);
  if (value === undefined) return undefined;
  return parseAddress(value) ??
    refuse(part, `${tagOf(part)} has ${name} ${quoted(value)}, which is not an IP address`);
}

/**
 * The attribute as an address, which must be there.
 *
 * @param example What the hint tells the user to add.
 * @throws {NetworkDefinitionError} When the attribute is absent, or no address.
 */
export function requiredAddress(part: Part, name: string, example: string): IpAddress {
  return addressAttribute(part, name) ??
    refuse(part, `${tagOf(part)} has no ${name}`, `Add ${name}='${example}'`);
}

/**
 * Checks that the attribute, if it is there, is one line.
 *
 * @throws {NetworkDefinitionError} When the attribute holds more than one line.
 */
export function refuseLineBreaks(part: Part, name: string): void {
  const value = attributeOf(part, name);
  if (value !== undefined && /[\r\n]/.test(value)) {
    refuse(part, `${tagOf(part)} has ${name} ${quoted(value)}, which contains a line break`);
  }
}
