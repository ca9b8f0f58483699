/** Hardware addresses of Ethernet. */
import { quoted } from "../quoted.ts";

/**
 * Why the text is not the address of one device, `undefined` when it is. Said as the rest of a
 * sentence: `has mac "…", …`.
 */
export function problemOfMac(text: string): string | undefined {
  if (!/^[0-9a-f]{1,2}(?::[0-9a-f]{1,2}){5}$/i.test(text)) {
    return `has mac ${quoted(text)}, wanted six hex numbers with ":" between`;
  }
  // IEEE 802: the lowest bit of the first byte marks an address of a group.
  const isMulticast = (parseInt(text, 16) & 1) === 1;
  return isMulticast ? `has mac ${quoted(text)}, which is a multicast address` : undefined;
}
