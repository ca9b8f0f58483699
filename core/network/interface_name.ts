/** Names of network interfaces, as the Linux kernel takes them. */
import { isBridgeTemplate } from "./network.ts";
import { quoted } from "../quoted.ts";

/** IFNAMSIZ is 16, one of it for the final zero byte. */
const LONGEST = 15;

/** What the number in the place of `%d` may have: libvirt tries 0 to 256. */
const NUMBER_DIGITS = 3;

/**
 * The kernel's isspace(): 0x09 to 0x0d, space, and 0xa0, which it takes for the no-break space of
 * Latin-1 (lib/ctype.c). In UTF-8 that byte is a part of other characters, as of "à" (C3 A0), and
 * the kernel refuses their names all the same.
 */
const SPACE_BYTES: ReadonlySet<number> = new Set([0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x20, 0xa0]);

/**
 * Why the kernel would not take the name, `undefined` when it would.
 *
 * The rules are those of dev_valid_name() in net/core/dev.c, and of the sysctl tree, which has
 * `all` and `default` beside the interfaces. `%` is valid there, but asks for a generated name:
 * an interface that exists never has one. Any other byte is accepted.
 */
export function problemOfInterfaceName(name: string): string | undefined {
  if (name.includes("%")) return `Interface name ${quoted(name)} contains "%"`;
  return problemOfPlainName(name, LONGEST);
}

/**
 * Why the name cannot be that of a bridge, `undefined` when it can.
 *
 * One `%d` makes it a template, where a number of up to three digits must fit. libvirt 11.3 takes
 * `virbr%d` instead of a template with a second `%`; here the user gets what was written or nothing.
 */
export function problemOfBridgeName(name: string): string | undefined {
  if (!isBridgeTemplate(name)) return problemOfInterfaceName(name);
  if (name.split("%").length > 2) {
    return `Bridge name ${quoted(name)} contains more than one "%"`;
  }
  return problemOfPlainName(name.replace("%d", ""), LONGEST - NUMBER_DIGITS, name);
}

function problemOfPlainName(plain: string, longest: number, name = plain): string | undefined {
  const bytes = new TextEncoder().encode(plain);
  const isTemplate = name !== plain;
  if (name === "") return "Interface name is empty";
  if (bytes.length > longest) {
    return isTemplate
      ? `Bridge name ${quoted(name)} exceeds ${LONGEST} bytes with a number of three digits`
      : `Interface name ${quoted(name)} has ${bytes.length} bytes, but at most ${LONGEST} fit`;
  }
  if (/[/:\0]/.test(plain)) return `Interface name ${quoted(name)} contains "/", ":" or NUL`;
  if (bytes.some((byte) => SPACE_BYTES.has(byte))) {
    return `Interface name ${quoted(name)} contains white space, or the byte 0xA0 in UTF-8`;
  }
  if (!isTemplate && [".", "..", "all", "default"].includes(name)) {
    return `Interface name ${quoted(name)} is reserved`;
  }
  return undefined;
}
