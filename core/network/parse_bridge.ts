/** `<bridge>` → the interface the guests are on. */
import {
  attributeOf,
  decimal,
  filledAttribute,
  oneOf,
  refuse,
  UNSIGNED_LONG_MAX,
} from "./element_reader.ts";
import type { Part } from "./element_reader.ts";
import { problemOfBridgeName } from "./interface_name.ts";
import type { Bridge } from "./network.ts";

/** `<bridge>` with what only checks look at. */
export interface ParsedBridge {
  /** What the network keeps of it; empty when there is no `<bridge>`. */
  readonly bridge: Bridge;
  /** What it says that is for bridges the host makes: attribute names. */
  readonly settings: readonly string[];
}

/**
 * Reads `<bridge>`, by the rules of libvirt 11.3.
 *
 * @throws {NetworkDefinitionError} When it is not valid, or the kernel would not take the name.
 */
export function parseBridge(part: Part | undefined): ParsedBridge {
  if (part === undefined) return { bridge: {}, settings: [] };
  const name = filledAttribute(part, "name");
  const problem = name === undefined ? undefined : problemOfBridgeName(name);
  if (problem !== undefined) refuse(part, problem, "Write name='virbr%d' for a generated name");
  const zone = filledAttribute(part, "zone");
  const delay = decimal(part, "delay", UNSIGNED_LONG_MAX) ?? 0;
  const manager = oneOf(part, "macTableManager", ["kernel", "libvirt"]);
  return {
    bridge: {
      ...(name === undefined ? {} : { name }),
      ...(zone === undefined ? {} : { zone }),
    },
    settings: [
      ...(zone === undefined ? [] : ["zone"]),
      ...(manager === undefined ? [] : ["macTableManager"]),
      // A delay of 0 says nothing: libvirt 11.3 passes over it too.
      ...(delay === 0 ? [] : ["delay"]),
      ...(attributeOf(part, "stp") === undefined ? [] : ["stp"]),
    ],
  };
}
