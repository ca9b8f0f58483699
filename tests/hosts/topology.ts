/**
 * A host with its guests and the outside, made of network namespaces:
 *
 *     guest ─ veth ─ bridge ┐
 *     guest ─ veth ─ bridge ┤ host ─ eth0 ─ outside   203.0.113.0/24  2001:db8:ffff::/64
 *                           └      ─ eth1 ─ outside2  198.51.100.0/24 2001:db8:fffe::/64
 *
 * The outside sends everything back to the host, also what is addressed to guests: whatever a rule
 * does not stop arrives, and an untranslated source shows itself.
 */
import {
  ANSWERING_PORT,
  configure,
  makeNamespace,
  type Place,
  removeNamespace,
} from "./namespace.ts";
import { attachGuest, bridgeLines } from "./attach_guest.ts";
import { startResponder } from "./background.ts";
import { isIpv6, type TestNetwork } from "./test_network.ts";
import { startWitness } from "./witness.ts";

/** A connection of the host to an outside. */
export interface Uplink {
  readonly device: string;
  /** The host's own addresses there: what translated packets come from. */
  readonly host4: string;
  readonly host6: string;
  /** The machine at the other end. */
  readonly outside: Place;
}

/** A host and nothing around it. */
export interface TestHost extends AsyncDisposable {
  /** The namespace where the program runs. */
  readonly host: string;
  /** Runs at the end, before the namespaces go; the last one given runs first. */
  readonly atEnd: AsyncDisposableStack;
}

/** The machines of one test. */
export interface Topology extends TestHost {
  /** eth0, where the default route goes. */
  readonly uplink: Uplink;
  /** eth1; traffic goes there only by its own subnet. */
  readonly secondUplink: Uplink;
  /** The guest of that name. @throws {Error} When no network has it. */
  guest(name: string): Place;
}

const UPLINKS = [
  { device: "eth0", subnet4: "203.0.113", subnet6: "2001:db8:ffff:" },
  { device: "eth1", subnet4: "198.51.100", subnet6: "2001:db8:fffe:" },
] as const;

/** Makes a host with these networks' bridges, for tests that send no packet. */
export async function makeHost(networks: readonly TestNetwork[]): Promise<TestHost> {
  await using atEnd = new AsyncDisposableStack();
  const host = await addNamespace(atEnd, "host");
  await configure(host, networks.flatMap(bridgeLines));
  const keep = atEnd.move();
  return { host, atEnd: keep, [Symbol.asyncDispose]: () => keep.disposeAsync() };
}

/**
 * Makes a host with these networks' bridges and guests; `await using` takes everything away.
 *
 * @param ports Where every guest and every machine outside answers.
 */
export async function makeTopology(
  networks: readonly TestNetwork[],
  ports: readonly number[] = [ANSWERING_PORT],
): Promise<Topology> {
  await using atEnd = new AsyncDisposableStack();
  const host = await addNamespace(atEnd, "host");
  await configure(host, networks.flatMap(bridgeLines));
  const [uplink, secondUplink] = await Promise.all([
    connectOutside(atEnd, host, UPLINKS[0], ports),
    connectOutside(atEnd, host, UPLINKS[1], ports),
  ]);
  await configure(host, [
    `route add default via ${uplink.outside.v4}`,
    `route add default via ${uplink.outside.v6}`,
  ]);
  const guests = new Map<string, Place>();
  await Promise.all(
    networks.flatMap((network) =>
      Object.entries(network.guests).map(async ([name, addresses]) => {
        const namespace = await addPlace(atEnd, name, ports);
        await attachGuest(host, network, namespace, addresses);
        guests.set(name, place(namespace, addresses));
      })
    ),
  );
  const keep = atEnd.move();
  return {
    host,
    uplink,
    secondUplink,
    atEnd: keep,
    guest: (name) => {
      const found = guests.get(name);
      if (found === undefined) throw new Error(`no guest is called "${name}"`);
      return found;
    },
    [Symbol.asyncDispose]: () => keep.disposeAsync(),
  };
}

/** A place in a namespace that already has the addresses, prefix lengths allowed. */
export function place(namespace: string, addresses: readonly string[]): Place {
  const first = (wanted: boolean): string =>
    addresses.find((address) => isIpv6(address) === wanted)?.replace(/\/\d+$/, "") ?? "";
  return { namespace, v4: first(false), v6: first(true) };
}

/** Makes a namespace that goes when the test ends. */
export async function addNamespace(atEnd: AsyncDisposableStack, label: string): Promise<string> {
  const namespace = await makeNamespace(label);
  atEnd.defer(() => removeNamespace(namespace));
  return namespace;
}

/** A namespace that answers, and whose kernel writes down what arrives. */
export async function addPlace(
  atEnd: AsyncDisposableStack,
  label: string,
  ports: readonly number[],
): Promise<string> {
  const namespace = await addNamespace(atEnd, label);
  await startWitness(namespace);
  atEnd.use(await startResponder(namespace, ports));
  return namespace;
}

async function connectOutside(
  atEnd: AsyncDisposableStack,
  host: string,
  { device, subnet4, subnet6 }: (typeof UPLINKS)[number],
  ports: readonly number[],
): Promise<Uplink> {
  const namespace = await addPlace(atEnd, device, ports);
  const [host4, host6] = [`${subnet4}.1`, `${subnet6}:1`];
  const outside = { namespace, v4: `${subnet4}.9`, v6: `${subnet6}:9` };
  await configure(host, [
    `link add ${device} type veth peer name eth0 netns ${namespace}`,
    `addr add ${host4}/24 dev ${device}`,
    `addr add ${host6}/64 dev ${device} nodad`,
    `link set ${device} up`,
  ]);
  await configure(namespace, [
    `addr add ${outside.v4}/24 dev eth0`,
    `addr add ${outside.v6}/64 dev eth0 nodad`,
    "link set eth0 up",
    `route add default via ${host4}`,
    `route add default via ${host6}`,
  ]);
  return { device, host4, host6, outside };
}
