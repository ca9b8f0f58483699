/**
 * Record ↔ status XML.
 *
 * The shape is the one of libvirt's status files: `<networkstatus>` with the live `<network>` and
 * `<firewall name='fwRemoval'>`, whose groups hold the commands that take the rules back. Ours names
 * the program of each action, keeps what a command reads in `<stdin>`, and says how far the
 * change has come.
 */
import {
  DEFAULT_LIMITS,
  isElement,
  parse,
  stringify,
  type XmlElement,
  type XmlNode,
  XmlSyntaxError,
} from "@std/xml";
import type { RemovalGroup } from "../change/change.ts";
import type { Command, Program } from "../command.ts";
import { quoted, quotedPath } from "../quoted.ts";
import {
  type Installation,
  type Leftover,
  type Record,
  RecordError,
  type RecordState,
} from "./record.ts";

/**
 * Counts up when an older program would take what a newer one writes for something else.
 *
 * 1: `<network>`, `<firewall name='fwRemoval'>`, `<previous>`.
 * 2: also `<firewall name='fwLeft'>`, which a program that knows only 1 would lose.
 */
const FORMAT = 2;

/** Read as what they are: nothing in them has changed its meaning. */
const FORMATS: readonly string[] = ["1", String(FORMAT)];

/** What takes a bridge out of its zone of firewalld, and zones and policies of ours away. */
const ZONE_PROGRAMS: readonly Program[] = ["busctl", "firewall-cmd", "rm"];

/** Programs that a removal of each backend may run. Nothing else is ever replayed. */
const REMOVAL_PROGRAMS: ReadonlyMap<string, readonly Program[]> = new Map([
  ["firewalld", [...ZONE_PROGRAMS, "tc", "sysctl"]],
  ["nftables", ["nft", "tc", "sysctl", ...ZONE_PROGRAMS]],
  ["iptables", [
    ...ZONE_PROGRAMS,
    "sysctl",
    "iptables-nft-restore",
    "iptables-legacy-restore",
    "ip6tables-nft-restore",
    "ip6tables-legacy-restore",
  ]],
  ["pf", ["pfctl"]],
]);

const STATES: readonly RecordState[] = ["active", "applying", "removing"];

/** A quote in an attribute, `&quot;` in a record, is what grows most. */
const ESCAPED = "&quot;".length;

/**
 * Whatever is a definition fits: a record holds two at most, and beside each the commands, which
 * are given as much room. A bridge has its name on top of the attributes that were written, and a
 * definition stands two levels deep.
 */
const LIMITS = {
  maxLength: 2 * 2 * ESCAPED * DEFAULT_LIMITS.maxLength,
  maxDepth: DEFAULT_LIMITS.maxDepth + 2,
  maxAttributes: DEFAULT_LIMITS.maxAttributes + 1,
} as const;

/**
 * The text of the status file. Definitions are not indented: they are nested as deep as the user
 * likes, and would grow by as much for each element.
 *
 * @throws {RecordError} When it would be too long to be read again.
 */
export function formatRecord(record: Record): string {
  const { name, state, previous } = record;
  const root = element("networkstatus", { format: String(FORMAT), name, state }, [
    ...installationNodes(record),
    ...(previous === undefined ? [] : [element("previous", {}, installationNodes(previous))]),
  ]);
  const verbatim = (one: XmlElement): boolean =>
    one === record.network || one === previous?.network;
  const text = `${stringify(root, { indent: "  ", verbatim })}\n`;
  if (text.length <= LIMITS.maxLength) return text;
  throw new RecordError(
    `Cannot record network ${quoted(name)}: its record would have ${text.length} characters, ` +
      `at most ${LIMITS.maxLength} are read`,
    "Make the definition smaller",
  );
}

function installationNodes(
  { network, backend, removal, left = [] }: Installation,
): readonly XmlNode[] {
  return [
    network,
    ...(backend === undefined ? [] : [firewallElement("fwRemoval", { backend, removal })]),
    ...left.map((one) => firewallElement("fwLeft", one)),
  ];
}

function firewallElement(name: string, { backend, removal }: Leftover): XmlElement {
  return element("firewall", { name, backend }, removal.map(groupElement));
}

function groupElement({ commands, ignoreErrors }: RemovalGroup): XmlElement {
  return element(
    "group",
    ignoreErrors ? { ignoreErrors: "yes" } : {},
    commands.map(({ program, args, stdin }) =>
      element("action", { program }, [
        element("args", {}, args.map((argument) => element("item", {}, text(argument)))),
        ...(stdin === undefined ? [] : [element("stdin", {}, text(stdin))]),
      ])
    ),
  );
}

/**
 * Reads a status file.
 *
 * @param file Its path, for messages.
 * @throws {RecordError} When it is damaged, newer than this program, or asks for a program that no
 * removal of its backend runs.
 */
