/**
 * What an XML text may hold, checked before a parser sees it.
 *
 * A parser that calls itself for each level would run out of stack on deep input; here one pass
 * without recursion counts the levels first. The pass only has to be right for well-formed text:
 * where it is not, the parser stops at that place and never gets to the rest.
 */

/** The most of each that a text may have. */
export interface XmlLimits {
  /** UTF-16 code units. */
  readonly maxLength: number;
  /** Elements around each other, the root counted. */
  readonly maxDepth: number;
  /** Attributes of one element, namespace declarations counted. */
  readonly maxAttributes: number;
}

/** Why a text is refused, and where. */
export interface XmlProblem {
  /** Capital first letter, no final period. */
  readonly problem: string;
  /** In UTF-16 code units. */
  readonly offset: number;
}

/** XML 1.0 (5th edition) section 2.2, production 2; a lone surrogate does not belong either. */
const NOT_XML = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u;

/** Markup that may hold `<` and quotes without meaning them. */
const SECTIONS: readonly (readonly [start: string, end: string])[] = [
  ["<!--", "-->"],
  ["<![CDATA[", "]]>"],
  ["<?", "?>"],
];

/** The first thing that is over a limit or has no place in XML; `undefined` when there is none. */
export function problemOfText(text: string, limits: XmlLimits): XmlProblem | undefined {
  if (text.length > limits.maxLength) {
    return {
      problem: `Text has ${text.length} characters, but at most ${limits.maxLength} are read`,
      offset: limits.maxLength,
    };
  }
  // One was skipped already, and the library would skip another.
  if (text.startsWith("\uFEFF")) return { problem: "Second byte order mark", offset: 0 };
  return problemOfMarkup(text, limits) ?? problemOfCharacters(text);
}

/** The first character that XML cannot hold, not even as a reference. */
export function problemOfCharacters(text: string): XmlProblem | undefined {
  const offset = text.search(NOT_XML);
  if (offset === -1) return undefined;
  const code = (text.codePointAt(offset) ?? 0).toString(16).toUpperCase().padStart(4, "0");
  return { problem: `Character U+${code} is not allowed in XML`, offset };
}

function problemOfMarkup(text: string, limits: XmlLimits): XmlProblem | undefined {
  let depth = 0;
  let at = text.indexOf("<");
  while (at !== -1) {
    const section = SECTIONS.find(([start]) => text.startsWith(start, at));
    let end: number;
    if (section !== undefined) {
      end = endOfSection(text, at, section);
    } else if (text.startsWith("<!DOCTYPE", at)) {
      return { problem: "DOCTYPE is not allowed: entities are never read", offset: at };
    } else if (text.startsWith("</", at)) {
      depth--;
      end = at + 2;
    } else {
      const tag = readStartTag(text, at, limits.maxAttributes);
      if (tag.problem !== undefined) return tag.problem;
      if (!tag.empty && ++depth > limits.maxDepth) {
        return { problem: `Elements are nested more than ${limits.maxDepth} deep`, offset: at };
      }
      end = tag.end;
    }
    at = text.indexOf("<", end);
  }
  return undefined;
}

function endOfSection(text: string, at: number, [start, end]: readonly [string, string]): number {
  const close = text.indexOf(end, at + start.length);
  return close === -1 ? text.length : close + end.length;
}

interface StartTag {
  /** Where the text goes on. */
  readonly end: number;
  /** True for `<a/>`: nothing is inside. */
  readonly empty: boolean;
  readonly problem?: XmlProblem;
}

/** Finds the end of a start tag; `>` may stand in its quoted values, one for each attribute. */
function readStartTag(text: string, at: number, maxAttributes: number): StartTag {
  const delimiter = /["'>]/g;
  delimiter.lastIndex = at;
  for (let attributes = 0;; attributes++) {
    const found = delimiter.exec(text);
    if (found === null) return { end: text.length, empty: true };
    if (found[0] === ">") {
      return { end: found.index + 1, empty: text[found.index - 1] === "/" };
    }
    if (attributes === maxAttributes) {
      const problem = `Element has more than ${maxAttributes} attributes`;
      return { end: text.length, empty: true, problem: { problem, offset: at } };
    }
    const close = text.indexOf(found[0], found.index + 1);
    if (close === -1) return { end: text.length, empty: true };
    delimiter.lastIndex = close + 1;
  }
}
