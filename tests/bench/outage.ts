/**
 * Runs inside a namespace: asks a responder by one stream of datagrams, one a millisecond, until its standard
 * input ends. Then it prints as JSON the longest times without an answer, in milliseconds, longest first.
 *
 *     deno run --unstable-net --allow-net outage.ts 192.0.2.1 8080
 */
const [hostname = "", port = ""] = Deno.args;
/** Shorter ones are those of the machine. */
const NOTICED = 10;

const socket = Deno.listenDatagram({ transport: "udp", hostname: "0.0.0.0", port: 0 });
const to = { transport: "udp", hostname, port: Number(port) } as const;
const question = new TextEncoder().encode("hello\n");
const gaps: number[] = [];
let last = performance.now();

const sending = setInterval(() => {
  // Where nothing leads on, the host says so: the next datagram is sent all the same.
  void socket.send(question, to).catch(() => undefined);
}, 1);
const receiving = (async () => {
  for await (const _ of socket) {
    const now = performance.now();
    if (now - last > NOTICED) gaps.push(now - last);
    last = now;
  }
})();
await Deno.stdout.write(new TextEncoder().encode("ready\n"));
await Deno.stdin.read(new Uint8Array(1));
clearInterval(sending);
socket.close();
await receiving.catch(() => undefined);
const sorted = gaps.map(Math.round).toSorted((one, other) => other - one);
await Deno.stdout.write(new TextEncoder().encode(`${JSON.stringify(sorted)}\n`));
Deno.exit();
