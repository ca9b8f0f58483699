/** `bridgewall reload`: removes and installs active networks again, in one step. */
import { isMasquerade } from "../policy/masquerade.ts";
import { quoted } from "../quoted.ts";
import type { CommandOutput, Context } from "./context.ts";
import { locked } from "./locked.ts";
import { ALL_FACTS, compilePolicies } from "./prepare.ts";
import { recordedPolicy } from "./recorded_networks.ts";
import { namedRecords, type NetworkArguments, refuseMissing } from "./read_definitions.ts";
import { settingsFor } from "./forwarding_settings.ts";
import { runTransition } from "./transition.ts";

/**
 * Works from the records: definitions that were edited since take effect with `up`. What else is on
 * the host is not asked again, so a network that stands is never refused.
 *
 * @throws {HostError} When a network that was named is not active.
 */
export async function reload(context: Context, names: NetworkArguments): Promise<CommandOutput> {
  const { messages } = context;
  const all = names.all || names.names.length === 0;
  const reloaded = await locked(context, { facts: ALL_FACTS }, async (snapshot, backend) => {
    const { records } = snapshot;
    const nameable = all ? records : records.filter((record) => !isMasquerade(record));
    const { found, missing } = await namedRecords(context, nameable, { ...names, all });
    refuseMissing(missing);
    const policies = found.map(recordedPolicy);
    const definitions = found.map(({ network }) => network);
    const { entering, warnings, drifted } = compilePolicies(definitions, policies, {
      ...snapshot,
      backend,
    });
    const settings = settingsFor(context, policies, snapshot);
    if (entering.length > 0) {
      await runTransition(context, snapshot, { leaving: [], entering, settings, drifted });
    }
    warnings.forEach((warning) => messages.warn(warning));
    return entering.map(({ name, installation }): Reloaded => ({
      name,
      from: found.find((record) => record.name === name)?.backend ?? null,
      to: installation.backend ?? null,
    }));
  });
  reloaded.forEach((one) => messages.note(sentence(one)));
  if (reloaded.length === 0) messages.note("No network is active");
  const networks = reloaded.filter((one) => !isMasquerade(one));
  const moved = networks.filter(({ from, to }) => from !== to);
  return {
    text: [],
    json: {
      reloaded: networks.map(({ name }) => name),
      moved,
      masquerade: networks.length < reloaded.length,
    },
    exitCode: 0,
  };
}

/** A network, and its backend before and after; null where it has no rules. */
interface Reloaded {
  readonly name: string;
  readonly from: string | null;
  readonly to: string | null;
}

function sentence({ name, from, to }: Reloaded): string {
  const move = from === to || to === null ? "" : ` moved from ${from} to ${to}`;
  if (isMasquerade({ name })) {
    return `Masqueraded prefixes are loaded again${move && `, and have${move}`}`;
  }
  return `Network ${quoted(name)} is up again${move && `, and has${move}`}`;
}
