/** One end of a conversation in the demonstration: `serve ADDRESS PORT` or `connect ADDRESS PORT`. */
const [mode = "", hostname = "", portText = ""] = Deno.args;
const port = Number(portText);

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}

if (mode === "serve") {
  using listener = Deno.listen({ hostname, port });
  say("ready\n");
  for await (const connection of listener) {
    const { hostname: caller } = connection.remoteAddr as Deno.NetAddr;
    await connection.write(new TextEncoder().encode(caller));
    connection.close();
  }
} else {
  try {
    using connection = await Deno.connect({
      hostname,
      port,
      signal: AbortSignal.timeout(3000),
    });
    const buffer = new Uint8Array(64);
    const length = await connection.read(buffer) ?? 0;
    say(`passed ${new TextDecoder().decode(buffer.subarray(0, length))}`);
  } catch (error) {
    say(error instanceof Deno.errors.ConnectionRefused ? "refused" : `failed: ${error}`);
  }
}
