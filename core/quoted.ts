/** Text of others inside a message of ours. */

/** What could end the quotes, and what a terminal or a reader could take for something else. */
const UNSAFE = /["\\\p{C}\p{Zl}\p{Zp}]/gu;

/** Nearly all names. Asked first, because the classes of Unicode take milliseconds to load. */
const ORDINARY = /^[ !#-[\]-~]*$/;

const LONGEST = 80;

/** {@linkcode printable} in quotes, cut after 80 characters. */
export function quoted(text: string): string {
  const characters = [...text.slice(0, 2 * LONGEST)];
  const cut = characters.length > LONGEST || text.length > 2 * LONGEST;
  return `"${printable(characters.slice(0, LONGEST).join(""))}${cut ? "…" : ""}"`;
}

/** {@linkcode printable} in quotes and never cut: a path without its end names something else. */
export function quotedPath(path: string): string {
  return `"${printable(path)}"`;
}

/**
 * The text with quotes and backslashes escaped, and as `\u{hex}` whatever is no visible character:
 * control characters, line breaks, characters that turn the direction of the text, lone surrogates
 * (Unicode classes C, Zl and Zp).
 */
export function printable(text: string): string {
  if (ORDINARY.test(text)) return text;
  return text.replace(
    UNSAFE,
    (character) =>
      character === '"' || character === "\\"
        ? `\\${character}`
        : `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
}

/** The length of the text in UTF-8. */
export function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** The text, ended with `…` where it would have more bytes than that; no character is cut. */
export function cutToBytes(text: string, most: number): string {
  if (byteLength(text) <= most) return text;
  let cut = "";
  for (const character of text) {
    if (byteLength(cut + character) > most - byteLength("…")) break;
    cut += character;
  }
  return `${cut}…`;
}
