/**
 * Runs inside a namespace: answers every line of TCP and every UDP datagram with the address and
 * port it came from, so that the asking side learns what the far side saw.
 *
 *     deno run --unstable-net --allow-net responder.ts 7007 53
 */
const text = new TextEncoder();

/** `192.0.2.1 40000`: IPv4 arrives at these sockets in IPv6 clothing, which comes off here. */
function describe(from: Deno.Addr): string {
  if (!("hostname" in from)) return "unknown";
  return `${from.hostname.replace(/^::ffff:(?=\d+\.)/, "")} ${from.port}\n`;
}

async function answerConnection(connection: Deno.TcpConn): Promise<void> {
  const answer = text.encode(describe(connection.remoteAddr));
  try {
    for await (const _line of connection.readable) await connection.write(answer);
  } catch {
    // The asking side went away; the next one is answered all the same.
  }
}

async function answerConnections(listener: Deno.TcpListener): Promise<void> {
  for await (const connection of listener) void answerConnection(connection);
}

async function answerDatagrams(socket: Deno.DatagramConn): Promise<void> {
  while (true) {
    const [, from] = await socket.receive();
    // An answer that cannot be sent (no route, refused) must not end the answering.
    await socket.send(text.encode(describe(from)), from).catch(() => 0);
  }
}

const answering = Deno.args.map(Number).flatMap((port) => [
  answerConnections(Deno.listen({ hostname: "::", port })),
  answerDatagrams(Deno.listenDatagram({ transport: "udp", hostname: "::", port })),
]);
await Deno.stdout.write(text.encode("ready\n"));
await Promise.all(answering);
