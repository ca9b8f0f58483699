/** `<name>`, `<uuid>` and `<title>`. */
import { onlyPart, partsNamed, refuse, textOf } from "./element_reader.ts";
import type { Part } from "./element_reader.ts";
import { quoted } from "../quoted.ts";

/**
 * The name, exactly as it is written: libvirt trims nothing either.
 *
 * @throws {NetworkDefinitionError} When there is none, or it contains `/` or a line break.
 */
export function parseName(network: Part): string {
  const part = onlyPart(network, "name");
  const name = part === undefined ? "" : textOf(part);
  if (part === undefined || name === "") {
    return refuse(part ?? network, "Network has no name", "Add <name>lan</name>");
  }
  if (name.includes("/")) refuse(part, `Network name ${quoted(name)} contains "/"`);
  // libvirt 11.3 refuses "\n" only; "\r" would let one line of output look like another.
  if (/[\r\n\0]/.test(name)) refuse(part, `Network name ${quoted(name)} contains a line break`);
  return name;
}

/** No two parts can match the same character, or long white space would take quadratic time. */
const UUID = /^[- \t\r\n]*[0-9a-f]{2}(?:[- ]*[0-9a-f]{2}){15}[ \t\r\n]*$/i;

/**
 * The UUID in its usual form, `undefined` when the definition has none.
 *
 * @throws {NetworkDefinitionError} When it is not 32 hex digits. Like libvirt, it takes "-" and
 * spaces between pairs and white space around.
 */
export function parseUuid(network: Part): string | undefined {
  const part = onlyPart(network, "uuid");
  const text = part === undefined ? "" : textOf(part);
  if (part === undefined || text === "") return undefined;
  if (!UUID.test(text)) {
    refuse(part, `UUID ${quoted(text)} is malformed, wanted 32 hex digits`, "Remove <uuid>");
  }
  const digits = text.toLowerCase().replace(/[^0-9a-f]/g, "");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/**
 * Checks that `<title>`, if it is there, is one line.
 *
 * @throws {NetworkDefinitionError} When `<title>` has more than one line.
 */
export function refuseLongTitle(network: Part): void {
  const [title] = partsNamed(network, "title");
  if (title === undefined || !textOf(title).includes("\n")) return;
  refuse(title, "<title> contains a line break", "Write the long text as <description>");
}
