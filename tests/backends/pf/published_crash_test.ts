/** Commands that change published ports and prefixes, ended or failed at each of their effects. */
import type { Case } from "../../support/disturbance.ts";
import { testEveryEffect } from "../../support/crash_tests.ts";
import {
  bringUp,
  masqueradeAgain,
  PF,
  publishPorts,
  reloadAgain,
  takeDown,
  unpublishPorts,
  type Work,
} from "../../support/turns.ts";

const [FIRST, SECOND] = ["8080:10.0.0.10:80/tcp", "8443:10.0.0.10:443/tcp"];
const WEB = [bringUp("nat", "second"), publishPorts(FIRST, SECOND)];
const PREFIX = masqueradeAgain("add", "10.9.0.0/16");

const CASES: readonly (readonly [says: string, before: readonly Work[], work: Work])[] = [
  ["up of a network that only a port leads to", [bringUp("second")], bringUp("lab")],
  ["up that sends a port elsewhere", WEB, bringUp("moved")],
  ["publish of the first port", [bringUp("nat", "second")], publishPorts(FIRST)],
  ["publish of one port more", WEB, publishPorts("5300:10.0.0.10:53/udp")],
  ["publish that sends a port elsewhere", WEB, publishPorts("8080:10.0.0.11:80/tcp")],
  ["unpublish of one of two ports", WEB, unpublishPorts("8443/tcp")],
  ["unpublish of all ports", WEB, unpublishPorts(FIRST, SECOND)],
  ["down of a network with ports", WEB, takeDown("one")],
  ["reload of networks with ports", [...WEB, PREFIX], reloadAgain()],
  ["masquerade add beside networks", WEB, PREFIX],
  ["masquerade add of one prefix more", [PREFIX], masqueradeAgain("add", "10.8.0.0/24")],
  ["masquerade remove of all there is", [PREFIX], masqueradeAgain("remove", "10.9.0.0/16")],
];

CASES.map(([says, before, work]): Case => ({
  says: `${says} with pf`,
  before: before.map((one) => ({ ground: PF, work: one })),
  turn: { ground: PF, work },
})).forEach(testEveryEffect);
