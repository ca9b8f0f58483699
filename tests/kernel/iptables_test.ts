/** What the iptables backend expects of both variants and the kernel, asked of them. */
import { assert } from "@std/assert";
import fc from "fast-check";
import { compileChange } from "../../backends/iptables/compile.ts";
import { parseNetwork } from "../../core/network/parse_network.ts";
import { derivePolicy } from "../../core/policy/derive_policy.ts";
import type { FilteredPolicy } from "../../core/policy/policy.ts";
import { hostilePolicies } from "../backends/iptables/arbitrary_policies.ts";
import { factsOf } from "../backends/iptables/facts.ts";
import { installCommands, removeCommands } from "../backends/iptables/tables.ts";
import { IPTABLES } from "../hosts/backends.ts";
import { hostTest } from "../hosts/requirements.ts";
import { filtered, IPV4, IPV6, subnet } from "../support/definitions.ts";
import { definitionOf, scenarios } from "../support/golden.ts";
import { assertNothing, assertStands, bringUp, comeAndGo } from "./iptables_standing.ts";
import { openKernel, runAll } from "./open_kernel.ts";

/** Subnets whose addresses have several forms, or a short one. */
const SUBNETS: readonly string[] = [
  ..."0.0.0.0/1 10.0.0.0/8 10.44.0.9/32 255.255.255.254/31".split(" "),
  ..."8000::/1 fd44::/64 fd44::1/128 1:0:2:3:4:5:6:7/128 0:2:3:4:5:6:7:8/128".split(" "),
  ..."2001:db8:0:0:1::/80 64:ff9b::a00:0/104 ::5/128 ::1:2300/120 ::ffff:a00:0/104".split(" "),
];

const DHCP = { dhcp: true, dhcpv6: true, dns: true, tftp: true };

function policyOf(scenario: string): readonly FilteredPolicy[] {
  const network = parseNetwork(definitionOf(scenario), scenario);
  const policy = derivePolicy({ network, bridge: network.bridge.name ?? "virbr0" });
  return policy.kind === "filtered" ? [policy] : [];
}

/** A network with this subnet and no address of the host's. */
function routing(text: string): FilteredPolicy {
  const one = subnet(text);
  const policy = filtered(`<forward mode='route'/>${IPV4}`);
  const own = {
    family: one.family,
    subnets: [one],
    hostAddresses: [],
    forwarding: { direction: "both" as const },
    published: [],
  };
  return { ...policy, families: [own] };
}

for (const { name, variant, tools } of IPTABLES) {
  hostTest({
    name: `${name} takes the rules of every scenario, lists what was asked, and lets it go`,
    tools,
    body: async (t) => {
      for (const scenario of scenarios()) {
        await t.step(scenario, () => comeAndGo(policyOf(scenario), variant));
      }
    },
  });

  hostTest({
    name: `whatever a policy asks for, ${name} takes it, lists it as asked, and lets it go`,
    tools,
    body: async () => {
      const property = fc.asyncProperty(
        hostilePolicies(),
        (policy) => comeAndGo([policy], variant),
      );
      await fc.assert(property, { numRuns: 40 });
    },
  });

  hostTest({
    name: `${name} lists every subnet in the form in which it was written`,
    tools,
    body: async (t) => {
      for (const text of SUBNETS) {
        await t.step(text, () => comeAndGo([routing(text)], variant));
      }
    },
  });

  hostTest({
    name: `${name} keeps a comment of full length, and every byte of it`,
    tools,
    body: async () => {
      for (const network of ["n".repeat(300), "é\"\\'`$".repeat(60), "-t", "!", ""]) {
        const policy = { ...filtered(`<forward/>${IPV4}${IPV6}`), network, services: DHCP };
        await comeAndGo([policy], variant);
      }
    },
  });

  hostTest({
    name: `with ${name} networks come and go beside one another`,
    tools,
    body: async () => {
      await using host = await openKernel();
      const numbered = (number: number): FilteredPolicy => {
        const addresses = (IPV4 + IPV6).replaceAll("44", String(44 + number));
        const policy = filtered(`<forward><nat ipv6='yes'/></forward>${addresses}`, `n${number}`);
        return { ...policy, bridge: `virbr${number}`, services: DHCP };
      };
      const policies = [0, 1, 2].map(numbered);
      const [one, two, three] = await bringUp(host, policies, variant);
      assert(one !== undefined && two !== undefined && three !== undefined);
      await runAll(host, removeCommands([two], [one, three]));
      await assertStands(host, [0, 2].map(numbered), [one, three]);
      const [back] = compileChange([numbered(1)], factsOf({ variant, standing: [one, three] }))
        .networks;
      assert(back !== undefined);
      await runAll(host, installCommands([back]));
      await assertStands(host, [0, 1, 2].map(numbered), [one, back, three]);
      await runAll(host, removeCommands([one, back, three]));
      await assertNothing(host, variant);
    },
  });
}
