/**
 * `<bridgewall:forward>` in `<metadata>`: the forward mode that this program makes true where libvirt is
 * told to make no rules (`<forward mode='open'/>`), in libvirt's own words.
 */
import { isElement, type XmlElement } from "@std/xml";
import { quoted } from "../quoted.ts";
import { attributeOf, oneOf, type Part, refuse, requiredAttribute } from "./element_reader.ts";
import { onlyOwnChildren, ownElement, ownParts } from "./own_elements.ts";
import { type ParsedForward, parseForward } from "./parse_forward.ts";

/** The local name of the element. */
export const FORWARD = "forward";

/** What each of the elements takes: what libvirt's own of that name takes, as far as it means rules. */
const GRAMMAR: Readonly<Record<string, Taken>> = {
  forward: { attributes: ["mode", "dev"], children: ["nat", "interface"] },
  nat: { attributes: ["ipv6"], children: ["address", "port"] },
  interface: { attributes: ["dev"], children: [] },
  address: { attributes: ["start", "end"], children: [] },
  port: { attributes: ["start", "end"], children: [] },
};

interface Taken {
  readonly attributes: readonly string[];
  readonly children: readonly string[];
}

/**
 * How guests reach others: what `<bridgewall:forward>` says, else what libvirt's `<forward>` does.
 *
 * @param own What the network says to us: `ownParts`.
 * @param libvirts Must be of mode `open` where there is the other, or both would make rules.
 * @throws {NetworkDefinitionError} When it is not valid.
 */
export function parseMetadataForward(
  own: readonly Part[],
  libvirts: ParsedForward,
): ParsedForward {
  const part = forwardAmong(own);
  if (part === undefined) return libvirts;
  const tag = `<${part.element.name.raw}>`;
  const { mode } = libvirts.forward;
  if (mode !== "open") {
    refuse(
      part,
      `${tag} stands beside libvirt's forward mode ${quoted(mode)}, wanted "open"`,
      "Write <forward mode='open'/>, so that libvirt makes no rules itself",
    );
  }
  requiredAttribute(part, "mode", "nat");
  oneOf(part, "mode", ["nat", "route", "none"]);
  return parseForward({ ...part, element: plain(part) });
}

function forwardAmong(own: readonly Part[]): Part | undefined {
  const [part, second] = own.filter(({ element }) => element.name.local === FORWARD);
  if (second !== undefined) refuse(second, `Second <${second.element.name.raw}>, wanted one`);
  return part;
}

/** As libvirt's own element, to be read like one; its name is still printed as it was written. */
function plain(part: Part): XmlElement {
  const { element } = part;
  const { raw, local } = element.name;
  const { attributes, children } = GRAMMAR[local] ?? { attributes: [], children: [] };
  const unknown = Object.keys(element.attributes).find((name) =>
    !attributes.includes(name) && !/^xmlns(:|$)/.test(name)
  );
  if (unknown !== undefined) {
    refuse(
      part,
      `<${raw}> has ${quoted(unknown)}, which is unknown`,
      attributes.length === 0 ? undefined : `It takes ${attributes.join(", ")}`,
    );
  }
  const own = onlyOwnChildren(part);
  const stranger = own.find((child) => !children.includes(child.element.name.local));
  if (stranger !== undefined) {
    refuse(
      stranger,
      `Element ${quoted(stranger.element.name.raw)} has no place in <${raw}>`,
      children.length === 0 ? undefined : `It holds ${children.join(" and ")}`,
    );
  }
  const said = attributes.flatMap((name) => {
    const value = attributeOf(part, name);
    return value === undefined ? [] : [[name, value]];
  });
  return {
    ...element,
    name: { raw, local },
    attributes: Object.fromEntries(said),
    children: own.map(plain),
  };
}

/** The element of a definition, with the usual prefix; undefined: there is none. */
export function metadataForward(source: XmlElement): XmlElement | undefined {
  const part = forwardAmong(ownParts({ element: source, file: "" }));
  return part === undefined ? undefined : toOwn(part.element);
}

/** The element and those in it, as of our namespace, with what our grammar knows of them. */
export function toOwn({ name: { local }, attributes, children }: XmlElement): XmlElement {
  const known = GRAMMAR[local] ?? { attributes: [], children: [] };
  const said = Object.entries(attributes).filter(([name]) => known.attributes.includes(name));
  const kept = children.filter(isElement).filter((child) =>
    known.children.includes(child.name.local)
  );
  return ownElement(local, Object.fromEntries(said), kept.map(toOwn));
}
