/** `bridgewall import libvirt`: whose firewall libvirt's networks have, and how ours becomes theirs. */
import { isComment, isElement, isText, stringify, type XmlElement, type XmlNode } from "@std/xml";
import { HostError } from "../host.ts";
import { inOpenMode } from "../network/open_mode.ts";
import { metadataForward } from "../network/metadata_forward.ts";
import { makesBridge, type Network } from "../network/network.ts";
import { parseNetwork } from "../network/parse_network.ts";
import { printable, quoted } from "../quoted.ts";
import { shellWord } from "../shell_word.ts";
import { type CommandOutput, type Context, UsageError } from "./context.ts";
import { table } from "./table.ts";

/** Who makes the rules: nobody in mode `open` by itself, and where no host firewall applies. */
type Owner = "libvirt" | "bridgewall" | "nobody";

/**
 * Lists what libvirt defines, or prints one definition in mode `open`. Changes nothing.
 *
 * @throws {UsageError} When it is not said what to import from where.
 * @throws {HostError} When libvirt has no network of that name, or it needs no change.
 */
export async function importLibvirt(
  context: Context,
  operands: readonly string[],
): Promise<CommandOutput> {
  const [from, name, more] = operands;
  if (from !== "libvirt" || more !== undefined) {
    const problem = from === undefined
      ? "Cannot guess what to import from"
      : from === "libvirt"
      ? `Cannot print ${quoted(more ?? "")} as well: one network at a time`
      : `Cannot import from ${quoted(from)}`;
    throw new UsageError(problem, "Write `bridgewall import libvirt [NETWORK]`");
  }
  const texts = await context.definitions.readLibvirt("definitions");
  const networks = texts.map(({ text, file }) => parseNetwork(text, file));
  return name === undefined ? list(context, networks) : print(context, networks, name);
}

function ownerOf({ forward: { mode }, source }: Network): Owner {
  if (metadataForward(source) !== undefined) return "bridgewall";
  return makesBridge(mode) && mode !== "open" ? "libvirt" : "nobody";
}

function list({ messages }: Context, networks: readonly Network[]): CommandOutput {
  if (networks.length === 0) messages.note("libvirt defines no network");
  const rows = networks.map((network) => ({
    name: network.name,
    mode: network.forward.mode,
    bridge: network.bridge.name ?? null,
    firewall: ownerOf(network),
  }));
  const movable = rows.filter(({ firewall }) => firewall === "libvirt");
  return {
    text: [
      ...table(
        networks.length === 0 ? [] : [
          ["NETWORK", "MODE", "BRIDGE", "FIREWALL"],
          ...rows.map((row) => [
            printable(row.name),
            row.mode,
            row.bridge ?? "-",
            row.firewall,
          ]),
        ],
      ),
      ...movable.flatMap(({ name }) => ["", ...stepsOf(name)]),
    ],
    json: { networks: rows },
    exitCode: 0,
  };
}

function stepsOf(name: string): readonly string[] {
  // What a terminal would act on is not printed; such a name has to be typed by other means.
  const word = printable(shellWord(name));
  const file = shellWord(`${name.replaceAll(/[^\w.-]/g, "_")}.xml`);
  return [
    `To give ${quoted(name)} to bridgewall, at a time when its guests can do without it:`,
    `  bridgewall import libvirt ${word} > ${file}`,
    `  virsh net-define ${file}`,
    `  virsh net-destroy ${word} && virsh net-start ${word}`,
  ];
}

function print(
  { messages }: Context,
  networks: readonly Network[],
  name: string,
): CommandOutput {
  const network = networks.find((one) => one.name === name);
  if (network === undefined) {
    throw new HostError(
      `Cannot find network ${quoted(name)} in libvirt's definitions`,
      networks.length === 0
        ? undefined
        : `Known are ${networks.map((one) => quoted(one.name)).join(", ")}`,
    );
  }
  const { mode } = network.forward;
  switch (ownerOf(network)) {
    case "bridgewall":
      messages.note(`The firewall of network ${quoted(name)} is bridgewall's already`);
      return definition(name, network.source);
    case "libvirt":
      return definition(name, inOpenMode(network.source));
    case "nobody":
      throw new HostError(
        `Cannot import network ${quoted(name)}: in mode ${mode} nobody makes rules for it`,
        mode === "open"
          ? "Say what they are to be: <bridgewall:forward mode='nat'/> in its <metadata>"
          : undefined,
      );
  }
}

function definition(name: string, source: XmlElement): CommandOutput {
  const xml = stringify(withoutLayout(source), { indent: "  " });
  return { text: [xml], json: { name, xml }, exitCode: 0 };
}

/** White space between elements is laid out anew, so that what was added stands like the rest. */
function withoutLayout(element: XmlElement): XmlElement {
  const { children } = element;
  const kept = children.every((node) => isElement(node) || isComment(node) || isBlank(node))
    ? children.filter((node) => !isBlank(node))
    : children;
  return { ...element, children: kept.map((node) => isElement(node) ? withoutLayout(node) : node) };
}

function isBlank(node: XmlNode): boolean {
  return isText(node) && node.text.trim() === "";
}
