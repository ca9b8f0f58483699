/** The table of refusals: what the user reads, and where it points. */
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { NetworkDefinitionError } from "../../../core/network/network_error.ts";
import { parseNetwork } from "../../../core/network/parse_network.ts";

/** What is wrong, what the message says of it, the element at fault and what the hint says. */
export type Refusal = readonly [elements: string, message: string, at: string, hint?: string];

/** A valid `<ip>`, for what needs one. */
export const IP = "<ip address='192.0.2.1' prefix='24'/>";

/**
 * Each row's elements follow a name, on a line of their own. The error must stand at the last `at`
 * among them.
 */
export function refuses(subject: string, rows: readonly Refusal[]): void {
  Deno.test(`refused: ${subject}`, () => {
    for (const [elements, message, at, hint] of rows) {
      const text = `<network>\n<name>lan</name>\n${elements}\n</network>`;
      const error = assertThrows(
        () => parseNetwork(text, "lan.xml"),
        NetworkDefinitionError,
        undefined,
        elements,
      );
      assertStringIncludes(error.message, message);
      const column = at === "network" ? 1 : elements.lastIndexOf(at) + 1;
      const line = at === "network" ? 1 : 3;
      assertEquals(error.position, { line, column }, `${elements}: ${error.message}`);
      assertEquals(error.message.startsWith(`lan.xml:${line}:${column}: `), true, error.message);
      if (hint !== undefined) assertStringIncludes(error.hint ?? "no hint", hint);
    }
  });
}
