/** `bridgewall plan`: what `up` would run. Needs no root and changes nothing. */
import { carriesRules } from "../change/join_scripts.ts";
import { operationCommands, rebuildCommands } from "../change/operation.ts";
import { chooseBackend, namedBackend, namesOn } from "../choose_backend.ts";
import type { Command } from "../command.ts";
import { type BackendName, type FirewallBackend, NoBackendError } from "../firewall_backend.ts";
import { type AskedFacts, HostError, type HostFacts, type Platform } from "../host.ts";
import type { Network } from "../network/network.ts";
import { isEverything } from "../network/subnets.ts";
import { explainPolicy } from "../policy/explain_policy.ts";
import type { Record } from "../record/record.ts";
import { shellWord } from "../shell_word.ts";
import type { CommandOutput, Context } from "./context.ts";
import { factsFor, type Prepared, prepareNetworks, wantedNetwork } from "./prepare.ts";
import { type NetworkArguments, readDefinitions } from "./read_definitions.ts";
import { askQuestions, NO_ANSWERS, type Snapshot } from "./snapshot.ts";
import { operationOf } from "./transition.ts";

const NOTHING_ASKED: AskedFacts = {
  interfaces: [],
  routes: [],
  forwarding: { ipv4: false, ipv6: false },
  advertised: [],
  clsact: [],
};

/** What the plan is for, beside the networks. */
export interface PlanOptions {
  /** True: sentences instead of scripts. */
  readonly explain: boolean;
  /** The kind of machine; absent: that of the backend that was asked for, else this one. */
  readonly platform?: Platform;
  /** The interface of the default route for IPv4; absent: the one that the machine has. */
  readonly defaultInterface?: string;
}

/** The machine that the plan is for, and the backend on it. */
interface Target {
  readonly backend: FirewallBackend;
  /** Of a machine that is only imagined nothing is known. */
  readonly snapshot: Snapshot;
}

/**
 * The commands that `up` would run, or with `explain` what the networks may do, in sentences.
 *
 * @throws What {@linkcode prepareNetworks} throws: a plan is refused where `up` would be.
 * @throws {NoBackendError} When the backend that was asked for does not work on that kind of machine.
 */
export async function plan(
  context: Context,
  names: NetworkArguments & PlanOptions,
): Promise<CommandOutput> {
  return await planNetworks(context, await readDefinitions(context, names), names);
}

/**
 * As {@linkcode plan}, for networks that were read.
 *
 * @throws As {@linkcode plan}.
 */
export async function planNetworks(
  context: Context,
  networks: readonly Network[],
  options: PlanOptions,
): Promise<CommandOutput> {
  const { messages } = context;
  const { backend, snapshot } = await findTarget(context, networks, options);
  const prepared = prepare(context, networks, backend, snapshot);
  const operation = operationOf(snapshot, prepared);
  const commands = operation.drifted === true
    ? await rebuildCommands(operation)
    : operationCommands(operation);
  const explanation = prepared.policies.map(explainPolicy);
  prepared.warnings.forEach((warning) => messages.warn(warning));
  return {
    text: options.explain ? explanation.flatMap(paragraph) : commands.flatMap(commandLines),
    json: {
      backend: backend.name,
      networks: prepared.policies.map((policy, index) => ({
        name: policy.network,
        mode: policy.mode,
        explanation: explanation[index],
      })),
      commands,
      warnings: prepared.warnings,
    },
    exitCode: 0,
  };
}

async function findTarget(
  context: Context,
  networks: readonly Network[],
  { platform, defaultInterface }: PlanOptions,
): Promise<Target> {
  const { backends, host, options } = context;
  const asked = options.backend === undefined ? undefined : namedBackend(backends, options.backend);
  const wanted = platform ?? asked?.platform ?? host.platform;
  if (asked !== undefined && asked.platform !== wanted) {
    throw new NoBackendError(
      `Cannot use the backend "${asked.name}" on ${wanted}: it works on ${asked.platform}`,
      `Leave out \`--platform\`, or choose one of ${namesOn(backends, wanted)}`,
    );
  }
  const target = wanted === host.platform
    ? await thisMachine(context, networks)
    : otherMachine(backends, asked, wanted);
  return { ...target, snapshot: withDefaultInterface(target.snapshot, defaultInterface) };
}

