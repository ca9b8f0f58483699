/**
 * Runs inside a namespace: asks a responder over new connections, one after the other, until its
 * standard input ends; then it tells how often each thing became of them, as JSON.
 *
 *     deno run --unstable-net --allow-net new_connections.ts 192.0.2.1 8080
 *
 * A connection that was made, and then ends or falls silent, is `broken`: so ends one whose entry in the
 * kernel's table goes while it speaks. One that cannot be made is `refused`, a datagram without an answer
 * `dropped`.
 */
const [address = "", port = ""] = Deno.args;
const AT_ONCE = 2;

/** Milliseconds after which a question or its answer is taken to be lost. */
const PATIENCE = 3000;

const seen: Record<string, number> = {};
const text = new TextEncoder();
let isEnding = false;

/** `lan-a:7007` of what the responder says. */
function byWhom(answer: Uint8Array): string {
  return new TextDecoder().decode(answer).trim().split(" ")[2] ?? "nobody";
}

async function askByTcp(): Promise<string> {
  let connection: Deno.TcpConn;
  try {
    connection = await Deno.connect({ hostname: address, port: Number(port) });
  } catch (error) {
    return error instanceof Deno.errors.ConnectionRefused ? "refused" : String(error);
  }
  // Closed, it reads nothing any more, which ends the wait.
  const silence = setTimeout(() => closeUnlessClosed(connection), PATIENCE);
  try {
    await connection.write(text.encode("hello\n"));
    const answer = new Uint8Array(200);
    const length = await connection.read(answer);
    return length === null ? "broken" : byWhom(answer.subarray(0, length));
  } catch {
    return "broken";
  } finally {
    clearTimeout(silence);
    closeUnlessClosed(connection);
  }
}

async function askByUdp(): Promise<string> {
  const hostname = address.includes(":") ? "::" : "0.0.0.0";
  const socket = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
  const to = { transport: "udp", hostname: address, port: Number(port) } as const;
  const silence = setTimeout(() => closeUnlessClosed(socket), PATIENCE);
  try {
    await socket.send(text.encode("hello\n"), to);
    return byWhom((await socket.receive())[0]);
  } catch {
    return "dropped";
  } finally {
    clearTimeout(silence);
    closeUnlessClosed(socket);
  }
}

function closeUnlessClosed(socket: Deno.DatagramConn | Deno.TcpConn): void {
  try {
    socket.close();
  } catch {
    // Nobody has answered in time.
  }
}

async function goOn(protocol: string, ask: () => Promise<string>): Promise<void> {
  while (!isEnding) {
    const words = `${protocol} ${await ask()}`;
    seen[words] = (seen[words] ?? 0) + 1;
    // As many as can be made would fill the kernel's table.
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

const asking = Array.from(
  { length: AT_ONCE },
  () => [goOn("tcp", askByTcp), goOn("udp", askByUdp)],
);
await Deno.stdout.write(text.encode("ready\n"));
await Deno.stdin.read(new Uint8Array(1));
isEnding = true;
await Promise.all(asking.flat());
await Deno.stdout.write(text.encode(`${JSON.stringify(seen)}\n`));
Deno.exit();
