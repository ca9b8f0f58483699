/** `bridgewall plan`: what `up` would run. Needs no root and changes nothing. */
import { operationCommands } from "../change/operation.ts";
import { chooseBackend } from "../choose_backend.ts";
import type { Command } from "../command.ts";
import { HostError, type HostFacts } from "../host.ts";
import type { Network } from "../network/network.ts";
import { explainPolicy } from "../policy/explain_policy.ts";
import type { Record } from "../record/record.ts";
import type { CommandOutput, Context } from "./context.ts";
import { factsFor, prepareNetworks } from "./prepare.ts";
import { type NetworkArguments, readDefinitions } from "./read_definitions.ts";
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
  const { options, messages } = context;
  const backend = chooseBackend(context.backends, options.backend);
  const networks = await readDefinitions(context, names);
  const [facts, records] = await Promise.all([
    knownFacts(context, networks),
    readableRecords(context),
  ]);
  const snapshot = { backend, facts, records };
  const prepared = prepareNetworks(networks, { ...snapshot, sysctl: options.sysctl });
  const operation = operationOf(snapshot, prepared);
  const commands = operationCommands(operation);
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

/** The script of nft as it is, so that `nft --check -f -` takes it; other commands as comments. */
export function commandLines({ program, args, stdin }: Command): readonly string[] {
  const script = stdin === undefined ? [] : stdin.trimEnd().split("\n");
  if (program === "nft") return script;
  return [
    `# ${[program, ...args].map(shellWord).join(" ")}`,
    ...script.map((line) => `#   ${line}`),
  ];
}

function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

function paragraph(sentences: readonly string[], index: number): readonly string[] {
  return index === 0 ? sentences : ["", ...sentences];
}
