/** `bridgewall masquerade`: translation for prefixes that belong to no network. */
import { formatSubnet, parseAddress, parseSubnet, type Subnet } from "../address.ts";
import { forwardingSteps } from "../change/forwarding.ts";
import {
  isMasquerade,
  masqueradeElement,
  masqueradePolicy,
  overlapWarnings,
  recordedPrefixes,
} from "../policy/masquerade.ts";
import { MASQUERADE } from "../policy/policy.ts";
import { quoted } from "../quoted.ts";
import { type CommandOutput, type Context, UsageError } from "./context.ts";
import { driftSentence, inspectRecords } from "./inspect_records.ts";
import { lockedFor } from "./locked.ts";
import { compilePolicies, forwardingWarnings, NO_FACTS } from "./prepare.ts";
import { recordedNetworks } from "./recorded_networks.ts";
import { isOfPrefixes, prefixRows, prefixTable } from "./prefix_table.ts";
import type { Snapshot } from "./snapshot.ts";
import { runTransition, type Transition } from "./transition.ts";

const ACTIONS = ["add", "remove", "list"] as const;

/**
 * `add PREFIX...`, `remove PREFIX...` or `list`. Prefixes may lie inside one another: each is kept until
 * it is removed itself. What is there already, or is not there, is no error.
 *
 * @throws {UsageError} When a prefix means nothing, or everything.
 */
export async function masquerade(
  context: Context,
  operands: readonly string[],
): Promise<CommandOutput> {
  const [word, ...texts] = operands;
  const action = ACTIONS.find((known) => known === word);
  if (action === undefined || (action === "list") !== (texts.length === 0)) {
    throw new UsageError(
      word === undefined || action === undefined
        ? `Cannot guess what to do with masqueraded prefixes${
          word === undefined ? "" : `: ${quoted(word)}`
        }`
        : action === "list"
        ? "Cannot list single prefixes: `bridgewall masquerade list` shows all"
        : `Cannot ${action} nothing`,
      "Write `bridgewall masquerade add 10.0.3.0/24`, `remove 10.0.3.0/24` or `list`",
    );
  }
  if (action === "list") return await list(context);
  const prefixes = texts.map((text) => readPrefix(context, text));
  return await change(context, action, prefixes);
}

/** An octet with a zero in front would be octal to some and decimal to others. */
const PLAIN_IPV4 = /^(0|[1-9]\d*)(\.(0|[1-9]\d*)){3}$/;

/** Bits beyond the prefix are cleared, as in an address of the host with its prefix length. */
function readPrefix({ messages }: Context, text: string): Subnet {
  const [addressText = "", length] = text.split("/");
  const address = parseAddress(addressText);
  const isPlain = (address?.family === "ipv6" || PLAIN_IPV4.test(addressText)) &&
    (length === undefined || /^(0|[1-9]\d*)$/.test(length));
  const prefix = isPlain ? parseSubnet(text) : undefined;
  if (address === undefined || prefix === undefined) {
    throw new UsageError(
      `Cannot read ${quoted(text)} as a prefix`,
      "Write an address and a prefix length: 10.0.3.0/24 or fd00:3::/64",
    );
  }
  if (prefix.prefix === 0) {
    throw new UsageError(
      `Cannot masquerade ${quoted(text)}: it would be the host's own addresses, too`,
      "Name the prefixes that are behind the host: 10.0.3.0/24",
    );
  }
  if (prefix.value !== address.value || length === undefined) {
    messages.note(`Taken for ${formatSubnet(prefix)}: ${text}`);
  }
  return prefix;
}

async function change(
  context: Context,
  action: "add" | "remove",
  prefixes: readonly Subnet[],
): Promise<CommandOutput> {
  const { messages } = context;
  const wanted = new Set(prefixes.map(formatSubnet));
  const result = await lockedFor(
    context,
    MASQUERADE,
    () => ({
      facts: { ...NO_FACTS, forwarding: true, routes: ["ipv4", "ipv6"] },
      networks: [{ name: MASQUERADE, publishes: prefixes.map(({ family }) => family) }],
    }),
    async (snapshot, backend) => {
      const before = snapshot.records.filter(isMasquerade).flatMap(recordedPrefixes);
      const kept = before.filter((one) => !wanted.has(formatSubnet(one)));
      const after = action === "add" ? [...kept, ...unique(prefixes)] : kept;
      if (after.length > 0) {
        await install(context, snapshot, after, backend);
      } else if (before.length > 0) {
        await runTransition(context, snapshot, {
          leaving: [MASQUERADE],
          entering: [],
          settings: [],
        });
      }
      if (action === "add") {
        const networks = [...recordedNetworks(snapshot.records).values()];
        networks.flatMap(({ network }) => overlapWarnings(prefixes, network))
          .forEach((text) => messages.warn(text));
      }
      const known = new Set(before.map(formatSubnet));
      return { after, had: (prefix: string) => known.has(prefix) };
    },
  );
  for (const prefix of wanted) messages.note(sentence(action, prefix, result.had(prefix)));
  const changed = [...wanted].filter((prefix) => result.had(prefix) === (action === "remove"));
  return {
    text: [],
    json: {
      [action === "add" ? "added" : "removed"]: changed,
      prefixes: result.after.map(formatSubnet),
    },
    exitCode: 0,
  };
}

async function install(
  context: Context,
  snapshot: Snapshot,
  prefixes: readonly Subnet[],
  backend: Parameters<Parameters<typeof lockedFor>[3]>[1],
): Promise<void> {
  const { messages, options } = context;
  const policy = masqueradePolicy(prefixes);
  const definition = masqueradeElement(prefixes);
  const { entering, warnings, drifted } = compilePolicies([definition], [policy], {
    ...snapshot,
    backend,
  });
  const transition: Transition = {
    leaving: [],
    entering,
    settings: options.sysctl ? forwardingSteps([policy], snapshot.facts) : [],
    drifted,
  };
  await runTransition(context, snapshot, transition);
  const missing = options.sysctl ? [] : forwardingWarnings([policy], snapshot.facts);
  [...warnings, ...missing].forEach((warning) => messages.warn(warning));
}

function unique(prefixes: readonly Subnet[]): readonly Subnet[] {
  return [...new Map(prefixes.map((one) => [formatSubnet(one), one])).values()];
}

function sentence(action: "add" | "remove", prefix: string, had: boolean): string {
  if (action === "add") return `${prefix} is masqueraded${had ? " already" : ""}`;
  return had ? `${prefix} is not masqueraded any more` : `${prefix} was not masqueraded`;
}

async function list(context: Context): Promise<CommandOutput> {
  const { masquerade: found, drift } = await inspectRecords(context);
  if (found === undefined) context.messages.note("No prefix is masqueraded");
  const rows = prefixRows(found);
  const own = found === undefined ? [] : drift.filter(isOfPrefixes);
  return {
    text: [...prefixTable(found), ...own.map(driftSentence)],
    json: { prefixes: rows, drift: own.map(({ difference }) => difference) },
    exitCode: 0,
  };
}
