/**
 * Runs inside a namespace: sends one datagram from each of many new sockets, so that each is the first
 * packet of a connection, and prints the median of the microseconds until the answer.
 *
 *     deno run --unstable-net --allow-net first_packets.ts 203.0.113.1 2000 8080
 *     deno run --unstable-net --allow-net first_packets.ts answer 80 8080
 */
import { median } from "./measure.ts";

const [address = "", ...numbers] = Deno.args;

async function ask(port: number): Promise<number> {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "0.0.0.0", port: 0 });
  const start = performance.now();
  await socket.send(new Uint8Array(32), { transport: "udp", hostname: address, port });
  await socket.receive();
  const time = (performance.now() - start) * 1000;
  socket.close();
  return time;
}

async function answer(port: number): Promise<void> {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "0.0.0.0", port });
  for await (const [data, from] of socket) await socket.send(data, from);
}

if (address === "answer") {
  const answering = numbers.map((port) => answer(Number(port)));
  await Deno.stdout.write(new TextEncoder().encode("ready\n"));
  await Promise.all(answering);
} else {
  const [count = 0, port = 0] = numbers.map(Number);
  const times: number[] = [];
  for (let index = 0; index < count; index++) times.push(await ask(port));
  await Deno.stdout.write(new TextEncoder().encode(`${median(times)}\n`));
}
