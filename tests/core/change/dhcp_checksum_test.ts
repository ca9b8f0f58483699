import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { checksumRepair } from "../../../core/change/dhcp_checksum.ts";
import type { Facts } from "../../../core/firewall_backend.ts";
import type { FilteredPolicy } from "../../../core/policy/policy.ts";
import type { Record } from "../../../core/record/record.ts";
import { filtered, FRESH_FACTS, FRESH_HOST, network } from "../../support/definitions.ts";

const DHCP = "<ip address='10.44.0.1' prefix='24'><dhcp>" +
  "<range start='10.44.0.2' end='10.44.0.9'/></dhcp></ip>";

function serving(bridge: string): FilteredPolicy {
  return { ...filtered(DHCP), bridge };
}

function facts(interfaces: readonly string[], clsact: readonly string[] = []): Facts {
  return { ...FRESH_FACTS, host: { ...FRESH_HOST, interfaces, clsact } };
}

const READY = facts(["virbr0"]);

Deno.test("DHCP replies are repaired on the way out of the bridge", () => {
  const { steps, removal, warnings } = checksumRepair(serving("virbr0"), READY);
  assertEquals(warnings, []);
  assertEquals(steps.map(({ command }) => command), [{
    program: "tc",
    args: ["-force", "-batch", "-"],
    stdin: "qdisc replace dev virbr0 clsact\n" +
      "filter replace dev virbr0 egress protocol ip pref 49152 handle 1 flower ip_proto udp " +
      "dst_port 68 action csum ip and udp\n",
  }]);
  assertEquals(removal.map(({ ignoreErrors }) => ignoreErrors), [true]);
  assertEquals(removal.flatMap(({ commands }) => commands.map(({ stdin }) => stdin)), [
    "filter del dev virbr0 egress protocol ip pref 49152\nqdisc del dev virbr0 clsact\n",
  ]);
});

Deno.test("a host without tc loses the repair, not the network", () => {
  const [step] = checksumRepair(serving("virbr0"), READY).steps;
  assertStringIncludes(step?.optional?.loss ?? "", "DHCP replies may reach guests with a bad");
  const [group] = checksumRepair(serving("virbr0"), READY).removal;
  assertEquals(step?.optional?.undo, group?.commands[0]);
});

Deno.test("a network without DHCP over IPv4 needs no repair", () => {
  const nothing = { steps: [], removal: [], warnings: [] };
  assertEquals(checksumRepair(filtered("<ip address='10.44.0.1' prefix='24'/>"), READY), nothing);
  assertEquals(
    checksumRepair(filtered("<ip family='ipv6' address='fd44::1' prefix='64'/>"), READY),
    nothing,
  );
});

Deno.test("a bridge that does not exist yet is repaired later, and the user is told", () => {
  const { steps, removal, warnings } = checksumRepair(serving("virbr0"), facts(["lo"]));
  assertEquals([steps, removal], [[], []]);
  assertEquals(warnings.length, 1);
  assertStringIncludes(warnings.join(), 'Bridge "virbr0" of network "lan" does not exist yet');
});

Deno.test("a bridge that tc cannot be told of is left alone, and the user is told", () => {
  for (const bridge of ["a#b", "a'b", 'a"b', "a\\b", "é", "a;b", "$x", "a*"]) {
    const { steps, removal, warnings } = checksumRepair(serving(bridge), facts([bridge]));
    assertEquals([steps, removal], [[], []]);
    assertStringIncludes(warnings.join(), "tc cannot be given the interface name");
  }
});

Deno.test("a queue that somebody else made stays", () => {
  const { removal } = checksumRepair(serving("virbr0"), facts(["virbr0"], ["virbr0"]));
  assertEquals(removal.flatMap(({ commands }) => commands.map(({ stdin }) => stdin)), [
    "filter del dev virbr0 egress protocol ip pref 49152\n",
  ]);
});

Deno.test("a queue that is on record as ours goes with the network", () => {
  const { removal } = checksumRepair(serving("virbr0"), READY);
  const record: Record = {
    name: "lan",
    state: "active",
    network: network("").source,
    backend: "nftables",
    removal,
  };
  const again = { ...facts(["virbr0"], ["virbr0"]), records: [record] };
  assertEquals(checksumRepair(serving("virbr0"), again).removal, removal);
  // Another bridge's record says nothing about this one.
  const other = { ...facts(["virbr01"], ["virbr01"]), records: [record] };
  const [group] = checksumRepair(serving("virbr01"), other).removal;
  assert(!(group?.commands[0]?.stdin ?? "").includes("qdisc del"));
});
