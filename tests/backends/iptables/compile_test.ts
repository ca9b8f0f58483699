import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { compileChange } from "../../../backends/iptables/compile.ts";
import type { Variant } from "../../../backends/iptables/variant.ts";
import type { Command, CommandResult } from "../../../core/command.ts";
import {
  type Facts,
  NoBackendError,
  UnsupportedNetworkError,
} from "../../../core/firewall_backend.ts";
import type { FilteredPolicy } from "../../../core/policy/policy.ts";
import { filtered, FRESH_HOST, IPV4, IPV6 } from "../../support/definitions.ts";
import { hostilePolicies } from "./arbitrary_policies.ts";
import { compileOne, factsOf } from "./facts.ts";
import { afterCommands, installCommands, installed, removed } from "./tables.ts";

const NAT = `<forward><nat ipv6='yes'/></forward>${IPV4}${IPV6}`;

/** A listing with a chain that some network of ours has left. */
const LEFT = "*filter\n:BWALL_TO_virbr0 - [0:0]\nCOMMIT\n";

function verbs(commands: readonly Command[]): readonly string[] {
  const lines = commands.flatMap(({ stdin }) => stdin?.split("\n") ?? []);
  return [...new Set(lines.filter((line) => line.startsWith("-")).map((line) => line.slice(0, 2)))]
    .toSorted();
}

Deno.test("what does not stand is made new, so that nobody's chain is taken for ours", () => {
  const { install } = compileOne(filtered(NAT));
  assertEquals(verbs(install.map(({ command }) => command)), ["-A", "-I", "-N"]);
});

Deno.test("what stands is emptied and filled again, and its entries moved, not doubled", () => {
  const before = compileOne(filtered(NAT));
  const { install } = compileOne(filtered(NAT), { standing: [before] });
  assertEquals(verbs(install.map(({ command }) => command)), ["-A", "-D", "-F", "-I"]);
});

Deno.test("a network with other subnets is installed beside the shared chains that stand", () => {
  const before = compileOne(filtered(NAT));
  const moved = filtered(NAT.replaceAll("10.44", "10.45").replaceAll("fd44", "fd45"));
  const { install } = compileOne(moved, { standing: [before] });
  const lines = install.flatMap(({ command }) => command.stdin?.split("\n") ?? []);
  assert(!lines.includes("-N BRIDGEWALL_POST"));
  assert(lines.includes("-N BWALL_NAT_virbr0"));
  assert(lines.includes("-F BWALL_FROM_virbr0"));
});

Deno.test("after an interrupted change, chains that were filled in two ways are made new", () => {
  const before = compileOne(filtered(NAT));
  const more = compileOne(filtered(NAT + IPV4.replace("10.44", "10.45")));
  const lines = compileOne(filtered(NAT), { standing: [before, more] }).install
    .flatMap(({ command }) => command.stdin?.split("\n") ?? []);
  // It has another entry in the one and the other, so only one of them goes.
  assert(lines.includes("-N BWALL_NAT_virbr0"), lines.join("\n"));
  assert(lines.includes("-F BWALL_FROM_virbr0") && !lines.includes("-N BRIDGEWALL_POST"));
});

Deno.test("what is installed can be installed again, and goes without a trace", () => {
  fc.assert(fc.property(hostilePolicies(), fc.constantFrom("nft", "legacy"), (policy, variant) => {
    const change = compileOne(policy, { variant });
    const once = installed(new Map(), [change]);
    const again = compileOne(policy, { variant, standing: [change] });
    assertEquals(afterCommands(once, installCommands([again], [change])), once);
    assertEquals(removed(once, [change]), installed(new Map(), []));
  }));
});

Deno.test("a network goes without touching the rules of another", () => {
  const one = { ...filtered(NAT, "one"), bridge: "virbr1" };
  const other = filtered(NAT.replaceAll("10.44", "10.45").replaceAll("fd44", "fd45"), "other");
  const [leaving, staying] = compileChange([one, other], factsOf()).networks;
  assert(leaving !== undefined && staying !== undefined);
  const both = installed(new Map(), [leaving, staying]);
  assertEquals(removed(both, [leaving], [staying]), installed(new Map(), [staying]));
  assertEquals(removed(both, [leaving, staying]), installed(new Map(), []));
});

