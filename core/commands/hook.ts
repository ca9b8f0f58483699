/**
 * `bridgewall hook`: what libvirt's hooks do. libvirt makes bridge, DHCP and DNS of a network in mode `open`,
 * and this the firewall, by `<bridgewall:forward>` in its metadata.
 */
import { chooseBackend } from "../choose_backend.ts";
import { metadataForward } from "../network/metadata_forward.ts";
import type { Network } from "../network/network.ts";
import { networkFromElement, readEnclosedNetwork } from "../network/parse_network.ts";
import { validateTogether } from "../network/validate_network.ts";
import { isMasquerade } from "../policy/masquerade.ts";
import { quoted } from "../quoted.ts";
import { type Record, RecordError } from "../record/record.ts";
import { type CommandOutput, type Context, type DefinitionText, UsageError } from "./context.ts";
import { down } from "./down.ts";
import { planNetworks } from "./plan.ts";
import { bringUp } from "./up.ts";

const NOTHING: CommandOutput = { text: [], json: { networks: [] }, exitCode: 0 };

/**
 * Does what the operation is for; most are for nothing. The words are those of libvirt's hooks:
 * `network NAME OPERATION …` and `daemon - OPERATION …`.
 *
 * @throws {UsageError} When they are not.
 * @throws {NetworkDefinitionError} When the network is ours and not valid.
 */
export async function hook(
  context: Context,
  operands: readonly string[],
): Promise<CommandOutput> {
  const [kind, name, operation] = operands;
  if (name === undefined || operation === undefined || (kind !== "network" && kind !== "daemon")) {
    const said = kind === undefined ? "nothing was said" : quoted(operands.join(" "));
    throw new UsageError(
      `Cannot tell what libvirt wants: ${said}`,
      "A hook calls it: `bridgewall hook network NAME OPERATION SUBOPERATION EXTRA`",
    );
  }
  if (kind === "daemon") {
    return operation === "start" || operation === "reload" ? await bringUpActive(context) : NOTHING;
  }
  switch (operation) {
    case "start":
      return await refuseEarly(context);
    case "started":
    case "updated":
      return await follow(context, name);
    case "stopped":
      return await takeDown(context, name);
    default:
      return NOTHING;
  }
}

/**
 * What cannot come up is refused before libvirt makes anything: of a network that is refused when it has
 * started, libvirt (seen with 9.0) leaves the bridge behind.
 */
async function refuseEarly(context: Context): Promise<CommandOutput> {
  const network = await givenNetwork(context);
  if (network !== undefined) {
    // Who does not find a backend may still plan; who starts a network may not.
    await chooseBackend(context.backends, context.options.backend, context.host);
    await planNetworks(context, [network], { explain: true });
  }
  return NOTHING;
}

/** What was its firewall goes as well when the network does not want one any more. */
async function follow(context: Context, name: string): Promise<CommandOutput> {
  const network = await givenNetwork(context);
  return network === undefined ? await takeDown(context, name) : await bringUp(context, [network]);
}

/** What libvirt gives to the hook of networks; undefined: it is none of ours. */
async function givenNetwork({ definitions }: Context): Promise<Network | undefined> {
  return askingNetwork(await definitions.read("-"), "hookData");
}

/** The network of the document, when it asks for a firewall of ours. */
function askingNetwork(
  { text, file }: DefinitionText,
  enclosing: Parameters<typeof readEnclosedNetwork>[2],
): Network | undefined {
  const element = readEnclosedNetwork(text, file, enclosing);
  return metadataForward(element) === undefined ? undefined : networkFromElement(element, file);
}

/** Only what a hook has brought up: somebody else may keep a network of that name by hand. */
async function takeDown(context: Context, name: string): Promise<CommandOutput> {
  // Nearly all networks are none of ours, and need not wait for another command.
  if (!await isRecorded(context, name)) return NOTHING;
  return await down(context, { names: [name], all: false }, isHooked);
}

/** Records that cannot be read keep no network of libvirt's from starting that is none of ours. */
async function isRecorded({ host, messages }: Context, name: string): Promise<boolean> {
  if (!host.privileged) return false;
  try {
    const records = await host.records.readAll();
    return records.some((record) => record.name === name && isHooked(record));
  } catch (error) {
    if (!(error instanceof RecordError)) throw error;
    messages.warn(error.message);
    return false;
  }
}

function isHooked(record: Record): boolean {
  return !isMasquerade(record) && metadataForward(record.network) !== undefined;
}

/** Those that were started before the hook was there, or whose rules went with something else. */
async function bringUpActive(context: Context): Promise<CommandOutput> {
  const found = (await context.definitions.readLibvirt("status")).flatMap((status) => {
    const network = askingNetwork(status, "networkstatus");
    return network === undefined ? [] : [{ network, file: status.file }];
  });
  validateTogether(found);
  return found.length === 0 ? NOTHING : await bringUp(context, found.map(({ network }) => network));
}
