/** A host whose every cable is held by the test: what is sent into it, and what comes out. */
import { fromFileUrl } from "@std/path";
import { type Background, startInNamespace } from "../../hosts/background.ts";
import { configure } from "../../hosts/namespace.ts";
import { errorBytes, MARK, packetBytes, readPacket, type Seen } from "./frames.ts";
import type { Packet } from "./packet.ts";
import { HOST } from "./world.ts";

/** Where frames go in and come out. */
export interface Cable {
  readonly name: string;
  /** The bridge that it is plugged into; absent: it is an interface of the host's own. */
  readonly bridge?: string;
  /** Whether somebody is there who has all addresses. */
  readonly answering: boolean;
}

/** What came out, and where: the name of a cable, or `host`. */
export interface Arrival extends Seen {
  readonly at: string;
}

/** The cables of one host. */
export interface Wire extends AsyncDisposable {
  /** Sends a packet by a cable, or as the host; what comes out at once is the answer. */
  send(by: string, packet: Packet, number: number): Promise<readonly Arrival[]>;
  /** Sends the error of who got a packet back where it came out. */
  sendError(by: string, about: Seen): Promise<readonly Arrival[]>;
  /** Waits until something comes out, or the seconds are over. */
  wait(seconds: number): Promise<readonly Arrival[]>;
  /** Lets the kernel forget its connections. */
  forget(): Promise<void>;
}

type Operation = Readonly<Record<string, unknown>>;

/** Makes bridges and cables in the namespace; they have no addresses yet. */
export async function layCables(namespace: string, cables: readonly Cable[]): Promise<Wire> {
  const script = fromFileUrl(new URL("wire.py", import.meta.url));
  const macs = new Map(cables.map(({ name }, index) => [name, macOf(4, index)]));
  const words = cables.map(({ name, answering }) =>
    `${name}=${macs.get(name)}=${answering ? "answering" : "silent"}`
  );
  const process = startInNamespace(namespace, ["python3", "-I", "-S", script, MARK, ...words]);
  if (await process.read() !== "ready") throw new Error(`no cables in ${namespace}`);
  const bridges = [...new Set(cables.flatMap(({ bridge }) => bridge ?? []))];
  // The interface that takes what the host has to see, by cable.
  const doors = new Map<string, string>();
  const lines = bridges.flatMap((bridge, index) => [
    `link add ${bridge} type bridge mcast_snooping 0`,
    `link set ${bridge} address ${macOf(1, index)} up`,
  ]);
  const plugs = cables.flatMap(({ name, bridge }, index) => {
    doors.set(name, bridge === undefined ? macOf(2, index) : macOf(1, bridges.indexOf(bridge)));
    return bridge === undefined
      ? [`link set ${name} address ${macOf(2, index)} up`]
      : [`link set ${name} master ${bridge} up`];
  });
  await configure(namespace, [...lines, ...plugs]);
  return wireOf(process, (name, packet) => {
    const kind = packet[0] === undefined || packet[0] >> 4 === 4 ? "0800" : "86dd";
    const macs_ = `${doors.get(name)}${macs.get(name)}`.replaceAll(":", "");
    return `${macs_}${kind}${packet.toHex()}`;
  });
}

function macOf(kind: number, index: number): string {
  return `02:00:00:00:0${kind}:${index.toString(16).padStart(2, "0")}`;
}

function wireOf(
  process: Background,
  frameOf: (name: string, packet: Uint8Array) => string,
): Wire {
  const work = async (operation: Operation): Promise<readonly Arrival[]> => {
    await process.write(JSON.stringify([operation]));
    const line = await process.read();
    if (line === undefined) throw new Error(`the cables are gone: ${JSON.stringify(operation)}`);
    const [came = []]: readonly (readonly [string, string][])[] = JSON.parse(line);
    return came.map(([at, hex]) => {
      const bytes = Uint8Array.fromHex(hex);
      return { at, ...readPacket(at === HOST ? bytes : bytes.slice(ETHERNET)) };
    });
  };
  const send = (by: string, bytes: Uint8Array): Promise<readonly Arrival[]> =>
    by === HOST
      ? work({ send: HOST, packet: bytes.toHex() })
      : work({ send: by, frame: frameOf(by, bytes) });
  return {
    send: (by, packet, number) => send(by, packetBytes(packet, number)),
    sendError: (by, about) => send(by, errorBytes(about)),
    wait: (seconds) => work({ wait: seconds }),
    forget: async () => void await work({ forget: true }),
    [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
  };
}

/** The length of the header before the packet. */
const ETHERNET = 14;
