/**
 * Zones and policies as firewalld 1.3.3 reads them from our files and prints them again, written anew from
 * what it prints: nothing here is taken from `backends/firewalld`.
 */
import { isElement, isText, parse, type XmlElement } from "@std/xml";

/** The files of /etc/firewalld, by their path. */
export type ConfigurationFiles = ReadonlyMap<string, string>;

/** A zone or a policy by what firewalld says of it; zones without their interfaces. */
export interface LoadedObject {
  readonly kind: "zone" | "policy";
  readonly name: string;
  /** Interfaces that the file of a zone names. */
  readonly interfaces: readonly string[];
  /** Zones that a policy names. */
  readonly zones: readonly string[];
  /** Those where packets go that it is about, if it sends some of them to another address. */
  readonly forwardsTo: readonly string[];
  /** As `a{sv}`; lists that are empty are left out. */
  readonly settings: Settings;
}

/** A dictionary of D-Bus as busctl prints it. */
export type Settings = Readonly<Record<string, { readonly type: string; readonly data: unknown }>>;

/** What a policy may name that is no zone. */
const SYMBOLIC: readonly string[] = ["ANY", "HOST"];

const OBJECTS = new WeakMap<ConfigurationFiles, readonly LoadedObject[]>();

/** The objects that these files make, each file read once. */
export function objectsIn(files: ConfigurationFiles): readonly LoadedObject[] {
  const known = OBJECTS.get(files) ?? [...files].map(([path, text]) => objectOf(path, text));
  OBJECTS.set(files, known);
  return known;
}

const READ = new Map<string, LoadedObject>();

function objectOf(path: string, text: string): LoadedObject {
  const key = `${path}\n${text}`;
  const object = READ.get(key) ?? readObject(path, parse(text).root);
  READ.set(key, object);
  return object;
}

function readObject(path: string, root: XmlElement): LoadedObject {
  const [, directory, name = ""] = /^\/etc\/firewalld\/(zones|policies)\/(.*)\.xml$/.exec(path) ??
    [];
  const kind = directory === "zones" ? "zone" : "policy";
  if (root.name.raw !== kind) throw new Error(`${path} holds a ${root.name.raw}`);
  const all = (tag: string, attribute: string): readonly string[] =>
    childrenOf(root, tag).map(({ attributes }) => attributes[attribute] ?? "");
  const list = (key: string, data: readonly string[]): Settings =>
    data.length === 0 ? {} : { [key]: { type: "as", data } };
  const text = (tag: string): string => childrenOf(root, tag).map(textOf).join("");
  const from = all("ingress-zone", "name");
  const to = all("egress-zone", "name");
  const settings: Settings = {
    short: { type: "s", data: text("short") },
    description: { type: "s", data: text("description") },
    target: { type: "s", data: root.attributes["target"] ?? "default" },
    ...list("services", all("service", "name")),
    masquerade: { type: "b", data: false },
    ...list("rich_rules", childrenOf(root, "rule").map(printRule)),
    ...list("protocols", all("protocol", "value")),
    ...(kind === "zone"
      ? { icmp_block_inversion: { type: "b", data: false }, forward: { type: "b", data: false } }
      : { priority: { type: "i", data: Number(root.attributes["priority"]) } }),
    ...list("ingress_zones", from),
    ...list("egress_zones", to),
  };
  const forwards = childrenOf(root, "rule").some((rule) =>
    childrenOf(rule, "forward-port").some(({ attributes }) => attributes["to-addr"] !== undefined)
  );
  return {
    kind,
    name,
    interfaces: all("interface", "name"),
    zones: [...from, ...to],
    forwardsTo: forwards ? to : [],
    settings,
  };
}

function childrenOf({ children }: XmlElement, tag: string): readonly XmlElement[] {
  return children.filter(isElement).filter(({ name }) => name.raw === tag);
}

function textOf({ children }: XmlElement): string {
  return children.filter(isText).map(({ text }) => text).join("");
}

/** Rich_Rule.__str__ of firewall/core/rich.py, for what our files have. */
function printRule({ attributes, children }: XmlElement): string {
  const { family, priority = "0" } = attributes;
  const parts = children.filter(isElement).map(({ name: { raw }, attributes: own }) => {
    switch (raw) {
      case "source":
      case "destination":
        return `${raw}${own["invert"] === "yes" ? " NOT" : ""} address="${own["address"]}"`;
      case "service":
        return `service name="${own["name"]}"`;
      case "reject":
        return `reject type="${own["type"]}"`;
      case "accept":
      case "masquerade":
        return raw;
      case "forward-port":
        return [
          raw,
          ...["port", "protocol", "to-port", "to-addr"].flatMap((key) =>
            own[key] === undefined ? [] : [`${key}="${own[key]}"`]
          ),
        ].join(" ");
      default:
        throw new Error(`No model for <${raw}> in a rule`);
    }
  });
  return [
    "rule",
    ...(priority === "0" ? [] : [`priority="${priority}"`]),
    `family="${family}"`,
    ...parts,
  ].join(" ");
}

/**
 * What firewalld says when it refuses the files (check_config() of firewall/core/fw.py), at a reload and
 * at its start, where it then uses the configuration that came with it instead.
 *
 * @param stock Zones that came with firewalld.
 * @param permanent Interfaces that the files of those zones name, by their zone.
 */
export function refusalOf(
  files: ConfigurationFiles,
  stock: readonly string[],
  permanent: ReadonlyMap<string, string>,
): string | undefined {
  const objects = objectsIn(files);
  const zones = [
    ...stock,
    ...objects.filter(({ kind }) => kind === "zone").map(({ name }) => name),
  ];
  const bound = new Map(permanent);
  for (const { kind, name, interfaces } of objects) {
    for (const one of interfaces) {
      const other = bound.get(one);
      if (other !== undefined) {
        return `INVALID_INTERFACE: Zone '${name}': interface '${one}' already bound to zone '${other}'`;
      }
      if (kind === "zone") bound.set(one, name);
    }
  }
  for (const { name, zones: named, forwardsTo } of objects) {
    const wrong = forwardsTo.find((zone) => zone !== "ANY");
    if (wrong !== undefined) {
      return `INVALID_FORWARD: Policy '${name}': 'forward-port' cannot be used for '${wrong}'`;
    }
    const missing = named.find((zone) => !SYMBOLIC.includes(zone) && !zones.includes(zone));
    if (missing !== undefined) {
      return `INVALID_ZONE: Policy '${name}': '${missing}' not among existing zones`;
    }
  }
  return undefined;
}
