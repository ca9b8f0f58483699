/** Commands that meet: on a few networks, in a mixture that a seed decides. */
import { randomNumbers } from "./day.ts";
import { neighbour, testNetwork } from "./test_network.ts";

const NAT = testNetwork(81, "nat", { forward: '<forward mode="nat"/>', dhcp: true });

/** Those whose bridges the host has. */
export const NETWORKS = [
  NAT,
  testNetwork(82, "route", { forward: '<forward mode="route"/>' }),
  testNetwork(83, "isolated"),
  testNetwork(84, "lab", { forward: '<forward mode="nat"/>' }),
  testNetwork(85, "open", { forward: '<forward mode="open"/>' }),
] as const;

/** Not beside `nat`: it is on the same bridge. */
export const TWIN = { ...NAT, name: "twin" };

/** Networks that get into one another's way: by their bridge, or by the ports that they want. */
export const GROUPS: readonly (readonly string[])[] = [
  ["nat", "twin"],
  ["route", "isolated"],
  ["lab"],
  ["open"],
  // The prefixes.
  [],
];

/** How a command is killed: at some time, or by its firewall program, before that works or after. */
export type Death = "some time" | "before the rules" | "after the rules";

/** A command. */
export interface Parallel {
  /** Without the flags that all have; a definition is written as `NAME.xml`. */
  readonly args: readonly string[];
  /** Seconds that it waits for others. */
  readonly wait: number;
  readonly death?: Death;
  /** When it dies, if at some time. */
  readonly milliseconds: number;
}

/** Longer than all of them take on a machine that has other things to do. */
const PATIENT = 240;

/** So long waits who would rather not. */
export const IMPATIENT = 0.05;

/** So many commands, always the same for a seed. */
export function chooseCommands(seed: number, count: number): readonly Parallel[] {
  const random = randomNumbers(seed);
  const pick = <Value>(values: readonly Value[]): Value =>
    values[Math.floor(random() * values.length)] as Value;
  return Array.from({ length: count }, (_, index) => {
    const args = pick(KINDS)(pick);
    const death = pick<Death>(["some time", "before the rules", "after the rules"]);
    const milliseconds = Math.floor(200 + random() * 4000);
    const isKilled = CHANGING.includes(args[0] ?? "") && args[1] !== "list" && random() < 0.25;
    const wait = !isKilled && index % 12 === 11 ? IMPATIENT : PATIENT;
    return { args, wait, milliseconds, ...(isKilled ? { death } : {}) };
  });
}

type Pick = <Value>(values: readonly Value[]) => Value;

const CHANGING = ["up", "down", "reload", "publish", "unpublish", "masquerade"];

/** Those that want something of the others' more often. */
const NAMES = [...NETWORKS.map(({ name }) => name), "nat", "twin", "route", "isolated"];

/** No network has these. */
const PREFIXES = ["10.8.0.0/16", "10.8.1.0/24", "fd09::/64"];

type Kind = (pick: Pick) => readonly string[];

const up: Kind = (pick) => ["up", `${pick(NAMES)}.xml`];
const publish: Kind = (pick) => {
  const [name, port] = choosePort(pick);
  const { addresses } = NETWORKS.find((one) => one.name === name) ?? NAT;
  const guest = neighbour(addresses[0] ?? "", pick([10, 11])).replace(/\/.*/, "");
  return ["publish", name, `${port}:${guest}:${pick([80, port])}/tcp`];
};
const unpublish: Kind = (pick) => {
  const [name, port] = choosePort(pick);
  return ["unpublish", name, `${port}/tcp`];
};
const masquerade: Kind = (pick) => ["masquerade", pick(["add", "add", "remove"]), pick(PREFIXES)];

/** Each as often as it stands here. */
const KINDS: readonly Kind[] = [
  ...[up, up, up, up, publish, publish, publish, publish, unpublish, masquerade, masquerade],
  (pick) => ["up", "route.xml", pick(["nat.xml", "lab.xml"])],
  (pick) => ["down", pick(NAMES)],
  (pick) => ["down", pick(NAMES)],
  (pick) => ["reload", pick(NAMES)],
  () => ["reload"],
  () => ["status"],
  () => ["check"],
  (pick) => pick([["down", "--all"], ["masquerade", "list"], ["check"], ["status"]]),
];

/** A group has ports of its own; nobody publishes anything for a network in mode open. */
function choosePort(pick: Pick): readonly [name: string, port: number] {
  const name = pick(NAMES.filter((one) => one !== "open"));
  const group = GROUPS.findIndex((names) => names.includes(name));
  return [name, 8080 + 100 * group + pick([0, 1])];
}
