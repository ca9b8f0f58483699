import { assertEquals } from "@std/assert";
import { allPrinted, printedText } from "../../platform/printed_text.ts";

/** A pipe with these pieces in it. */
interface Pipe {
  readonly stream: ReadableStream<Uint8Array>;
  /** How much memory each read has brought along; 0: none, so that the pipe has to take some. */
  readonly brought: readonly number[];
  /** Whether nobody will read it any more. */
  isClosed(): boolean;
}

function pipe(pieces: readonly Uint8Array[]): Pipe {
  const waiting = pieces.values();
  const brought: number[] = [];
  let isClosed = false;
  const stream = new ReadableStream({
    type: "bytes",
    pull: (controller) => {
      const next = waiting.next();
      const memory = controller.byobRequest?.view;
      if (next.done === true) {
        controller.close();
        controller.byobRequest?.respond(0);
        return;
      }
      brought.push(memory?.buffer.byteLength ?? 0);
      if (memory === undefined || memory === null) return controller.enqueue(next.value);
      new Uint8Array(memory.buffer).set(next.value);
      controller.byobRequest?.respond(next.value.length);
    },
    cancel: () => {
      isClosed = true;
    },
  });
  return { stream, brought, isClosed: () => isClosed };
}

const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

Deno.test("pieces are one text, also where one ends within a character", async () => {
  const whole = bytes("grün – 防火牆\n");
  const pieces = Array.from(whole, (byte) => Uint8Array.of(byte));
  assertEquals(await allPrinted(pipe(pieces).stream), "grün – 防火牆\n");
  assertEquals(await allPrinted(pipe([whole]).stream), "grün – 防火牆\n");
  assertEquals(await allPrinted(pipe([]).stream), "");
});

Deno.test("a character that never ends is none", async () => {
  assertEquals(await allPrinted(pipe([bytes("a"), Uint8Array.of(0xc3)]).stream), "a\ufffd");
});

Deno.test("however many pieces there are, all are read into the same memory", async () => {
  const { stream, brought } = pipe(Array.from({ length: 1000 }, () => bytes("x".repeat(4096))));
  assertEquals((await allPrinted(stream)).length, 4_096_000);
  assertEquals(brought, Array.from({ length: 1000 }, () => 16_384));
});

Deno.test("who stops to read closes the pipe", async () => {
  const { stream, isClosed } = pipe([bytes("one"), bytes("two"), bytes("three")]);
  for await (const piece of printedText(stream)) {
    if (piece === "two") break;
  }
  assertEquals(isClosed(), true);
});
