/** Arguments of `publish` and `unpublish` → ports of a network. */
import { PublishedPortError } from "../network/published_port.ts";
import { UsageError } from "./context.ts";

/**
 * The name of the network, and what was written of its ports.
 *
 * @throws {UsageError} When one of them is missing.
 */
export function namedPorts(
  command: string,
  operands: readonly string[],
): { readonly name: string; readonly texts: readonly string[] } {
  const [name, ...texts] = operands;
  if (name !== undefined && texts.length > 0) return { name, texts };
  throw new UsageError(
    `Cannot ${command} without a network and a port`,
    `Write \`bridgewall ${command} default 8080:192.168.122.10:80/tcp\``,
  );
}

/**
 * What was read; what is no port is a wrong use of the command.
 *
 * @throws {UsageError} With the words of the refusal.
 */
export function readPort<Port>(read: () => Port): Port {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof PublishedPortError)) throw error;
    throw new UsageError(error.message, error.hint);
  }
}
