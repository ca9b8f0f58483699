/** Words for sh(1) and its kin. Nothing is ever given to a shell: people and packages read them. */

/** The text as one word, whatever it holds; quoted only where it has to be. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : quotedWord(text);
}

/** The text as one word in quotes. */
export function quotedWord(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
