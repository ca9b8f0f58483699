/** What is so on a host where commands meet, and what a command prints of it. */

/** What is so: the ports of each network that is up, as SPECs, and the prefixes, sorted. */
export interface State {
  readonly networks: ReadonlyMap<string, readonly string[]>;
  readonly prefixes: readonly string[];
}

/** Nothing is up. */
export const NOTHING: State = { networks: new Map(), prefixes: [] };

/** The same for the same state. */
export function keyOf({ networks, prefixes }: State): string {
  const sorted = [...networks].toSorted(([one], [other]) => one < other ? -1 : 1);
  return JSON.stringify([sorted.map(([name, ports]) => [name, ...ports.toSorted()]), prefixes]);
}

/** What is so of some networks; of none of them: of the prefixes. */
export function restrict({ networks, prefixes }: State, group: readonly string[]): State {
  return {
    networks: new Map([...networks].filter(([name]) => group.includes(name))),
    prefixes: group.length === 0 ? prefixes : [],
  };
}

/** What commands print with `--json`, as far as it tells of the state. */
export interface Result {
  readonly removed?: readonly string[];
  readonly inactive?: readonly string[];
  readonly reloaded?: readonly string[];
  readonly replaced?: readonly string[];
  readonly unpublished?: readonly string[];
  readonly added?: readonly string[];
  readonly checked?: readonly string[];
  readonly drift?: readonly { readonly difference: string }[];
}

interface Status {
  readonly networks: readonly {
    readonly name: string;
    readonly state: string;
    readonly published: readonly {
      readonly protocol: string;
      readonly port: string;
      readonly to: string;
    }[];
  }[];
  readonly masquerade: readonly { readonly prefix: string }[];
}

/** What `status --json` tells. Undefined: it saw what a killed command had left. */
export function stateOf(json: string): State | undefined {
  const { networks, masquerade }: Status = JSON.parse(json);
  if (networks.some(({ state }) => state !== "active")) return undefined;
  return {
    networks: new Map(networks.map(({ name, published }) => [
      name,
      published.map(({ protocol, port, to }) => `${port}:${to}/${protocol}`),
    ])),
    prefixes: masquerade.map(({ prefix }) => prefix).toSorted(),
  };
}
