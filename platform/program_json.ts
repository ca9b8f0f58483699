/** JSON as programs print it. */
import type { Command } from "../core/command.ts";
import { HostError } from "../core/host.ts";
import { printable } from "../core/quoted.ts";

/**
 * Reads what a program printed.
 *
 * iproute2 (6.1) and libxo before FreeBSD 15 write control characters into strings as they are, and an
 * interface may have such a name: what is no JSON is read once more with them escaped.
 *
 * @throws {HostError} When it is no JSON then either.
 */
export function parseAnswer(json: string, { program, args }: Command): unknown {
  try {
    return JSON.parse(json);
  } catch {
    // Read below.
  }
  const escaped = json.replace(/"(?:[^"\\]|\\[^])*"/g, (string) =>
    // deno-lint-ignore no-control-regex -- the characters that JSON wants escaped in strings
    string.replace(/[\0-\x1f]/g, (character) =>
      `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`));
  try {
    return JSON.parse(escaped);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const line = printable([program, ...args].join(" "));
    throw new HostError(`Cannot understand the answer of \`${line}\`: it is not JSON`);
  }
}
