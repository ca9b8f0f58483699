/** Networks → the names of their anchors. */
import { type FilteredPolicy, MASQUERADE } from "../../core/policy/policy.ts";
import { byteLength } from "../../core/quoted.ts";

/**
 * pfctl copies the path of an anchor into a field of 64 bytes (FreeBSD 12 to 14 at least), the closing
 * zero included, and fails when it does not fit.
 */
export const LONGEST_PATH = 63;

/** What the root's name may have at most, in bytes: the longest name of a bridge fits below it. */
export const LONGEST_ROOT = 40;

/** Names are in labels too, which have 63 bytes at most, beside a few words. */
const LONGEST_NAME = 40;

/** Comes before all that the name of a network can begin with here. */
export const GUARD_SIGN = "+";

/** Comes behind it. */
export const BEYOND_SIGN = "~";

/** The anchor of redirections, below that of the network. No network has such a name. */
export const REDIRECTIONS = "=rdr";

/** The anchor of the prefixes that belong to no network: behind all bridges, and before what follows them. */
const MASQUERADE_NAME = `${BEYOND_SIGN}${GUARD_SIGN}${MASQUERADE.slice(1)}`;

/**
 * The anchors of a network, such as `bridgewall/+default`, `bridgewall/default` and `bridgewall/~default`.
 *
 * pf visits the children of `bridgewall/*` in the order of their bytes. `+` comes before and `~` behind
 * all that a name of ours can begin with, so the rules of all networks are met kind by kind.
 */
export interface AnchorPaths {
  /** What the paths end in: letters, digits and `. _ - @ :`. */
  readonly name: string;
  /** For what nobody else's rules may let through. */
  readonly guard: string;
  /** For what happens on the bridge, and translation. */
  readonly bridge: string;
  /** For what happens on other interfaces, and translation once more where the last that matches decides. */
  readonly beyond: string;
  /** Called by `bridge` alone: for what is sent to published ports. */
  readonly redirections: string;
}

/**
 * A network is found under its own name, where that is plain and short enough; else under the name of
 * its bridge behind `@`, or its bytes in base 64 behind `:`. No two networks that are up have one bridge.
 *
 * @param root The anchor above them, at most {@linkcode LONGEST_ROOT} bytes.
 */
export function anchorPaths(
  root: string,
  { network, bridge }: Pick<FilteredPolicy, "network" | "bridge">,
): AnchorPaths {
  const room = Math.min(LONGEST_NAME, LONGEST_PATH - byteLength(`${root}/~`));
  const name = isPlain(network) && byteLength(network) <= room
    ? network
    : isPlain(bridge)
    ? `@${bridge}`
    : `:${base64(bridge)}`;
  return {
    name,
    guard: `${root}/${GUARD_SIGN}${name}`,
    bridge: `${root}/${name}`,
    beyond: `${root}/${BEYOND_SIGN}${name}`,
    redirections: `${root}/${name}/${REDIRECTIONS}`,
  };
}

/**
 * The anchor of the prefixes that belong to no network. It lies between two that a network has: its
 * translation is the first in the one and the last in the other.
 */
export function masqueradePath(root: string): string {
  return `${root}/${MASQUERADE_NAME}`;
}

/** What an anchor is for, by its path. */
export function kindOfAnchor(
  path: string,
): "guard" | "bridge" | "beyond" | "redirections" | "masquerade" {
  const last = path.slice(path.lastIndexOf("/") + 1);
  if (last === REDIRECTIONS) return "redirections";
  if (last === MASQUERADE_NAME) return "masquerade";
  if (last.startsWith(GUARD_SIGN)) return "guard";
  return last.startsWith(BEYOND_SIGN) ? "beyond" : "bridge";
}

/** Safe to type in any shell; a `_` in front is what pf keeps for itself. */
function isPlain(name: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name);
}

function base64(text: string): string {
  return new TextEncoder().encode(text).toBase64({ alphabet: "base64url", omitPadding: true });
}
