/** Text of others inside a message of ours. */

/** What a terminal or a reader could take for something else. */
const UNSAFE =
  // deno-lint-ignore no-control-regex -- control characters are what is looked for
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff"\\]/gu;

const LONGEST = 80;

/**
 * The text in quotes: control characters, line breaks, invisible and direction-changing
 * characters, lone surrogates, quotes and backslashes escaped; cut after 80 characters.
 */
export function quoted(text: string): string {
  const characters = [...text.slice(0, 2 * LONGEST)];
  const cut = characters.length > LONGEST || text.length > 2 * LONGEST;
  return `"${characters.slice(0, LONGEST).join("").replace(UNSAFE, escape)}${cut ? "…" : ""}"`;
}

function escape(character: string): string {
  if (character === '"' || character === "\\") return `\\${character}`;
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}
