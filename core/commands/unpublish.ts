/** `bridgewall unpublish`: ports of the host that lead nowhere any more, while the network is up. */
import { HostError } from "../host.ts";
import {
  formatListener,
  formatSpec,
  formatTarget,
  type NamedPort,
  parseNamedPort,
  type PublishedPort,
} from "../network/published_port.ts";
import { quoted } from "../quoted.ts";
import { changePorts } from "./change_ports.ts";
import type { CommandOutput, Context } from "./context.ts";
import { namedPorts, readPort } from "./port_arguments.ts";

/**
 * Takes published ports back. One that is not published is no error.
 *
 * @param operands The network's name and at least one port.
 * @throws {UsageError} When a port means nothing.
 * @throws {HostError} When the network is not active, the port leads to another guest, or it is one of
 * several that were published as one.
 */
export async function unpublish(
  context: Context,
  operands: readonly string[],
): Promise<CommandOutput> {
  const { messages } = context;
  const { name, texts } = namedPorts("unpublish", operands);
  const unwanted = texts.map((text) => readPort(() => parseNamedPort(text)));
  const isMeant = finderOf(unwanted);
  const { gone } = await changePorts(context, name, [], ({ published }) => {
    refuseOthers(unwanted, published);
    return published.filter((port) => !isMeant(port));
  });
  for (const port of gone) {
    const again = port.runtime ? "" : ' until the next "up": its definition publishes it';
    messages.note(
      `Port ${formatListener(port)} does not lead to ${formatTarget(port)} of network ` +
        `${quoted(name)} any more${again}`,
    );
  }
  const known = new Set(gone.flatMap((port) => [formatListener(port), formatSpec(port)]));
  const missing = unwanted.filter((one) => !known.has(nameOf(one))).map(({ listener }) => listener);
  missing.forEach((listener) => messages.note(`Port ${listener} was not published`));
  return {
    text: [],
    json: { network: name, unpublished: gone.map(formatSpec), missing },
    exitCode: 0,
  };
}

/** What was written of the port: its host's end, or all of it. */
function nameOf({ listener, whole }: NamedPort): string {
  return whole === undefined ? listener : formatSpec(whole);
}

function finderOf(unwanted: readonly NamedPort[]): (port: PublishedPort) => boolean {
  const names = new Set(unwanted.map(nameOf));
  return (port) => names.has(formatListener(port)) || names.has(formatSpec(port));
}

/** Who names a guest means no other one, and ports come and go as they were published. */
function refuseOthers(unwanted: readonly NamedPort[], published: readonly PublishedPort[]): void {
  const known = new Set(published.flatMap((port) => [formatListener(port), formatSpec(port)]));
  for (const one of unwanted.filter((unknown) => !known.has(nameOf(unknown)))) {
    const other = published.find((port) => isAround(port, one));
    if (other === undefined) continue;
    const [name, listener] = [nameOf(one), formatListener(other)];
    throw listener === one.listener
      ? new HostError(
        `Cannot unpublish ${name}: the port leads to ${formatTarget(other)}`,
        `Write ${listener}, wherever it leads`,
      )
      : new HostError(
        `Cannot unpublish ${name} alone: the port is published as ${formatSpec(other)}`,
        `Write ${listener}`,
      );
  }
}

/** Whether it has ports of the same address in common with what was named. */
function isAround(port: PublishedPort, { end, listener, whole }: NamedPort): boolean {
  return (whole === undefined || whole.guest.family === port.guest.family) &&
    port.ports.start <= end.ports.end && end.ports.start <= port.ports.end &&
    formatListener({ ...port, ports: end.ports }) === listener;
}
