/** The XML tree and its error, with the names and types of @std/xml 0.2. */

/** Where something stands in a text. */
export interface XmlPosition {
  /** 1 for the first line. */
  readonly line: number;
  /** 1 for the first UTF-16 code unit of the line. */
  readonly column: number;
  /** UTF-16 code units before it, a line break (`\r\n` as well) counting one and a BOM none. */
  readonly offset: number;
}

/** The text is not well-formed, or beyond a limit. */
export class XmlSyntaxError extends SyntaxError {
  /** Shown before the message when nobody catches the error. */
  override readonly name = "XmlSyntaxError";
  /** 1 for the first line. */
  readonly line: number;
  /** 1 for the first UTF-16 code unit of the line. */
  readonly column: number;
  /** As in {@linkcode XmlPosition}. */
  readonly offset: number;

  /**
   * Puts the place after the problem: `… at line 3, column 5`.
   *
   * @param problem What is wrong: capital first letter, no final period.
   */
  constructor(problem: string, position: XmlPosition) {
    super(`${problem} at line ${position.line}, column ${position.column}`);
    this.line = position.line;
    this.column = position.column;
    this.offset = position.offset;
  }
}

/** A name of an element. */
export interface XmlName {
  /** As it was written: `app:foo` or `foo`. */
  readonly raw: string;
  /** The part after the colon, or all of it. */
  readonly local: string;
  /** The part before the colon. */
  readonly prefix?: string;
  /** What the prefix is bound to; a default namespace does not count. */
  readonly uri?: string;
}

/** `<?xml …?>`. */
export interface XmlDeclarationEvent extends XmlPosition {
  /** The tag by which @std/xml tells its events apart. */
  readonly type: "declaration";
  /** `1.0`, or another that starts with `1.`. */
  readonly version: string;
  /** As it was written; the text is decoded already. */
  readonly encoding?: string;
  /** Read only: without a DOCTYPE it means nothing. */
  readonly standalone?: "yes" | "no";
}

/** Text, references replaced. */
export interface XmlTextNode {
  /** What {@linkcode isText} goes by. */
  readonly type: "text";
  /** White space is kept unless the reader was told to drop it. */
  readonly text: string;
}

/** `<![CDATA[…]]>`. */
export interface XmlCDataNode {
  /** What {@linkcode isCData} goes by. */
  readonly type: "cdata";
  /** What stands between the brackets: `<` and `&` mean themselves. */
  readonly text: string;
}

/** `<!--…-->`. */
export interface XmlCommentNode {
  /** What {@linkcode isComment} goes by. */
  readonly type: "comment";
  /** Without `--`, and no `-` at the end. */
  readonly text: string;
}

/** An element with all that it holds. */
export interface XmlElement {
  /** What {@linkcode isElement} goes by. */
  readonly type: "element";
  /** With the namespace that its prefix stands for. */
  readonly name: XmlName;
  /**
   * By the name as it was written. What {@linkcode parse} gives has no prototype, so a missing
   * attribute is `undefined` whatever its name.
   */
  readonly attributes: Readonly<Record<string, string>>;
  /** In the order of the document. */
  readonly children: readonly XmlNode[];
  /** Where its start tag begins. An extension of @std/xml: absent in a tree made by hand. */
  readonly position?: Pick<XmlPosition, "line" | "column">;
}

/** What an element can hold. Processing instructions are dropped. */
export type XmlNode = XmlElement | XmlTextNode | XmlCDataNode | XmlCommentNode;

/** A text as a tree. What stands beside the root element is dropped. */
export interface XmlDocument {
  /** Absent when the text had none. */
  readonly declaration?: XmlDeclarationEvent;
  /** The one element that holds all others. */
  readonly root: XmlElement;
}

/** Whether the node is an element. */
export function isElement(node: XmlNode): node is XmlElement {
  return node.type === "element";
}

/** Whether the node is text; CDATA is another kind. */
export function isText(node: XmlNode): node is XmlTextNode {
  return node.type === "text";
}

/** Whether the node is a CDATA section. */
export function isCData(node: XmlNode): node is XmlCDataNode {
  return node.type === "cdata";
}

/** Whether the node is a comment. */
export function isComment(node: XmlNode): node is XmlCommentNode {
  return node.type === "comment";
}
