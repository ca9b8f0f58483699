/** Ports that the host most likely needs itself. */
import {
  formatListener,
  type PublishedPort,
  type TransportProtocol,
} from "../network/published_port.ts";
import { quoted } from "../quoted.ts";

const OWN: readonly {
  readonly port: number;
  readonly protocols: readonly TransportProtocol[];
  readonly loss: string;
}[] = [
  { port: 22, protocols: ["tcp"], loss: "who logs in to the host by SSH comes to the guest" },
  {
    port: 53,
    protocols: ["tcp", "udp"],
    loss: "guests that ask the host for names ask that guest, in all networks",
  },
  { port: 67, protocols: ["udp"], loss: "guests get no addresses from the host, in all networks" },
  { port: 69, protocols: ["udp"], loss: "guests get no boot files from the host, in all networks" },
  { port: 547, protocols: ["udp"], loss: "guests get no addresses from the host, in all networks" },
];

/** What the host loses when ports are published on all of its addresses, as sentences without a period. */
export function ownPortWarnings(
  network: string,
  published: readonly PublishedPort[],
): readonly string[] {
  return published.filter(({ hostAddress }) => hostAddress === undefined).flatMap((one) =>
    OWN.filter(({ port, protocols }) =>
      protocols.includes(one.protocol) && one.ports.start <= port && port <= one.ports.end
    ).map(({ port, loss }) =>
      `Port ${formatListener(one)} of network ${
        quoted(network)
      } takes port ${port} from the host: ` +
      `${loss}. Name one address of the host to keep the others`
    )
  );
}
