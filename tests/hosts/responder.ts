/**
 * Runs inside a namespace: answers every line of TCP and every UDP datagram with the address and
 * port it came from, so that the asking side learns what the far side saw, and who the far side is.
 *
 *     deno run --unstable-net --allow-net responder.ts lan-a 7007 53
 */
const text = new TextEncoder();
const [name = "", ...ports] = Deno.args;

/** `192.0.2.1 40000 lan-a:7007`: IPv4 arrives at these sockets in IPv6 clothing, which comes off here. */
function describe(from: Deno.Addr, port: number): string {
  if (!("hostname" in from)) return "unknown";
  return `${from.hostname.replace(/^::ffff:(?=\d+\.)/, "")} ${from.port} ${name}:${port}\n`;
}

async function answerConnection(connection: Deno.TcpConn, port: number): Promise<void> {
  const answer = text.encode(describe(connection.remoteAddr, port));
  try {
    for await (const _line of connection.readable) await connection.write(answer);
  } catch {
    // The asking side went away; the next one is answered all the same.
  }
}

async function answerConnections(listener: Deno.TcpListener, port: number): Promise<void> {
  for await (const connection of listener) void answerConnection(connection, port);
}

async function answerDatagrams(socket: Deno.DatagramConn, port: number): Promise<void> {
  while (true) {
    const [question, from] = await socket.receive();
    // Datagrams may be lost: an answer tells which question it is for.
    const answer = `${describe(from, port).trim()} ${new TextDecoder().decode(question).trim()}\n`;
    // An answer that cannot be sent (no route, refused) must not end the answering.
    await socket.send(text.encode(answer), from).catch(() => 0);
  }
}

const answering = ports.map(Number).flatMap((port) => [
  answerConnections(Deno.listen({ hostname: "::", port }), port),
  answerDatagrams(Deno.listenDatagram({ transport: "udp", hostname: "::", port }), port),
]);
await Deno.stdout.write(text.encode("ready\n"));
await Promise.all(answering);
