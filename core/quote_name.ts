/** Names of networks and interfaces in messages, comments and listings. */

/**
 * The name between double quotes, with everything that could end the quotes or deceive the reader
 * written as `\u{hex}`: quotes, backslashes, control characters, and characters that a terminal
 * does not show or that turn the direction of the text (Unicode classes C, Zl and Zp).
 */
export function quoteName(name: string): string {
  return `"${printable(name)}"`;
}

/** The same without the quotes. */
export function printable(name: string): string {
  return name.replace(
    /["\\\p{C}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
}
