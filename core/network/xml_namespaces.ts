/** Namespaces in XML 1.0 (3rd edition): which prefix means what, and what is not allowed. */
import { quoted } from "../quoted.ts";
import type { XmlName } from "./xml_tree.ts";

/** Prefixes in scope and what they are bound to. */
export type NamespaceScope = ReadonlyMap<string, string>;

const XML_URI = "http://www.w3.org/XML/1998/namespace";
const XMLNS_URI = "http://www.w3.org/2000/xmlns/";

/** What is in scope outside the root element. */
export const OUTER_SCOPE: NamespaceScope = new Map([["xml", XML_URI]]);

/** An element's names after its declarations were applied. */
export interface ResolvedNames {
  /** What its children see: the outer scope with its own declarations. */
  readonly scope: NamespaceScope;
  /** With the namespace that its prefix stands for. */
  readonly name: XmlName;
}

/**
 * Applies the declarations of a start tag, resolves its name and checks its attributes.
 *
 * @returns The names, or a sentence that says what is wrong.
 */
export function resolveNames(
  rawName: string,
  attributes: Readonly<Record<string, string>>,
  outer: NamespaceScope,
): ResolvedNames | string {
  const scope = declare(attributes, outer);
  if (typeof scope === "string") return scope;
  const name = resolve(rawName, scope);
  if (typeof name === "string") return name;
  if (name.prefix === "xmlns") return 'Element may not use the prefix "xmlns"';
  return problemOfAttributes(Object.keys(attributes), scope) ?? { scope, name };
}

function declare(
  attributes: Readonly<Record<string, string>>,
  outer: NamespaceScope,
): NamespaceScope | string {
  let scope: Map<string, string> | undefined;
  for (const [attribute, uri] of Object.entries(attributes)) {
    if (attribute === "xmlns" && (uri === XML_URI || uri === XMLNS_URI)) {
      return `Namespace ${quoted(uri)} may not be the default`;
    }
    if (!attribute.startsWith("xmlns:")) continue;
    const prefix = attribute.slice("xmlns:".length);
    if (prefix === "" || prefix.includes(":")) {
      return `${quoted(attribute)} is not a namespaced name`;
    }
    if (uri === "") return `Namespace prefix ${quoted(prefix)} is bound to nothing`;
    const reserved = prefix === "xmlns" || uri === XMLNS_URI ||
      (prefix === "xml") !== (uri === XML_URI);
    if (reserved) return `Namespace prefix ${quoted(prefix)} may not be bound to ${quoted(uri)}`;
    scope ??= new Map(outer);
    scope.set(prefix, uri);
  }
  return scope ?? outer;
}

function resolve(raw: string, scope: NamespaceScope): XmlName | string {
  const colon = raw.indexOf(":");
  if (colon === -1) return { raw, local: raw };
  const prefix = raw.slice(0, colon);
  const local = raw.slice(colon + 1);
  if (prefix === "" || local === "" || local.includes(":")) {
    return `${quoted(raw)} is not a namespaced name`;
  }
  if (prefix === "xmlns") return { raw, local, prefix, uri: XMLNS_URI };
  const uri = scope.get(prefix);
  if (uri === undefined) {
    return `Namespace prefix ${quoted(prefix)} of ${quoted(raw)} is not declared`;
  }
  return { raw, local, prefix, uri };
}

/** Two prefixes may mean one namespace: `a:x` and `b:x` are then the same attribute. */
function problemOfAttributes(names: readonly string[], scope: NamespaceScope): string | undefined {
  const seen = new Map<string, string>();
  for (const raw of names) {
    const name = resolve(raw, scope);
    if (typeof name === "string") return name;
    if (name.uri === undefined) continue;
    const key = JSON.stringify([name.uri, name.local]);
    const other = seen.get(key);
    if (other !== undefined) {
      return `Attributes ${quoted(other)} and ${quoted(raw)} are the same one`;
    }
    seen.set(key, raw);
  }
  return undefined;
}
