/** A day on a host: what people and programs do to it, in an order that a seed decides. */
import { programArgv } from "./bundle.ts";
import { bridgeLines } from "./attach_guest.ts";
import { stop } from "./child_process.ts";
import { configure } from "./namespace.ts";
import { inNamespace, mustRun, run } from "./run_program.ts";
import { definition, testNetwork } from "./test_network.ts";

/** The networks that come and go. */
export const NETWORKS = [
  testNetwork(71, "nat", { forward: '<forward mode="nat"/>', dhcp: true }),
  testNetwork(72, "route", { forward: '<forward mode="route"/>' }),
  testNetwork(73, "isolated"),
] as const;

const BACKENDS = ["nftables", "iptables"] as const;
const PORTS = [8080, 8081, 8082];
const PREFIXES = ["10.8.0.0/16", "10.8.1.0/24", "10.8.1.0/28", "fd09::/64"];

/** What should be so: that of each network by its name, and the prefixes. */
export interface Wanted {
  readonly networks: ReadonlyMap<string, NetworkState>;
  readonly prefixes: readonly string[];
}

/** Where a network's rules are, and what it publishes, as SPECs, sorted. */
export interface NetworkState {
  readonly backend: string;
  readonly ports: readonly string[];
}

/** Nothing is up. */
export const NOTHING: Wanted = { networks: new Map(), prefixes: [] };

/** Something that happens. */
export interface Event {
  readonly says: string;
  /** What it makes of what should be so; absent: it is refused, or nothing of ours. */
  readonly after?: Wanted;
  /** Whether rules may be missing or foreign afterwards: all are, none are, or nobody knows. */
  readonly damages: "all" | "none" | "some" | "as before";
  readonly happen: () => Promise<unknown>;
}

/** Numbers from 0 to below 1 that a seed decides (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A host with the program. */
export interface Day {
  /** Runs it; anything but these exit codes is an error with what it said. */
  program(args: readonly string[], codes?: readonly number[]): Promise<string>;
  /** One of all that can happen now. */
  next(wanted: Wanted): Event;
}

/** @param directory For records and definitions. */
export async function openDay(
  host: string,
  directory: string,
  random: () => number,
  onHost: (argv: readonly string[]) => readonly string[],
): Promise<Day> {
  await Deno.mkdir(`${directory}/state`, { mode: 0o700 });
  await Deno.writeTextFile(`${directory}/bridgewall.conf`, "");
  const flags = ["--state-dir", `${directory}/state`, "--config", `${directory}/bridgewall.conf`];
  for (const network of NETWORKS) {
    await Deno.writeTextFile(`${directory}/${network.name}.xml`, definition(network));
  }
  const argv = await programArgv();
  const whole = (args: readonly string[]): readonly string[] =>
    onHost([...argv, ...args, ...flags]);
  const program: Day["program"] = async (args, codes = [0]) => {
    const { code, stdout, stderr } = await run(whole(args), { namespace: host });
    if (codes.includes(code)) return stdout;
    throw new Error(`bridgewall ${args.join(" ")} exited with ${code}: ${stderr}`);
  };
  const pick = <Value>(values: readonly Value[]): Value =>
    values[Math.floor(random() * values.length)] as Value;
  const killed = async (args: readonly string[], milliseconds: number): Promise<void> => {
    const [command = "", ...rest] = inNamespace(host, whole(args));
    const child = new Deno.Command(command, { args: rest, stdout: "null", stderr: "null" }).spawn();
    const timer = setTimeout(() => stop(child), milliseconds);
    await child.status;
    clearTimeout(timer);
  };
  return {
    program,
    next: (wanted) => {
      const choices = choicesOf({ host, directory, program, pick, random }, wanted);
      const chosen = pick(choices)();
      // Some commands do not live to their end.
      if (chosen.args === undefined || random() > 0.12) return chosen;
      const { args } = chosen;
      const delay = Math.floor(random() * 220);
      return {
        says: `kill after ${delay} ms: ${chosen.says}`,
        ...(chosen.after === undefined ? {} : { after: chosen.after }),
        damages: "some",
        happen: () => killed(args, delay),
      };
    },
  };
}

interface Place {
  readonly host: string;
  readonly directory: string;
  readonly program: Day["program"];
  readonly pick: <Value>(values: readonly Value[]) => Value;
  readonly random: () => number;
}

type Choice = Event & { readonly args?: readonly string[] };

function choicesOf(place: Place, wanted: Wanted): readonly (() => Choice)[] {
  const some = wanted.networks.size > 0;
  return [
    () => bringUp(place, wanted),
    () => bringUp(place, wanted),
    () => masquerade(place, wanted),
    () => others(place, wanted),
    ...(some
      ? [
        () => takeDown(place, wanted),
        () => publish(place, wanted),
        () => publish(place, wanted),
        () => unpublish(place, wanted),
        () => bridgeAgain(place),
      ]
      : []),
    () => reload(place, wanted),
  ];
}