Deno.test("how a network is removed does not depend on what stands, nor on the other networks", () => {
  fc.assert(fc.property(hostilePolicies(), hostilePolicies(), (policy, other) => {
    const { removal } = compileOne(policy);
    const facts = factsOf({ standing: [compileOne(policy), compileOne(other)] });
    const host = { ...FRESH_HOST, interfaces: [policy.bridge], clsact: [policy.bridge] };
    const [change] = compileChange([policy, other], { ...facts, host }).networks;
    assertEquals(change?.removal, removal);
  }));
});

Deno.test("the variant that the host's iptables is gets the rules, by its own name", () => {
  for (const variant of ["nft", "legacy"] as const) {
    const { install, removal } = compileOne(filtered(NAT), { variant });
    const commands = [
      ...install.map(({ command }) => command),
      ...removal.flatMap((group) => group.commands),
    ];
    for (const { program, args } of commands) {
      assert([`iptables-${variant}-restore`, `ip6tables-${variant}-restore`].includes(program));
      assertEquals(args, ["--noflush", "--wait=60"]);
    }
    assert(removal.every(({ ignoreErrors }) => !ignoreErrors));
  }
});

Deno.test("both variants get the same rules", () => {
  const scripts = (variant: Variant): readonly unknown[] => {
    const { install, removal } = compileOne(filtered(NAT), { variant });
    return [
      ...install.map(({ command }) => command.stdin),
      ...removal.flatMap(({ commands }) => commands).map(({ stdin }) => stdin),
    ];
  };
  assertEquals(scripts("legacy"), scripts("nft"));
});

Deno.test("a kernel without IPv6 is not asked to filter it", () => {
  const { install, removal } = compileOne(filtered(NAT), { ipv6: false });
  const programs = [...install, ...removal.map(({ commands: [command] }) => ({ command }))]
    .map(({ command }) => command?.program);
  assertEquals([...new Set(programs)], ["iptables-nft-restore"]);
});

Deno.test("a host that was not asked is taken for one with nft and IPv6", () => {
  const answers = { to: () => undefined };
  const [change] = compileChange([filtered(NAT)], { ...factsOf(), answers }).networks;
  assertEquals(change, compileOne(filtered(NAT)));
});

Deno.test("a host whose iptables is gone, or tells no variant, gets no rules by a guess", () => {
  const saying = (answer: Partial<CommandResult>): Facts => {
    const { answers, ...facts } = factsOf({ saved: { "iptables-nft-save": LEFT } });
    const version = { status: 0, stdout: "", stderr: "", ...answer };
    const to: Facts["answers"]["to"] = (question) =>
      question.program === "iptables" ? version : answers.to(question);
    return { ...facts, answers: { to } };
  };
  const refuses = (answer: Partial<CommandResult>, why: string): void => {
    assertThrows(() => compileChange([filtered(NAT)], saying(answer)), NoBackendError, why);
    // What is there can be taken away all the same.
    assertEquals(compileChange([], saying(answer)).reset.length, 1);
  };
  refuses({ status: 127 }, "iptables is not installed");
  refuses({ stdout: "iptables v1.6.1\n" }, "which variant it is: iptables v1.6.1");
  refuses({ status: 1, stderr: "Segmentation fault\n" }, "Segmentation fault");
});

Deno.test("no rule is there to let a packet out before the one that translates it", () => {
  const [command] = installCommands([compileOne(filtered(NAT))]);
  const script = command?.stdin ?? "";
  assert(script.indexOf("*nat") < script.indexOf("*filter"), script);
});

Deno.test("a zone is told to mean nothing here", () => {
  const { warnings } = compileOne({ ...filtered(IPV4), zone: "home" });
  assertEquals(warnings, [
    'The zone "home" of network "lan" means nothing to the iptables backend: no zone is set',
  ]);
  assertEquals(compileOne(filtered(IPV4)).warnings, []);
});

Deno.test("a bridge or an interface that iptables cannot name is refused", () => {
  const refuses = (policy: FilteredPolicy): void => {
    assertThrows(() => compileOne(policy), UnsupportedNetworkError, "cannot write");
  };
  refuses({ ...filtered(IPV4), bridge: "virbr+" });
  for (const mode of ["nat", "route"]) {
    refuses(filtered(`<forward mode='${mode}' dev='!'/>${IPV4}`));
  }
});
