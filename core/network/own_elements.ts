/** The elements in `<metadata>` that are of this program's namespace. libvirt keeps them as they are. */
import { isElement, type XmlElement } from "@std/xml";
import { quoted } from "../quoted.ts";
import { onlyPart, type Part, refuse } from "./element_reader.ts";

/** The namespace of what this program keeps in a definition. */
export const NAMESPACE = "urn:bridgewall:network:1";

/**
 * What a network says to this program.
 *
 * It stands in `<metadata>`, or there in one `<bridgewall:network>`: libvirt's commands for metadata
 * know one element for each namespace.
 *
 * @throws {NetworkDefinitionError} When an element is of another version, or has lost its prefix.
 */
export function ownParts(network: Part): readonly Part[] {
  const metadata = onlyPart(network, "metadata");
  if (metadata === undefined) return [];
  return ownChildren(metadata).flatMap((part) =>
    part.element.name.local === "network" ? onlyOwnChildren(part) : [part]
  );
}

/**
 * The elements in one of ours, where nobody else has anything to say.
 *
 * @throws {NetworkDefinitionError} When an element has lost its prefix.
 */
export function onlyOwnChildren(part: Part): readonly Part[] {
  refuseNameless(part);
  return ownChildren(part);
}

/** Elements of ours; a version that this program does not know would mean something else. */
function ownChildren({ element, file }: Part): readonly Part[] {
  return element.children.filter(isElement).flatMap((child) => {
    const uri = namespaceOf(child, element);
    if (uri === undefined || !/^urn:bridgewall:/.test(uri)) return [];
    const part = { element: child, file };
    if (uri !== NAMESPACE) {
      refuse(part, `Namespace ${quoted(uri)} is unknown`, `Write xmlns:bridgewall="${NAMESPACE}"`);
    }
    return [part];
  });
}

/** An element of no namespace has lost its prefix. */
function refuseNameless({ element, file }: Part): void {
  const nameless = element.children.filter(isElement).find((child) =>
    (namespaceOf(child, element) ?? "") === ""
  );
  if (nameless === undefined) return;
  const { prefix = "bridgewall" } = element.name;
  refuse(
    { element: nameless, file },
    `Element ${quoted(nameless.name.raw)} in <${element.name.raw}> is in no namespace`,
    `Write <${prefix}:${nameless.name.local} …/>`,
  );
}

/** Whether the element is of our namespace. */
export function isOwn(child: XmlElement, parent: XmlElement): boolean {
  return namespaceOf(child, parent) === NAMESPACE;
}

/** A prefix is resolved by the reader; a default namespace is declared on the element or around it. */
function namespaceOf(child: XmlElement, parent: XmlElement): string | undefined {
  if (child.name.prefix !== undefined) return child.name.uri;
  return child.attributes["xmlns"] ?? parent.attributes["xmlns"];
}

/** An element of the namespace, with the prefix that is usual for it. */
export function ownElement(
  local: string,
  attributes: XmlElement["attributes"],
  children: XmlElement["children"],
): XmlElement {
  const name = { raw: `bridgewall:${local}`, local, prefix: "bridgewall", uri: NAMESPACE };
  return { type: "element", name, attributes, children };
}
