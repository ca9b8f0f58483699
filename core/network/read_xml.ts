/**
 * Text → XML tree. The one file that knows the XML library.
 *
 * It has the names and types of @std/xml 0.2, under whose import key it stands in `deno.json`; the
 * limits and the position of elements are additions. The library is strict but knows neither
 * namespaces nor limits: both are added here.
 */
import * as library from "@rgrove/parse-xml";
import { problemOfText } from "./xml_limits.ts";
import type { XmlLimits } from "./xml_limits.ts";
import { OUTER_SCOPE, resolveNames } from "./xml_namespaces.ts";
import type { NamespaceScope } from "./xml_namespaces.ts";
import { XmlSyntaxError } from "./xml_tree.ts";
import type { XmlDocument, XmlElement, XmlNode, XmlPosition } from "./xml_tree.ts";

export { stringify } from "./write_xml.ts";
export type { StringifyOptions } from "./write_xml.ts";
export { isCData, isComment, isElement, isText, XmlSyntaxError } from "./xml_tree.ts";
export type {
  XmlCDataNode,
  XmlCommentNode,
  XmlDeclarationEvent,
  XmlDocument,
  XmlElement,
  XmlName,
  XmlNode,
  XmlPosition,
  XmlTextNode,
} from "./xml_tree.ts";

/** What {@linkcode parse} keeps and what it takes. */
export interface ParseOptions extends Partial<XmlLimits> {
  /** True leaves text out that is white space only. Default: false. */
  readonly ignoreWhitespace?: boolean;
  /** True leaves comments out. Default: false. */
  readonly ignoreComments?: boolean;
  /** False leaves the position of elements out; errors have one always. Default: true. */
  readonly trackPosition?: boolean;
  /** Always so here: a DOCTYPE is where entity bombs and external entities come from. */
  readonly disallowDoctype?: true;
}

/** What {@linkcode parse} takes unless it is told otherwise: far more than any definition has. */
export const DEFAULT_LIMITS: XmlLimits = { maxLength: 2 ** 20, maxDepth: 64, maxAttributes: 64 };

/**
 * Reads a document. A byte order mark is skipped.
 *
 * @param options Limits: 2^20 UTF-16 code units of text, 64 levels, 64 attributes of an element.
 * @throws {XmlSyntaxError} When the text is not well-formed, has a DOCTYPE, misuses a namespace
 * prefix or is over a limit.
 */
export function parse(xml: string, options: ParseOptions = {}): XmlDocument {
  // The library would normalise line breaks piece by piece, in quadratic time.
  const text = xml.replace(/^\uFEFF/, "").replace(/\r\n?/g, "\n");
  const problem = problemOfText(text, { ...DEFAULT_LIMITS, ...options });
  if (problem !== undefined) {
    throw new XmlSyntaxError(problem.problem, positionIn(text)(problem.offset));
  }
  const document = readWithLibrary(text);
  const root = document.root;
  if (root === null) throw new XmlSyntaxError("Root element is missing", positionIn(text)(0));
  const reading: Reading = { options, position: positionIn(text) };
  const tree = { root: toElement(root, OUTER_SCOPE, reading) };
  const first = document.children[0];
  if (!(first instanceof library.XmlDeclaration)) return tree;
  return { declaration: toDeclaration(first, reading.position(0)), ...tree };
}

interface Reading {
  readonly options: ParseOptions;
  readonly position: (offset: number) => XmlPosition;
}

function readWithLibrary(text: string): library.XmlDocument {
  try {
    return library.parseXml(text, {
      includeOffsets: true,
      preserveCdata: true,
      preserveComments: true,
      preserveXmlDeclaration: true,
    });
  } catch (error) {
    if (!(error instanceof library.XmlError)) throw error;
    // Its message goes on with the place and an excerpt of the text; its place counts characters.
    const message = error.message.replace(/ \(line \d+, column \d+\)\n[^]*$/, "");
    const problem = message.slice(0, 200).replaceAll("`", '"').replaceAll("n't ", " not ");
    throw new XmlSyntaxError(problem, positionIn(text)(offsetOfCharacter(text, error.pos)));
  }
}

function offsetOfCharacter(text: string, characters: number): number {
  let offset = 0;
  for (const character of text) {
    if (characters-- <= 0) break;
    offset += character.length;
  }
  return offset;
}

function toDeclaration(
  { version, encoding, standalone }: library.XmlDeclaration,
  position: XmlPosition,
): NonNullable<XmlDocument["declaration"]> {
  return {
    type: "declaration",
    version,
    ...(encoding === null ? {} : { encoding }),
    ...(standalone === "yes" || standalone === "no" ? { standalone } : {}),
    ...position,
  };
}

/** Calls itself for each level: `problemOfText` has counted them. */
function toElement(
  element: library.XmlElement,
  outer: NamespaceScope,
  reading: Reading,
): XmlElement {
  const { attributes } = element;
  const resolved = resolveNames(element.name, attributes, outer);
  if (typeof resolved === "string") {
    throw new XmlSyntaxError(resolved, reading.position(element.start));
  }
  const { line, column } = reading.position(element.start);
  return {
    type: "element",
    name: resolved.name,
    attributes,
    children: toChildren(element.children, resolved.scope, reading),
    ...(reading.options.trackPosition === false ? {} : { position: { line, column } }),
  };
}

/** Joins text that only a dropped node held apart, so that a written tree reads back equal. */
function toChildren(
  nodes: readonly library.XmlNode[],
  scope: NamespaceScope,
  reading: Reading,
): readonly XmlNode[] {
  const { ignoreComments, ignoreWhitespace } = reading.options;
  const children: XmlNode[] = [];
  for (const node of nodes) {
    if (node instanceof library.XmlElement) children.push(toElement(node, scope, reading));
    else if (node instanceof library.XmlCdata) addText(children, "cdata", node.text);
    else if (node instanceof library.XmlText) addText(children, "text", node.text);
    else if (node instanceof library.XmlComment && ignoreComments !== true) {
      children.push({ type: "comment", text: node.content });
    }
  }
  if (ignoreWhitespace !== true) return children;
  return children.filter((child) => child.type !== "text" || /[^ \t\n\r]/.test(child.text));
}

function addText(children: XmlNode[], type: "text" | "cdata", text: string): void {
  const last = children.at(-1);
  if (last?.type !== type) children.push({ type, text });
  else children[children.length - 1] = { type, text: last.text + text };
}

function positionIn(text: string): (offset: number) => XmlPosition {
  const lineStarts = [0];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) {
    lineStarts.push(at + 1);
  }
  return (offset) => {
    let line = 0;
    for (let step = 2 ** Math.floor(Math.log2(lineStarts.length)); step >= 1; step /= 2) {
      if ((lineStarts[line + step] ?? Infinity) <= offset) line += step;
    }
    return { line: line + 1, column: offset - (lineStarts[line] ?? 0) + 1, offset };
  };
}