async function thisMachine(context: Context, networks: readonly Network[]): Promise<Target> {
  const wanted = networks.map(wantedNetwork);
  const [backend, facts, records] = await Promise.all([
    backendToPlanWith(context),
    knownFacts(context, networks),
    readableRecords(context),
  ]);
  const answers = await askQuestions(context.host, backend.questions(records, false, wanted));
  return { backend, snapshot: { backends: context.backends, facts, answers, records } };
}

/** What a machine of that kind has without anybody's doing: a firewalld has to be there to be used. */
const USUAL: { readonly [platform in Platform]: BackendName } = {
  linux: "nftables",
  freebsd: "pf",
  other: "nftables",
};

function usualBackend(
  backends: readonly FirewallBackend[],
  platform: Platform,
): FirewallBackend | undefined {
  return backends.find((one) => one.platform === platform && one.name === USUAL[platform]) ??
    backends.find((one) => one.platform === platform);
}

/** A machine on which nothing has been done, and which was asked nothing. */
function otherMachine(
  backends: readonly FirewallBackend[],
  asked: FirewallBackend | undefined,
  platform: Platform,
): Target {
  const backend = asked ?? usualBackend(backends, platform);
  if (backend === undefined) {
    throw new NoBackendError(`Cannot plan for ${platform}: no backend works there`);
  }
  const facts = { platform, ...NOTHING_ASKED };
  return { backend, snapshot: { backends, facts, answers: NO_ANSWERS, records: [] } };
}

function withDefaultInterface(snapshot: Snapshot, device: string | undefined): Snapshot {
  if (device === undefined) return snapshot;
  const { facts } = snapshot;
  const routes = facts.routes.filter(({ destination }) =>
    destination.family !== "ipv4" || !isEverything(destination)
  );
  const everything = { family: "ipv4", value: 0n, prefix: 0 } as const;
  return {
    ...snapshot,
    facts: { ...facts, routes: [...routes, { destination: everything, device }] },
  };
}

/** A host that can use none gets a plan all the same, for the host that it is made for. */
async function backendToPlanWith(
  { backends, options, host, messages }: Context,
): Promise<FirewallBackend> {
  try {
    return await chooseBackend(backends, options.backend, host);
  } catch (error) {
    const first = usualBackend(backends, host.platform) ?? backends[0];
    if (!(error instanceof NoBackendError) || first === undefined) throw error;
    if (options.backend !== undefined) throw error;
    messages.warn(`${error.message}\nThe plan is for a host that can use ${first.name}`);
    return first;
  }
}

/** Where the host does not answer as one that can use the backend, the plan is for another that can. */
function prepare(
  { options, messages }: Context,
  networks: readonly Network[],
  backend: FirewallBackend,
  snapshot: Snapshot,
): Prepared {
  const situation = { ...snapshot, backend, sysctl: options.sysctl };
  try {
    return prepareNetworks(networks, situation);
  } catch (error) {
    if (!(error instanceof NoBackendError)) throw error;
    const prepared = prepareNetworks(networks, { ...situation, answers: NO_ANSWERS });
    messages.warn(`${error.message}. The plan is for a host that can`);
    return prepared;
  }
}

/** A machine that cannot be asked (no iproute2, another system) is taken for a fresh one. */
async function knownFacts(
  { host, messages }: Context,
  networks: readonly Network[],
): Promise<HostFacts> {
  try {
    return await host.facts(factsFor(networks));
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    messages.warn(`${error.message}. The plan is for a host with nothing on it`);
    return { platform: host.platform, ...NOTHING_ASKED };
  }
}

/** Only root may see which networks are active; for others the plan is that of a fresh host. */
async function readableRecords({ host, messages }: Context): Promise<readonly Record[]> {
  if (host.privileged) return await host.records.readAll();
  messages.detail("Only root sees which networks are active, so the plan takes none to be");
  return [];
}

/**
 * Rules as they are given to their program, which takes them from a file as well; other commands
 * as comments. nft's own script stands without a line for the command: most plans hold nothing else.
 */
export function commandLines(command: Command): readonly string[] {
  const { program, args, stdin } = command;
  const script = stdin === undefined ? [] : stdin.trimEnd().split("\n");
  if (program === "nft") return script;
  const isNative = carriesRules(command) || program === "install";
  return [
    `# ${[program, ...args].map(shellWord).join(" ")}`,
    ...script.map((line) => isNative ? line : `#   ${line}`),
  ];
}

function paragraph(sentences: readonly string[], index: number): readonly string[] {
  return index === 0 ? sentences : ["", ...sentences];
}
