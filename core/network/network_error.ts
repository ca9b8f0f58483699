/** The one error for definitions that cannot be taken. */
import { printable } from "../quoted.ts";

/** Where something stands in a file. */
export interface SourcePosition {
  /** 1 for the first line. */
  readonly line: number;
  /** 1 for the first UTF-16 code unit of the line. */
  readonly column: number;
}

/** The same, and the file: as the user named it, `-` for standard input. */
export interface SourcePlace extends SourcePosition {
  /** For messages; it is not read. */
  readonly file: string;
}

/** `lan.xml:3:5`, for the beginning of a message. */
export function formatPlace({ file, line, column }: SourcePlace): string {
  return `${printable(file)}:${line}:${column}`;
}

/** A definition that is not valid XML, or not a valid network. Exit code 2. */
export class NetworkDefinitionError extends SyntaxError {
  /** Shown before the message when nobody catches the error. */
  override readonly name = "NetworkDefinitionError";
  /** The file as the user named it, `-` for standard input. */
  readonly file: string;
  /** Where the offending element begins, or where the XML cannot be read on. */
  readonly position: SourcePosition;
  /** What to type instead, when there is one thing to say. */
  readonly hint: string | undefined;

  /**
   * Puts the place before the problem: `lan.xml:3:5: …`.
   *
   * @param problem What is wrong: capital first letter, no final period.
   */
  constructor(problem: string, file: string, position: SourcePosition, hint?: string) {
    super(`${formatPlace({ file, ...position })}: ${problem}`);
    this.file = file;
    this.position = position;
    this.hint = hint;
  }
}
