import { assertEquals } from "@std/assert";
import { localRouting, localRoutingDrift } from "../../../core/change/local_routing.ts";
import type { FilteredPolicy } from "../../../core/policy/policy.ts";
import { filtered, IPV4, IPV6 } from "../../support/definitions.ts";
import { scriptedRunner } from "../../support/scripted_runner.ts";

function publishing(attributes: string, bridge = "virbr0", to = "10.44.0.9"): FilteredPolicy {
  const publish =
    `<b:publish xmlns:b='urn:bridgewall:network:1' proto='tcp' port='80' to='${to}' ` +
    `${attributes}/>`;
  return { ...filtered(`<metadata>${publish}</metadata>${IPV4}${IPV6}`), bridge };
}

Deno.test("a bridge leads to guests from 127.0.0.1 as long as a port asks for it, and no longer", () => {
  const off = {
    program: "sysctl",
    args: ["-q", "-w", "net/ipv4/conf/br.7/route_localnet=0"],
  } as const;
  assertEquals(localRouting(publishing("localhost='yes'", "br.7")), {
    steps: [{
      purpose: 'let 127.0.0.1 reach the guests on "br.7"',
      command: { program: "sysctl", args: ["-q", "-w", "net/ipv4/conf/br.7/route_localnet=1"] },
      optional: {
        loss:
          'Ports that network "lan" publishes on 127.0.0.1 lead nowhere until the bridge "br.7"' +
          " can be set up for them",
        undo: off,
      },
    }],
    removal: [{ commands: [off], ignoreErrors: true }],
  });
  assertEquals(localRouting(publishing("address='127.0.0.9'")).steps.length, 1);
});

Deno.test("no bridge is set up for other ports", () => {
  const nothing = { steps: [], removal: [] };
  assertEquals(localRouting(filtered(IPV4)), nothing);
  assertEquals(localRouting(publishing("")), nothing);
  assertEquals(localRouting(publishing("address='192.0.2.1'")), nothing);
  assertEquals(localRouting(publishing("", "virbr0", "[fd44::9]")), nothing);
});

Deno.test("a bridge that was made again is seen to have lost the way", async () => {
  const policies = [
    publishing("localhost='yes'", "lost"),
    publishing("localhost='yes'", "good"),
    publishing("localhost='yes'", "gone"),
    publishing("", "other"),
  ];
  const runner = scriptedRunner((_, line) =>
    line.includes("/gone/")
      ? { status: 255, stderr: "sysctl: cannot stat" }
      : { stdout: line.includes("/good/") ? "1\n" : "0\n" }
  );
  assertEquals(await localRoutingDrift(runner, policies), [{
    network: "lan",
    difference: "net/ipv4/conf/lost/route_localnet is 0 instead of 1",
  }]);
  assertEquals(
    runner.ran,
    ["lost", "good", "gone"].map((bridge) => `sysctl -n net/ipv4/conf/${bridge}/route_localnet`),
  );
});
