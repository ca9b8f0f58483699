/** `bridgewall up`: installs the firewall of networks, all of them in one step. */
import type { Network } from "../network/network.ts";
import type { NetworkPolicy } from "../policy/policy.ts";
import { quoted } from "../quoted.ts";
import type { CommandOutput, Context } from "./context.ts";
import { locked } from "./locked.ts";
import { factsFor, prepareNetworks, wantedNetwork } from "./prepare.ts";
import { type NetworkArguments, readDefinitions } from "./read_definitions.ts";
import { runTransition } from "./transition.ts";

/** What `up` tells of one network with `--json`. */
export interface NetworkSummary {
  /** As in the definition, nothing escaped but what JSON escapes. */
  readonly name: string;
  /** libvirt's word; `isolated` when there is no `<forward>`. */
  readonly mode: NetworkPolicy["mode"];
  /** Null when no bridge of this host's belongs to the network. */
  readonly bridge: string | null;
  /** Null when the network needs no rules. */
  readonly backend: string | null;
  /** `not filtered`: a bridged mode, which no host firewall sees; it gets no record. */
  readonly state: "active" | "not filtered";
}

/**
 * Brings up all of the networks or none; those that are active are refreshed.
 *
 * @throws What {@linkcode locked} and {@linkcode prepareNetworks} throw; then nothing is changed.
 */
export async function up(context: Context, names: NetworkArguments): Promise<CommandOutput> {
  return await bringUp(context, await readDefinitions(context, names));
}

/**
 * As {@linkcode up}, for networks that were read.
 *
 * @param networks Two that do not go together are refused before: `validateTogether`.
 * @throws As {@linkcode up}.
 */
export async function bringUp(
  context: Context,
  networks: readonly Network[],
): Promise<CommandOutput> {
  const { messages, options } = context;
  const wanted = {
    facts: factsFor(networks),
    networks: networks.map(wantedNetwork),
  };
  const summaries = await locked(context, wanted, async (snapshot, backend) => {
    const situation = { ...snapshot, backend, sysctl: options.sysctl };
    const prepared = prepareNetworks(networks, situation);
    await runTransition(context, snapshot, prepared);
    prepared.warnings.forEach((warning) => messages.warn(warning));
    return prepared.policies.map((policy) => summarize(policy, backend.name));
  });
  summaries.forEach((summary) => messages.note(sentence(summary)));
  if (summaries.length === 0) messages.note("There is no definition to bring up");
  return { text: [], json: { networks: summaries }, exitCode: 0 };
}

function summarize(policy: NetworkPolicy, backend: string): NetworkSummary {
  const { network: name, mode } = policy;
  switch (policy.kind) {
    case "filtered":
      return { name, mode, bridge: policy.bridge, backend, state: "active" };
    case "open":
      return { name, mode, bridge: policy.bridge, backend: null, state: "active" };
    case "bridged":
      return { name, mode, bridge: null, backend: null, state: "not filtered" };
  }
}

function sentence({ name, mode, bridge, backend, state }: NetworkSummary): string {
  const network = `Network ${quoted(name)}`;
  if (state === "not filtered") {
    return `${network} is in mode ${mode}: no host firewall applies to it`;
  }
  const where = `mode ${mode}, bridge ${quoted(bridge ?? "")}`;
  return backend === null
    ? `${network} is up without rules: ${where}`
    : `${network} is up: ${where}, ${backend}`;
}
