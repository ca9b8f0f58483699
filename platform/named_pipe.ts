/** Files that would keep the program waiting for ever. */
import { join } from "@std/path";

/** Where a shell puts the pipe of `<(…)`, and the pipe that is standard input: somebody writes there. */
const OF_SHELLS = /^\/(dev\/fd|proc)\/|^\/dev\/stdin$/;

/**
 * Whether this is a FIFO that nobody may ever write to: opening it would wait until somebody does.
 *
 * @throws {Deno.errors.NotFound} When there is no such file.
 */
export function isNamedPipe(path: string): boolean {
  return Deno.statSync(path).isFifo === true && !OF_SHELLS.test(join(path));
}