function command(
  { program }: Place,
  args: readonly string[],
  after: Wanted,
  damages: Event["damages"],
): Choice {
  return { says: args.join(" "), args, after, damages, happen: () => program(args) };
}

function withNetwork(wanted: Wanted, name: string, state: NetworkState | undefined): Wanted {
  const networks = new Map(wanted.networks);
  if (state === undefined) networks.delete(name);
  else networks.set(name, state);
  return { ...wanted, networks };
}

function bringUp(place: Place, wanted: Wanted): Choice {
  const { name } = place.pick(NETWORKS);
  const backend = place.pick(BACKENDS);
  const ports = wanted.networks.get(name)?.ports ?? [];
  const args = ["up", "--backend", backend, `${place.directory}/${name}.xml`];
  return command(place, args, withNetwork(wanted, name, { backend, ports }), "as before");
}

function takeDown(place: Place, wanted: Wanted): Choice {
  const name = place.pick([...wanted.networks.keys()]);
  return command(place, ["down", name], withNetwork(wanted, name, undefined), "as before");
}

function publish(place: Place, wanted: Wanted): Choice {
  const name = place.pick([...wanted.networks.keys()]);
  const state = wanted.networks.get(name);
  const number = NETWORKS.find((one) => one.name === name)?.bridge.slice(2);
  const port = place.pick(PORTS);
  const guest = `192.168.${number}.${place.pick([10, 11])}`;
  const spec = `${port}:${guest}:${place.pick([80, port])}/${place.pick(["tcp", "udp"])}`;
  const protocol = spec.slice(-3);
  const listens = (other: string): boolean =>
    other.startsWith(`${port}:`) && other.endsWith(protocol);
  const isTaken = [...wanted.networks].some(([other, { ports }]) =>
    other !== name && ports.some(listens)
  );
  const args = ["publish", name, spec];
  if (isTaken || state === undefined) {
    return {
      says: `${args.join(" ")} (refused)`,
      damages: "as before",
      happen: () => place.program(args, [1]),
    };
  }
  const ports = [...state.ports.filter((other) => !listens(other)), spec].sort();
  return command(place, args, withNetwork(wanted, name, { ...state, ports }), "as before");
}

function unpublish(place: Place, wanted: Wanted): Choice {
  const name = place.pick([...wanted.networks.keys()]);
  const state = wanted.networks.get(name) ?? { backend: "", ports: [] };
  const spec = place.pick([...state.ports, "9999:192.168.71.10:9999/tcp"]);
  const ports = state.ports.filter((other) => other !== spec);
  const args = ["unpublish", name, spec.replace(/:.*\//, "/")];
  return command(place, args, withNetwork(wanted, name, { ...state, ports }), "as before");
}

function masquerade(place: Place, wanted: Wanted): Choice {
  const prefix = place.pick(PREFIXES);
  const action = place.pick(["add", "remove"]);
  const others = wanted.prefixes.filter((one) => one !== prefix);
  const prefixes = action === "add" ? [...others, prefix].sort() : others;
  return command(place, ["masquerade", action, prefix], { ...wanted, prefixes }, "as before");
}

function reload(place: Place, wanted: Wanted): Choice {
  const backend = place.pick(BACKENDS);
  const networks = new Map(
    [...wanted.networks].map(([name, state]) => [name, { ...state, backend }]),
  );
  return command(place, ["reload", "--backend", backend], { ...wanted, networks }, "none");
}

/** Somebody else removes everything, or adds something of his own among ours. */
function others({ host, pick }: Place, wanted: Wanted): Choice {
  const used = new Set([...wanted.networks.values()].map(({ backend }) => backend));
  const flush: Choice = {
    says: "nft flush ruleset",
    damages: wanted.networks.size + wanted.prefixes.length > 0 ? "all" : "none",
    happen: () => mustRun(["nft", "flush", "ruleset"], { namespace: host }),
  };
  const script = used.has("nftables")
    ? "add rule inet bridgewall forward counter"
    : "add rule ip filter BRIDGEWALL_FROM counter";
  const add: Choice = {
    says: script,
    damages: "some",
    // Nobody knows whether the chain is there: rules may be missing already.
    happen: () => run(["nft", script], { namespace: host }),
  };
  return used.size === 0 ? flush : pick([flush, add]);
}

function bridgeAgain({ host, pick }: Place): Choice {
  const network = pick(NETWORKS);
  return {
    says: `${network.bridge} is made again`,
    damages: "some",
    happen: async () => {
      await mustRun(["ip", "link", "del", network.bridge], { namespace: host });
      await configure(host, bridgeLines(network));
    },
  };
}
