/** Arguments of a command → networks. */
import type { Network } from "../network/network.ts";
import { parseNetwork } from "../network/parse_network.ts";
import { validateTogether } from "../network/validate_network.ts";
import type { Record } from "../record/record.ts";
import { quoted } from "../quoted.ts";
import { HostError } from "../host.ts";
import { type Context, type DefinitionText, UsageError } from "./context.ts";

/** The networks that a command was given. */
export interface NetworkArguments {
  /** As typed: names, paths, or `-` for standard input; empty with `all`. */
  readonly names: readonly string[];
  /** True: all of them. */
  readonly all: boolean;
}

/**
 * Reads and checks definitions; nothing is changed when one of them is wrong.
 *
 * @throws {UsageError} When none was named, or one does not exist.
 * @throws {NetworkDefinitionError} When one is not valid, or two do not go together.
 */
export async function readDefinitions(
  { definitions }: Context,
  { names, all }: NetworkArguments,
): Promise<readonly Network[]> {
  refuseBoth({ names, all });
  const texts: DefinitionText[] = all ? [...await definitions.readAll()] : [];
  for (const name of names) texts.push(await definitions.read(name));
  const networks = texts.map(({ text, file }) => ({ network: parseNetwork(text, file), file }));
  validateTogether(networks);
  return networks.map(({ network }) => network);
}

/**
 * The records that a command was asked about: all of them with `--all`.
 *
 * A name is that of an active network; a path is the definition of one.
 */
export async function namedRecords(
  context: Context,
  records: readonly Record[],
  { names, all }: NetworkArguments,
): Promise<{ readonly found: readonly Record[]; readonly missing: readonly string[] }> {
  refuseBoth({ names, all });
  if (all) return { found: records, missing: [] };
  const wanted: string[] = [];
  for (const argument of names) {
    wanted.push(
      records.some(({ name }) => name === argument) || !isPath(argument)
        ? argument
        : await definedName(context, argument),
    );
  }
  const unique = [...new Set(wanted)];
  return {
    found: records.filter(({ name }) => unique.includes(name)),
    missing: unique.filter((name) => !records.some((record) => record.name === name)),
  };
}

/**
 * Ends a command that was given the names of networks without a record.
 *
 * @throws {HostError} For the first network that is not active.
 */
export function refuseMissing(missing: readonly string[]): void {
  const [first] = missing;
  if (first !== undefined) refuseInactive(first);
}

/**
 * Ends a command on a network without a record.
 *
 * @throws {HostError} Always.
 */
export function refuseInactive(name: string): never {
  throw new HostError(
    `Network ${quoted(name)} is not active`,
    "See `bridgewall status` for those that are, or bring it up with `bridgewall up`",
  );
}

async function definedName({ definitions }: Context, argument: string): Promise<string> {
  const { text, file } = await definitions.read(argument);
  return parseNetwork(text, file).name;
}

/** Arguments that cannot be names of networks in the configuration directory. */
export function isPath(argument: string): boolean {
  return argument === "-" || argument.includes("/") || argument.endsWith(".xml");
}

function refuseBoth({ names, all }: NetworkArguments): void {
  if (all && names.length > 0) {
    throw new UsageError("Cannot take both names and `--all`", "Leave one of them out");
  }
  if (!all && names.length === 0) {
    throw new UsageError("Cannot go on without a network", "Name one, or use `--all`");
  }
}
