/** `bridgewall plan`: what `up` would run. Needs no root and changes nothing. */
import { holdsRules } from "../change/join_scripts.ts";
import { operationCommands, rebuildCommands } from "../change/operation.ts";
import { chooseBackend } from "../choose_backend.ts";
import type { Command } from "../command.ts";
import { type FirewallBackend, NoBackendError } from "../firewall_backend.ts";
import { HostError, type HostFacts } from "../host.ts";
import type { Network } from "../network/network.ts";
import { explainPolicy } from "../policy/explain_policy.ts";
import type { Record } from "../record/record.ts";
import type { CommandOutput, Context } from "./context.ts";
import { factsFor, type Prepared, prepareNetworks } from "./prepare.ts";
import { type NetworkArguments, readDefinitions } from "./read_definitions.ts";
import { askQuestions, NO_ANSWERS, type Snapshot } from "./snapshot.ts";
import { operationOf } from "./transition.ts";

const FRESH_HOST: HostFacts = {
  interfaces: [],
  routes: [],
  forwarding: { ipv4: false, ipv6: false },
  advertised: [],
  clsact: [],
};

/**
 * The commands that `up` would run, or with `explain` what the networks may do, in sentences.
 *
 * @throws What {@linkcode prepareNetworks} throws: a plan is refused where `up` would be.
 */
export async function plan(
  context: Context,
  names: NetworkArguments & { readonly explain: boolean },
): Promise<CommandOutput> {
  const { messages } = context;
  const networks = await readDefinitions(context, names);
  const [backend, facts, records] = await Promise.all([
    backendToPlanWith(context),
    knownFacts(context, networks),
    readableRecords(context),
  ]);
  const answers = await askQuestions(context.host, backend.questions(records, false));
  const snapshot = { backends: context.backends, facts, answers, records };
  const prepared = prepare(context, networks, backend, snapshot);
  const operation = operationOf(snapshot, prepared);
  const commands = operation.drifted === true
    ? await rebuildCommands(operation)
    : operationCommands(operation);
  const explanation = prepared.policies.map(explainPolicy);
  prepared.warnings.forEach((warning) => messages.warn(warning));
  return {
    text: names.explain ? explanation.flatMap(paragraph) : commands.flatMap(commandLines),
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

/** A host that can use none gets a plan all the same, for the host that it is made for. */
async function backendToPlanWith(
  { backends, options, host, messages }: Context,
): Promise<FirewallBackend> {
  try {
    return await chooseBackend(backends, options.backend, host);
  } catch (error) {
    const [first] = backends;
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
    return FRESH_HOST;
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
export function commandLines({ program, args, stdin }: Command): readonly string[] {
  const script = stdin === undefined ? [] : stdin.trimEnd().split("\n");
  if (program === "nft") return script;
  return [
    `# ${[program, ...args].map(shellWord).join(" ")}`,
    ...script.map((line) => holdsRules(program) ? line : `#   ${line}`),
  ];
}

function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

function paragraph(sentences: readonly string[], index: number): readonly string[] {
  return index === 0 ? sentences : ["", ...sentences];
}
