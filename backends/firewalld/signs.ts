/** How a change of what firewalld holds for us shows. */
import { NFT_MONITOR, type Sign } from "../../core/sign.ts";
import { MONITOR } from "./bus.ts";

/**
 * Signals of firewalld itself (firewalld.dbus(5)): a reload, zones and policies that changed, and the bus
 * that tells of a firewalld which comes or goes.
 */
export const DAEMON_SIGNS: readonly Sign[] = [{
  kind: "lines",
  command: MONITOR,
  mayBeOurs: (line) => line.includes('"type":"signal"'),
}];

/** Also what firewalld does not know of: somebody else empties its tables. */
export const ZONE_SIGNS: readonly Sign[] = [
  ...DAEMON_SIGNS,
  {
    kind: "lines",
    command: NFT_MONITOR,
    mayBeOurs: (line) => /^delete (?:table inet firewalld|table ip6? |chain ip6? )/.test(line),
  },
];
