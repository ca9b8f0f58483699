/** What a program prints, as text. */

/** Four times what nft and iptables-save print at once. */
const PIECE_BYTES = 16_384;

/**
 * Gives the text in pieces, as they come. Who stops to read closes the stream.
 *
 * All are read into the same memory. A stream left to itself takes 64 kB anew for each piece, however small
 * it is: the listing of a thousand networks comes in a thousand of them, and of 60 MB the C library gives
 * back next to nothing, since something else has come to lie between.
 */
export async function* printedText(stream: ReadableStream<Uint8Array>): AsyncIterable<string> {
  const decoder = new TextDecoder();
  const reader = stream.getReader({ mode: "byob" });
  try {
    let memory = new Uint8Array(PIECE_BYTES);
    while (true) {
      const { done, value } = await reader.read(memory);
      if (done) break;
      yield decoder.decode(value, { stream: true });
      // Reading has taken it away from `memory`.
      memory = new Uint8Array(value.buffer);
    }
    yield decoder.decode();
  } finally {
    await reader.cancel();
  }
}

/** All of the text. */
export async function allPrinted(stream: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  for await (const piece of printedText(stream)) text += piece;
  return text;
}
