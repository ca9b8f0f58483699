/** The way of a packet through a ruleset and the anchors in it. */
import type { AnchorRule, Ruleset } from "./pf_rules.ts";

/** The lists of a ruleset that packets go through. */
export type ListName = "nat" | "rdr" | "binat" | "filter";

/** A rule of a list. */
export type RuleOf<L extends ListName> = Exclude<Ruleset[L][number], AnchorRule>;

/** What becomes of the way: the next rule, into the anchor that the rule names, out of this one, or the end. */
export type Step = "next" | "enter" | "matched" | "leave" | "end";

/** Full path → ruleset; the main one has the empty path. */
export type Rulesets = ReadonlyMap<string, Ruleset>;

interface List {
  readonly path: string;
  readonly rules: readonly (AnchorRule | RuleOf<ListName>)[];
}

/** An anchor that the way is inside of. */
interface Frame {
  readonly list: List;
  readonly at: number;
  readonly rule: AnchorRule;
  readonly isWildcard: boolean;
  /** The children that are left, the present one first. */
  children: readonly List[];
  hasMatched: boolean;
}

/** How deep anchors may be, PF_ANCHOR_STACKSIZE. */
const STACK_SIZE = 32;

/**
 * Calls `visit` for one rule after the other, as pf_test_rule(), pf_step_into_anchor() and
 * pf_step_out_of_anchor() in sys/netpfil/pf/pf.c go from rule to rule.
 *
 * @param visit `matched` and `next` go on, `matched` counts for `anchor … quick`; `enter` is for
 *   rules of kind `anchor`; `leave` passes over the rest of the list; `end` ends it all.
 */
export function walk<L extends ListName>(
  rulesets: Rulesets,
  listName: L,
  visit: (rule: AnchorRule | RuleOf<L>, path: string) => Step,
): void {
  const listOf = (path: string): List => ({ path, rules: rulesets.get(path)?.[listName] ?? [] });
  const frames: Frame[] = [];
  let [list, at, hasMatched] = [listOf(""), 0, false];
  for (;;) {
    const rule = list.rules[at];
    if (rule === undefined) {
      const out = stepOut(frames, hasMatched, listName === "filter");
      if (out === undefined) return;
      ({ list, at, hasMatched } = out);
      continue;
    }
    const step = visit(rule as AnchorRule | RuleOf<L>, list.path);
    if (step === "end") return;
    if (step === "matched") hasMatched = true;
    if (step === "leave") at = list.rules.length;
    if (step !== "enter" || rule.kind !== "anchor" || frames.length >= STACK_SIZE) {
      at++;
      continue;
    }
    const { isWildcard, children } = childrenOf(rulesets, list.path, rule.name);
    const frame = { list, at, rule, isWildcard, children: children.map(listOf), hasMatched: false };
    frames.push(frame);
    [list, at, hasMatched] = [frame.children[0] ?? { path: "", rules: [] }, 0, false];
  }
}

/** Where it goes on behind a list that is at its end; `undefined`: nowhere. */
function stepOut(
  frames: Frame[],
  hasMatched: boolean,
  heedsQuick: boolean,
): { readonly list: List; readonly at: number; readonly hasMatched: boolean } | undefined {
  let [matched, isQuick] = [hasMatched, false];
  for (let frame = frames.at(-1); frame !== undefined; frame = frames.at(-1)) {
    if (frame.isWildcard && frame.children.length > 0) {
      if (matched) frame.hasMatched = true;
      matched = false;
      frame.children = frame.children.slice(1);
      const [child] = frame.children;
      if (child !== undefined) {
        if (child.rules.length === 0) continue;
        return isQuick ? undefined : { list: child, at: 0, hasMatched: false };
      }
    }
    frames.pop();
    // The anchor around it overrides what this one says when nothing follows in between.
    if (heedsQuick && (frame.hasMatched || matched)) isQuick = frame.rule.quick;
    const isLast = frame.at + 1 >= frame.list.rules.length;
    if (!isLast) {
      return isQuick ? undefined : { list: frame.list, at: frame.at + 1, hasMatched: matched };
    }
  }
  return undefined;
}

/** The full paths that an anchor's name leads to; `x/*` to the direct children of x. */
function childrenOf(
  rulesets: Rulesets,
  path: string,
  name: string,
): { readonly isWildcard: boolean; readonly children: readonly string[] } {
  const full = name.startsWith("/") ? name.slice(1) : path === "" ? name : `${path}/${name}`;
  if (full !== "*" && !full.endsWith("/*")) return { isWildcard: false, children: [full] };
  const prefix = full.slice(0, -1);
  const children = [...rulesets.keys()]
    .filter((each) => each !== "" && each.startsWith(prefix))
    .map((each) => prefix + each.slice(prefix.length).split("/")[0]);
  return { isWildcard: true, children: [...new Set(children)].toSorted(compareBytes) };
}

/** As strcmp(3) has it for UTF-8, which is not the order of JavaScript. */
function compareBytes(one: string, other: string): number {
  const [left, right] = [one, other].map((text) => new TextEncoder().encode(text));
  for (const [index, byte] of left?.entries() ?? []) {
    const difference = byte - (right?.[index] ?? -1);
    if (difference !== 0) return difference;
  }
  return (left?.length ?? 0) - (right?.length ?? 0);
}
