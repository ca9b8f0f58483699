/** What the zone and the policies of a network are called, and where their files are. */

/** All that is ours begins so. */
export const PREFIX = "bw-";

/** The kinds of policies that a network may have. */
export const POLICY_KINDS = [
  "lan",
  "to",
  "from",
  "in",
  "out",
  "nat",
  "ask",
  "port",
  "own",
] as const;

/** One of {@linkcode POLICY_KINDS}: `ruleset.ts` says what each is for. */
export type PolicyKind = (typeof POLICY_KINDS)[number];

/** A zone or a policy of firewalld. */
export interface ObjectName {
  /** firewalld keeps each kind in a directory of its own, and lets no zone have a policy's name. */
  readonly kind: "zone" | "policy";
  /** At most 17 characters fit (firewalld.zones(5)): chains of iptables have 28. */
  readonly name: string;
}

/** Where an administrator's zones and policies are; what packages bring is elsewhere. */
const DIRECTORIES = { zone: "/etc/firewalld/zones", policy: "/etc/firewalld/policies" } as const;

/** The file that defines it. */
export function filePath({ kind, name }: ObjectName): string {
  return `${DIRECTORIES[kind]}/${name}.xml`;
}

/** The object whose file it is; undefined for any other path. */
export function objectOfPath(path: string): ObjectName | undefined {
  for (const kind of ["zone", "policy"] as const) {
    const directory = `${DIRECTORIES[kind]}/`;
    if (path.startsWith(directory) && path.endsWith(".xml")) {
      return { kind, name: path.slice(directory.length, -".xml".length) };
    }
  }
  return undefined;
}

/** The zone of a bridge. */
export function zoneName(bridge: string): ObjectName {
  return { kind: "zone", name: PREFIX + bridgeKey(bridge) };
}

/** A policy about a bridge. */
export function policyName(bridge: string, kind: PolicyKind): ObjectName {
  return { kind: "policy", name: `${PREFIX}${bridgeKey(bridge)}-${kind}` };
}

/** The policy for prefixes of no network; no bridge's key is as long. */
export const MASQUERADE_POLICY: ObjectName = { kind: "policy", name: `${PREFIX}masquerade` };

/** All names that anything about this bridge could have. */
export function allNames(bridge: string): readonly ObjectName[] {
  return [zoneName(bridge), ...POLICY_KINDS.map((kind) => policyName(bridge, kind))];
}

const PLAIN = /^[A-Za-z0-9][A-Za-z0-9_]{0,7}$/;
const LETTERS = 7;

/**
 * The bridge's name where it fits into the name of a policy, else a number made of it. None contains
 * `-`, so that no zone is called as a policy of another network.
 */
function bridgeKey(bridge: string): string {
  if (PLAIN.test(bridge)) return bridge;
  const room = 36n ** BigInt(LETTERS);
  return `_${(fingerprint(bridge) % room).toString(36).padStart(LETTERS, "0")}`;
}

/** FNV-1a with 64 bits: it keeps no secret, but names seldom meet. */
function fingerprint(text: string): bigint {
  return new TextEncoder().encode(text).reduce(
    (hash, byte) => BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n),
    0xcbf29ce484222325n,
  );
}
