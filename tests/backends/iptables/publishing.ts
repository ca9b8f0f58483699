/** Networks that publish ports, from short texts. */
import type { FilteredPolicy } from "../../../core/policy/policy.ts";
import { filtered, IPV4, IPV6 } from "../../support/definitions.ts";

/**
 * A network of both families, in a mode and with ports: the attributes of `<bridgewall:publish>`.
 *
 * @param forward The element, empty for an isolated network.
 */
export function publishing(
  forward: string,
  ports: readonly string[],
  name = "lan",
): FilteredPolicy {
  const elements = ports.map((attributes) => `<bridgewall:publish ${attributes}/>`).join("");
  return filtered(
    `<metadata><bridgewall:network xmlns:bridgewall="urn:bridgewall:network:1">${elements}` +
      `</bridgewall:network></metadata>${forward}${IPV4}${IPV6}`,
    name,
  );
}
