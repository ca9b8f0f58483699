/** Lines of iptables-restore and rules of iptables-save, for the model in `model_iptables.ts`. */

/** Options whose word can be any text, such as `-j`. */
const TEXT_OPTIONS: ReadonlySet<string> = new Set(["-i", "-o", "--comment"]);

/** Where a rule sends packets. */
export interface Jump {
  readonly chain: string;
  /** A `-j`; `-g` goes there for good. */
  readonly returns: boolean;
}

/** The jump of a rule's words, where it has one. */
export function jumpOf(words: readonly string[]): Jump | undefined {
  for (let at = 0; at < words.length; at++) {
    const option = words[at] ?? "";
    if (TEXT_OPTIONS.has(option)) at++;
    if (option === "-j" || option === "-g") {
      return { chain: words[at + 1] ?? "", returns: option === "-j" };
    }
  }
  return undefined;
}

/** Where a rule jumps to, empty for nowhere. Saved rules have quotes in names as they are. */
export function savedJump(rule: string): string {
  const words = rule.match(/(?<=--comment )"(?:\\[^]|[^"\\])*"|\S+/g) ?? [];
  return jumpOf(words)?.chain ?? "";
}

/** The words of a line as add_param_to_argv() of iptables/xshared.c takes them apart. */
export function wordsOf(line: string): readonly string[] {
  // A quote may open inside a word, and closes it.
  const words = line.matchAll(/([^\s"]*)"((?:\\[^]|[^"\\])*)(?:"|$)|[^\s"]+/g);
  return [...words].map(([word, start, quoted]) =>
    quoted === undefined ? word : `${start}${quoted.replace(/\\([^])/g, "$1")}`
  );
}

/** The rule as saved: iptables-save quotes nothing but comments, see xtables_save_string(). */
export function saveRule(words: readonly string[]): string {
  return words.map((word, index) =>
    words[index - 1] !== "--comment" || /^[\w-]+$/.test(word)
      ? word
      : `"${word.replace(/["\\']/g, "\\$&")}"`
  ).join(" ");
}
