/**
 * `deno task bench [start|operations|packets|firewalld|publish|watch]`: the measurements behind the numbers in the README.
 *
 * All as ratios of things measured in turns on this machine, in network namespaces of its own. Needs
 * root, nft, iproute2; `packets` needs iperf3 too, `firewalld` its
 * packages. Nothing else should be running.
 */
import { benchFirewalld } from "./firewalld.ts";
import { benchOperations } from "./operations.ts";
import { benchPackets } from "./packets.ts";
import { benchPublish } from "./publish.ts";
import { benchStart } from "./start.ts";
import { benchWatch } from "./watch.ts";

const BENCHES = {
  start: benchStart,
  operations: benchOperations,
  packets: benchPackets,
  firewalld: benchFirewalld,
  publish: benchPublish,
  watch: benchWatch,
} as const;

const wanted = Deno.args.length === 0 ? Object.keys(BENCHES) : Deno.args;
for (const [name, bench] of Object.entries(BENCHES)) {
  if (wanted.includes(name)) await bench();
}
