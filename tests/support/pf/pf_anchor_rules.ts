/** `anchor`, `nat-anchor`, `rdr-anchor` and `binat-anchor`, and the names of anchors. */
import { expand, readStatement } from "./pf_criteria.ts";
import type { Untold } from "./pf_filter.ts";
import { keyword, name, type Reader, readTag, refuse, symbol } from "./pf_reader.ts";
import type { AnchorRule, TranslationKind } from "./pf_rules.ts";

/** Takes what follows `anchor`. */
export function readFilterAnchor(reader: Reader): readonly Untold<AnchorRule>[] {
  const anchor = readAnchorName(reader);
  const direction = keyword(reader, "in", "out");
  const quick = keyword(reader, "quick") !== undefined;
  const head = readStatement(reader, direction);
  const tag = keyword(reader, "tag") === undefined ? undefined : readTag(reader);
  const negated = symbol(reader, "!");
  const isTagged = keyword(reader, "tagged") !== undefined;
  if (negated && !isTagged) refuse(reader, "syntax error");
  const tagged = isTagged ? { name: readTag(reader), negated } : undefined;
  return expand(reader, { ...head, tagged })
    .map((criteria) => ({ kind: "anchor", criteria, name: anchor, quick, tag }));
}

/** Takes what follows `nat-anchor`, `rdr-anchor` or `binat-anchor`. */
export function readTranslationAnchor(
  reader: Reader,
  kind: TranslationKind,
): readonly Untold<AnchorRule>[] {
  const anchor = readAnchorName(reader);
  const head = readStatement(reader, undefined);
  const { source, destination, protocols } = head;
  const hosts = [source, destination].flatMap((side) => side.hosts);
  const isAll = hosts.every(({ address }) => address.kind === "any");
  if (kind === "binat" && (!isAll || protocols.length > 1 || head.interfaces.length > 1)) {
    refuse(reader, "fromto parameter not supported in binat-anchor");
  }
  const ports = destination.ports.map((each) => each?.operator ?? "=");
  const isOne = ports.length === 1 && ports[0] === "=" && source.ports[0] === undefined;
  if (kind !== "nat" && !isOne) refuse(reader, `ports not supported in ${kind}-anchor`);
  return expand(reader, head)
    .map((criteria) => ({ kind: "anchor", criteria, name: anchor, quick: false, tag: undefined }));
}

/** A bare word ends at a slash, so that what follows is the syntax error it is for pfctl. */
function readAnchorName(reader: Reader): string {
  const anchor = name(reader, "anchor", 1023);
  const why = problemOfAnchor(anchor.replace(/^\//, "").replace(/(^|\/)\*$/, "$1any"));
  return why === undefined ? anchor : refuse(reader, why);
}

function problemOfAnchor(path: string): string | undefined {
  const components = path.split("/");
  if (components.some((each) => ["", ".", "..", "*"].includes(each))) {
    return `the anchor "${path}" is not read here`;
  }
  const isLong = components.some((each) => new TextEncoder().encode(each).length > 63);
  if (isLong) return "anchor name too long, max 63 chars";
  if (components.some((each) => each.startsWith("_"))) return "anchor names beginning with '_'";
  return undefined;
}

/**
 * Why `pfctl -a PATH -f FILE` refuses the path; `undefined` when it takes it. The whole path goes
 * through a field of 64 bytes.
 */
export function problemOfAnchorPath(path: string): string | undefined {
  if (new TextEncoder().encode(path).length > 63) return "pfctl_rules: strlcpy";
  return problemOfAnchor(path);
}