export function parseRecord(xml: string, file: string): Record {
  const refuse = (problem: string, hint = MENDING): never => {
    throw new RecordError(`Cannot read the record ${quotedPath(file)}: ${problem}`, hint);
  };
  const root = parseXml(xml, refuse);
  if (root.name.raw !== "networkstatus") {
    refuse(`it is a <${root.name.raw}>, not a <networkstatus>`);
  }
  checkFormat(root.attributes["format"] ?? "", refuse);
  const state = STATES.find((known) => known === root.attributes["state"]) ??
    refuse(`the state ${quoted(root.attributes["state"] ?? "")} is unknown`);
  const installation = readInstallation(root, refuse);
  const name = root.attributes["name"] ?? refuse("it names no network");
  const previous = child(root, "previous");
  return {
    name,
    state,
    ...installation,
    ...(previous === undefined ? {} : { previous: readInstallation(previous, refuse) }),
  };
}

/** What helps against a damaged record: rules of ours that nobody remembers do not stand in the way. */
const MENDING = "Remove it, and bring the network up again: what is left of its rules is made anew";

type Refuse = (problem: string, hint?: string) => never;

function checkFormat(format: string, refuse: Refuse): void {
  if (FORMATS.includes(format)) return;
  if (/^[1-9]\d*$/.test(format)) {
    refuse(
      `its format is ${format}, this program knows formats up to ${FORMAT}`,
      "Use the newer bridgewall that wrote it",
    );
  }
  refuse("it has no known format");
}

function parseXml(xml: string, refuse: Refuse): XmlElement {
  try {
    return parse(xml, LIMITS).root;
  } catch (error) {
    if (error instanceof XmlSyntaxError) return refuse(error.message);
    throw error;
  }
}

function readInstallation(parent: XmlElement, refuse: Refuse): Installation {
  const network = child(parent, "network") ?? child(parent, "masquerade") ??
    refuse("it holds no <network>");
  const firewalls = children(parent, "firewall");
  const names = firewalls.map(({ attributes }) => attributes["name"] ?? "");
  const unknown = names.find((name) => name !== "fwRemoval" && name !== "fwLeft");
  if (unknown !== undefined) refuse(`the <firewall> ${quoted(unknown)} is unknown`);
  const own = firewalls.find(({ attributes }) => attributes["name"] === "fwRemoval");
  const left = firewalls.filter(({ attributes }) => attributes["name"] === "fwLeft")
    .map((firewall) => readFirewall(firewall, refuse));
  return {
    network,
    ...(own === undefined ? { removal: [] } : readFirewall(own, refuse)),
    ...(left.length === 0 ? {} : { left }),
  };
}

function readFirewall(firewall: XmlElement, refuse: Refuse): Leftover {
  const backend = firewall.attributes["backend"] ?? refuse("its <firewall> names no backend");
  const programs = REMOVAL_PROGRAMS.get(backend) ??
    refuse(`the backend ${quoted(backend)} is unknown`, "Use the bridgewall that wrote it");
  const removal = children(firewall, "group").map((group): RemovalGroup => ({
    commands: children(group, "action").map((action) => readAction(action, programs, refuse)),
    ignoreErrors: group.attributes["ignoreErrors"] === "yes",
  }));
  return { backend, removal };
}

function readAction(
  action: XmlElement,
  programs: readonly Program[],
  refuse: Refuse,
): Command {
  const asked = action.attributes["program"];
  const program = programs.find((known) => known === asked) ??
    refuse(`it asks for the program ${quoted(asked ?? "")}, which no removal runs`);
  const items = child(action, "args") ?? refuse("an <action> has no <args>");
  const args = children(items, "item").map(textOf);
  if (
    program === "sysctl" &&
    !/^-q -w net\/ipv4\/conf\/[^/ ]+\/route_localnet=0$/.test(args.join(" "))
  ) {
    refuse("it asks for a setting of the host that no removal changes");
  }
  const stdin = child(action, "stdin");
  return {
    program,
    args,
    ...(stdin === undefined ? {} : { stdin: textOf(stdin) }),
  };
}

function element(
  name: string,
  attributes: Readonly<globalThis.Record<string, string>>,
  nodes: readonly XmlNode[],
): XmlElement {
  return { type: "element", name: { raw: name, local: name }, attributes, children: nodes };
}

function text(value: string): readonly XmlNode[] {
  return value === "" ? [] : [{ type: "text", text: value }];
}

function children(parent: XmlElement, name: string): readonly XmlElement[] {
  return parent.children.filter(isElement).filter((node) => node.name.raw === name);
}

function child(parent: XmlElement, name: string): XmlElement | undefined {
  return children(parent, name)[0];
}

function textOf(node: XmlElement): string {
  return node.children.map((part) => part.type === "text" || part.type === "cdata" ? part.text : "")
    .join("");
}
