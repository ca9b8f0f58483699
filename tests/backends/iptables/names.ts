/** Which interface names the iptables backend takes. */
import type fc from "fast-check";
import { interfaceWord } from "../../../backends/iptables/script.ts";
import { UnsupportedNetworkError } from "../../../core/firewall_backend.ts";
import { INTERFACE_NAMES } from "../../support/arbitrary.ts";

/** Whether rules can name an interface of this name. */
export function isWritable(name: string): boolean {
  try {
    return interfaceWord(name) !== "";
  } catch (error) {
    if (error instanceof UnsupportedNetworkError) return false;
    throw error;
  }
}

/** Names of all interfaces that rules can name. */
export const WRITABLE_NAMES: fc.Arbitrary<string> = INTERFACE_NAMES.filter(isWritable);
