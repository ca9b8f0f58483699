/** `<forward>` → how guests reach others, and the devices it names. */
import { attributeOf, oneOf, partsNamed, refuse, tagOf } from "./element_reader.ts";
import type { Part } from "./element_reader.ts";
import { problemOfInterfaceName } from "./interface_name.ts";
import type { Forward, ForwardMode } from "./network.ts";
import { parseNat } from "./parse_nat.ts";
import { quoted } from "../quoted.ts";

const MODES = [
  "nat",
  "route",
  "open",
  "bridge",
  "private",
  "vepa",
  "passthrough",
  "hostdev",
  "none",
] as const;

/** `<forward>` with what only checks look at. */
export interface ParsedForward {
  /** What the network keeps of it; libvirt's mode `none` has become `isolated`. */
  readonly forward: Forward;
  /** True when it names an interface or a device that guests get a part of. */
  readonly hasPool: boolean;
}

/**
 * Reads `<forward>`, by the rules of libvirt 11.3.
 *
 * @param part Absent for an isolated network.
 * @throws {NetworkDefinitionError} When it is not valid.
 */
export function parseForward(part: Part | undefined): ParsedForward {
  if (part === undefined) return { forward: { mode: "isolated" }, hasPool: false };
  if (attributeOf(part, "mode") === "isolated") {
    refuse(part, 'Forward mode "isolated" is said by no <forward> at all', "Remove <forward>");
  }
  const said = oneOf(part, "mode", MODES) ?? "nat";
  const mode = said === "none" ? "isolated" : said;
  const pool = parsePool(part);
  checkPool(part, mode, pool);
  const [nat] = partsNamed(part, "nat");
  if (nat !== undefined && mode !== "nat") {
    refuse(
      nat,
      `<nat> has no meaning in forward mode ${quoted(mode)}`,
      "Write <forward mode='nat'>",
    );
  }
  const [device] = pool.devices;
  return {
    forward: forwardOf(part, mode, device),
    hasPool: pool.devices.length + pool.functions.length + pool.addresses.length > 0,
  };
}

function forwardOf(part: Part, mode: ForwardMode, device: string | undefined): Forward {
  const via = device === undefined ? {} : { device };
  switch (mode) {
    case "nat":
      return { mode, ...via, ...parseNat(part) };
    case "route":
      return { mode, ...via };
    case "isolated":
    case "open":
      return { mode };
    case "bridge":
    case "private":
    case "vepa":
    case "passthrough":
    case "hostdev":
      return { mode };
  }
}

/** What a `<forward>` names. */
interface Pool {
  /** `dev` and the `<interface>`s, each once. */
  readonly devices: readonly string[];
  /** `<pf>`. */
  readonly functions: readonly Part[];
  /** `<address>`. */
  readonly addresses: readonly Part[];
}

function parsePool(part: Part): Pool {
  const functions = partsNamed(part, "pf");
  const addresses = partsNamed(part, "address");
  const interfaces = partsNamed(part, "interface");
  const [, secondFunction] = functions;
  if (secondFunction !== undefined) refuse(secondFunction, "Second <pf>, at most one may be given");
  for (const physical of functions) requiredDevice(physical);
  const device = attributeOf(part, "dev") === undefined ? undefined : requiredDevice(part);
  const [other] = [...addresses, ...functions];
  if (other !== undefined && device !== undefined) {
    refuse(other, `${tagOf(other)} has no place in a <forward> with dev ${quoted(device)}`);
  }
  const kinds = [interfaces, addresses, functions].filter((kind) => kind.length > 0);
  const mixed = kinds[1]?.[0];
  if (mixed !== undefined) {
    refuse(mixed, "<forward> mixes <interface>, <address> and <pf>, wanted one kind");
  }
  checkPciAddresses(addresses);
  return { devices: parseInterfaces(interfaces, device), functions, addresses };
}

function parseInterfaces(interfaces: readonly Part[], device: string | undefined): string[] {
  const names = new Set<string>();
  for (const part of interfaces) {
    const name = requiredDevice(part);
    if (names.size === 0 && device !== undefined && device !== name) {
      const problem = `<forward> has dev ${quoted(device)}, but ${
        quoted(name)
      } is its first <interface>`;
      refuse(part, problem, `Write dev=${quoted(name)}`);
    }
    if (names.has(name)) refuse(part, `Interface ${quoted(name)} is listed twice`);
    names.add(name);
  }
  return names.size === 0 && device !== undefined ? [device] : [...names];
}

/** An empty `dev` is refused although libvirt takes it for none: none means any device at all. */
function requiredDevice(part: Part): string {
  const name = attributeOf(part, "dev") ??
    refuse(part, `${tagOf(part)} has no dev`, "Add dev='eth0'");
  const problem = problemOfInterfaceName(name);
  return problem === undefined ? name : refuse(part, problem);
}

function checkPciAddresses(addresses: readonly Part[]): void {
  const seen = new Set<string>();
  for (const part of addresses) {
    const type = attributeOf(part, "type");
    if (type !== "pci") {
      const said = type === undefined ? "no type" : `type ${quoted(type)}`;
      refuse(part, `<address> has ${said}, wanted "pci"`, "Write type='pci'");
    }
    const key = ["domain", "bus", "slot", "function"]
      .map((name) => attributeOf(part, name) ?? "0")
      .map((value) => /^(0x[0-9a-f]+|[0-9]+)$/i.test(value) ? String(Number(value)) : value)
      .join(" ");
    if (seen.has(key)) refuse(part, "PCI address is listed twice");
    seen.add(key);
  }
}

function checkPool(part: Part, mode: ForwardMode, pool: Pool): void {
  const { devices: [device, second], functions: [physical], addresses: [address] } = pool;
  if (mode === "hostdev" && device !== undefined) {
    refuse(
      part,
      `Forward mode "hostdev" names the interface ${quoted(device)}, wanted <address> or <pf>`,
    );
  }
  if (mode !== "hostdev" && address !== undefined) {
    refuse(address, `<address> has no meaning in forward mode ${quoted(mode)}, wanted <interface>`);
  }
  if (mode === "open" && device !== undefined) {
    refuse(part, `Forward mode "open" names the interface ${quoted(device)}, wanted none`);
  }
  if (mode !== "nat" && mode !== "route") return;
  if (second !== undefined) {
    refuse(part, `Forward mode "${mode}" names several interfaces, wanted at most one`);
  }
  // libvirt passes over it, and the guests may leave by any device.
  if (physical !== undefined) {
    refuse(
      physical,
      `<pf> has no meaning in forward mode "${mode}"`,
      "Write <interface dev='eth0'/>",
    );
  }
}
