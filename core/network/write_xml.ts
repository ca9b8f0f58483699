/** XML tree → text, so that reading it again gives the same tree. */
import { problemOfCharacters } from "./xml_limits.ts";
import type { XmlCommentNode, XmlDocument, XmlElement, XmlNode } from "./xml_tree.ts";

/** How {@linkcode stringify} lays the text out. */
export interface StringifyOptions {
  /**
   * What each level is indented by. Absent: no white space is added at all. Elements that hold
   * text are left as they are, since white space would become part of it.
   */
  readonly indent?: string;
  /** True for elements that no white space is added to, with all that they hold. */
  readonly verbatim?: (element: XmlElement) => boolean;
  /** False leaves the declaration of a document out. */
  readonly declaration?: boolean;
}

const TEXT_ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  // Only `]]>` needs it, but then the whole tree would have to be looked at: text may be split.
  ">": "&gt;",
  // Unescaped, a reader makes a line feed of it (XML 1.0 section 2.11).
  "\r": "&#13;",
};

const ATTRIBUTE_ESCAPES: Readonly<Record<string, string>> = {
  ...TEXT_ESCAPES,
  '"': "&quot;",
  // Unescaped, a reader makes a space of each (XML 1.0 section 3.3.3).
  "\t": "&#9;",
  "\n": "&#10;",
};

/**
 * Writes a document, or an element without a declaration. Ends without a line break.
 *
 * @throws {TypeError} When the tree holds what XML cannot say: control characters, lone
 * surrogates, `--` in a comment.
 */
export function stringify(
  tree: XmlDocument | XmlElement,
  options: StringifyOptions = {},
): string {
  if ("type" in tree) return writeElement(tree, options, "");
  const root = writeElement(tree.root, options, "");
  const { declaration } = tree;
  if (declaration === undefined || options.declaration === false) return root;
  const { version, encoding, standalone } = declaration;
  const parts = [
    `version="${version}"`,
    ...(encoding === undefined ? [] : [`encoding="${encoding}"`]),
    ...(standalone === undefined ? [] : [`standalone="${standalone}"`]),
  ];
  return `<?xml ${parts.join(" ")}?>${options.indent === undefined ? "" : "\n"}${root}`;
}

type Layout = Pick<StringifyOptions, "indent" | "verbatim">;

function writeElement(element: XmlElement, layout: Layout, margin: string): string {
  const { name: { raw }, children } = element;
  const attributes = Object.entries(element.attributes).map(([name, value]) =>
    ` ${name}="${
      checked(value).replace(/[&<>"\r\t\n]/g, (found) => ATTRIBUTE_ESCAPES[found] ?? found)
    }"`
  ).join("");
  if (children.length === 0) return `<${raw}${attributes}/>`;
  const holdsText = children.some((child) => child.type === "text" || child.type === "cdata");
  const inner = holdsText || layout.verbatim?.(element) === true ? {} : layout;
  const { indent } = inner;
  const deeper = indent === undefined ? "" : `\n${margin}${indent}`;
  const content = children.map((child) =>
    deeper + writeNode(child, inner, margin + (indent ?? ""))
  );
  const end = indent === undefined ? "" : `\n${margin}`;
  return `<${raw}${attributes}>${content.join("")}${end}</${raw}>`;
}

function writeNode(node: XmlNode, layout: Layout, margin: string): string {
  switch (node.type) {
    case "element":
      return writeElement(node, layout, margin);
    case "text":
      return checked(node.text).replace(/[&<>\r]/g, (found) => TEXT_ESCAPES[found] ?? found);
    case "cdata":
      return writeCData(node.text);
    case "comment":
      return writeComment(node);
  }
}

/** A section cannot hold its own end: it is split there, and the reader joins the two. */
function writeCData(text: string): string {
  if (text.includes("\r")) throw new TypeError("Cannot write a carriage return in CDATA");
  return `<![CDATA[${checked(text).replaceAll("]]>", "]]]]><![CDATA[>")}]]>`;
}

function writeComment({ text }: XmlCommentNode): string {
  if (/--|-$|\r/.test(text)) throw new TypeError(`Cannot write "${text}" as an XML comment`);
  return `<!--${checked(text)}-->`;
}

function checked(text: string): string {
  const problem = problemOfCharacters(text);
  if (problem !== undefined) throw new TypeError(`Cannot write XML: ${problem.problem}`);
  return text;
}
