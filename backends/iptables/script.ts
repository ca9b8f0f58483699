/**
 * The words of iptables: values in, lines of iptables-restore(8) out. No policy here.
 *
 * Everything that reaches a script goes through {@linkcode formatLine}, so nothing can end a word or a
 * line early.
 */
import { UnsupportedNetworkError } from "../../core/firewall_backend.ts";
import { byteLength, cutToBytes, printable, quoted } from "../../core/quoted.ts";

/** The kernel's XT_MAX_COMMENT_LEN less the closing zero. */
const COMMENT_BYTES = 255;

/** Words that need no quotes. */
const BARE = /^[A-Za-z0-9_.,:/=!+@%^~[\]-]+$/;

/**
 * One line of a script: words between spaces, in quotes where they need them.
 *
 * @throws {RangeError} For a word that would end the line: none that was parsed does.
 */
export function formatLine(words: readonly string[]): string {
  return words.map((word) => {
    if (BARE.test(word)) return word;
    if (/[\n\0]/.test(word)) throw new RangeError(`A word ends the line: ${quoted(word)}`);
    return `"${word.replaceAll(/["\\]/g, (character) => `\\${character}`)}"`;
  }).join(" ");
}

/** `*TABLE`, the lines, `COMMIT`. */
export function formatTable(table: string, lines: readonly (readonly string[])[]): string {
  return [`*${table}`, ...lines.map(formatLine), "COMMIT", ""].join("\n");
}

/**
 * An interface name as one word.
 *
 * What ends in `+` stands for all names that begin so, and `!` alone has meant in older versions that
 * the next word is not to match; iptables knows no way to say that it is meant as it is. A name with a
 * quote cannot be told from a quoted one in what iptables-save prints.
 *
 * @throws {UnsupportedNetworkError} For these names.
 */
export function interfaceWord(name: string): string {
  if (name.endsWith("+") || name === "!" || name.includes('"')) {
    throw new UnsupportedNetworkError(
      `The language of iptables cannot write the interface name ${quoted(name)}`,
      "Give the interface a name of letters, digits, `-`, `_` and `.`",
    );
  }
  return name;
}

/**
 * What a chain of one network is for: packets from it and to it, to the host and from it, translation,
 * and published ports: what is sent there (PRE), and comes back to the bridge that it came from (BACK);
 * requests and answers that pass. Two of them never begin with the same letter.
 */
export type ChainKind = "FROM" | "TO" | "INP" | "OUT" | "NAT" | "PRE" | "BACK" | "REQ" | "ANS";

/**
 * The name of the chain of one bridge, such as `BWALL_FROM_virbr0`: at most 28 bytes, which is what the
 * kernel takes (XT_EXTENSION_MAXNAMELEN), and never the same for two bridges.
 *
 * A name of letters, digits and `. _ -` stands as it is. Of any other the bytes are written in base 64,
 * behind a `=` in the place of the last `_`.
 */
export function chainName(kind: ChainKind, bridge: string): string {
  if (/^[A-Za-z0-9._-]+$/.test(bridge)) return `BWALL_${kind}_${bridge}`;
  const bytes = new TextEncoder().encode(bridge);
  return `BWALL_${kind.slice(0, 1)}=${
    bytes.toBase64({ alphabet: "base64url", omitPadding: true })
  }`;
}

/** `NETWORK: TEXT`, the network's name cut where the whole would be too long. */
export function commentText(network: string, text: string): string {
  const room = COMMENT_BYTES - byteLength(`: ${text}`);
  return `${cutToBytes(printable(network), room)}: ${text}`;
}
