/** What must be true of ports in a world in memory after a command that was disturbed. */
import { assert, assertEquals } from "@std/assert";
import { parseRecord } from "../../core/record/record_xml.ts";
import { misledConnections } from "./model_conntrack.ts";
import { describeRules, type World } from "./model_host.ts";
import { TELLING } from "./turns.ts";

/** How the warning begins after which a bridge may lead to 127.0.0.0/8. */
export const STILL_OPEN = "Guests of a bridge may reach 127.0.0.0/8 of the host";

/**
 * No connection goes on to whom no port leads any more, and no guest reaches 127.0.0.0/8 of the host: or it
 * was said. Of what firewalld and pf make of ports no model tells.
 */
export function assertRightPorts(world: World, said: readonly string[] = []): void {
  const backends = [...world.files].map(([name, text]) => parseRecord(text, name).backend);
  if (!backends.every((backend) => TELLING.includes(backend))) return;
  if (!said.some((text) => text.startsWith("Connections that began before"))) {
    assertEquals(misledConnections(world.connections, world), []);
  }
  if (!said.some((text) => text.startsWith(STILL_OPEN))) {
    const rules = describeRules(world);
    const isGuarded = /^chain guard$/m.test(rules) || rules.includes("! -i lo");
    assert(world.localRouting.size === 0 || isGuarded, "nobody on guard");
  }
}
