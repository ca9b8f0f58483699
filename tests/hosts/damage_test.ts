/** What somebody else does to our rules: `check` names it, `reload` and `up` repair, `down` cleans. */
import { assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { IPTABLES, type IptablesUnderTest } from "./backends.ts";
import { type Bridgewall, openBridgewall } from "./bridgewall.ts";
import { ISOLATED, NAT } from "./five_networks.ts";
import { type FAMILY_PROGRAMS, variantProgram } from "./iptables_variant.ts";
import { hostTest } from "./requirements.ts";
import { firewallState } from "./ruleset.ts";
import { mustRun } from "./run_program.ts";
import { type Case, proveSideBySide } from "./side_by_side.ts";
import { makeHost } from "./topology.ts";

/** Something that somebody else does, and what `check` must name. */
interface Damage {
  readonly says: string;
  readonly names: RegExp;
  readonly family?: (typeof FAMILY_PROGRAMS)[number];
  /** Arguments of iptables. */
  readonly args: readonly string[];
  /** The chain whose first rule stands at the end of the arguments. */
  readonly copyFrom?: string;
}

const { bridge } = NAT;

const DAMAGES: readonly Damage[] = [
  { says: "flushes FORWARD", names: /FORWARD/, args: ["-F", "FORWARD"] },
  {
    says: "flushes FORWARD of IPv6",
    names: /FORWARD/,
    family: "ip6tables",
    args: ["-F", "FORWARD"],
  },
  { says: "deletes one of our jumps", names: /BRIDGEWALL_POSE/, args: ["-D", "FORWARD", "1"] },
  {
    says: "puts one of our jumps there twice",
    names: /BRIDGEWALL_POSE/,
    args: ["-A", "FORWARD"],
    copyFrom: "FORWARD",
  },
  {
    says: "flushes POSTROUTING of nat",
    names: /POSTROUTING/,
    args: ["-t", "nat", "-F", "POSTROUTING"],
  },
  {
    says: "flushes POSTROUTING of mangle",
    names: /POSTROUTING/,
    args: ["-t", "mangle", "-F", "POSTROUTING"],
  },
  { says: "flushes INPUT", names: /INPUT/, args: ["-F", "INPUT"] },
  {
    says: "deletes a network's jump",
    names: new RegExp(bridge),
    args: ["-D", "BRIDGEWALL_TO", "1"],
  },
  {
    says: "puts a rule before ours in our chain",
    names: new RegExp(`BWALL_FROM_${bridge}`),
    args: ["-I", `BWALL_FROM_${bridge}`, "1", "-s", "10.9.8.7", "-j", "ACCEPT"],
  },
  {
    says: "puts a rule after ours in a shared chain",
    names: /BRIDGEWALL_INP/,
    args: ["-A", "BRIDGEWALL_INP", "-p", "tcp", "--dport", "22", "-j", "ACCEPT"],
  },
  {
    says: "flushes our chain",
    names: new RegExp(`BWALL_TO_${bridge}`),
    args: ["-F", `BWALL_TO_${bridge}`],
  },
  {
    says: "flushes our chain of IPv6",
    names: new RegExp(`BWALL_TO_${bridge}`),
    family: "ip6tables",
    args: ["-F", `BWALL_TO_${bridge}`],
  },
  {
    says: "flushes our chain of nat",
    names: new RegExp(`BWALL_NAT_${bridge}`),
    args: ["-t", "nat", "-F", `BWALL_NAT_${bridge}`],
  },
];

/** A host with networks of ours. */
interface Harmed {
  readonly host: string;
  readonly bridgewall: Bridgewall;
  readonly files: readonly string[];
  readonly before: string;
  readonly healthy: string;
}

async function harm(
  backend: IptablesUnderTest,
  then: (harmed: Harmed) => Promise<void>,
): Promise<void> {
  await using place = await makeHost([NAT, ISOLATED]);
  const { host } = place;
  const bridgewall = await openBridgewall(place, backend);
  const before = await firewallState(host);
  const files = await Promise.all([NAT, ISOLATED].map(bridgewall.write));
  await bridgewall.succeed(["up", ...files]);
  const healthy = await firewallState(host);
  await then({ host, bridgewall, files, before, healthy });
}

async function damage(
  namespace: string,
  { variant }: IptablesUnderTest,
  { family = "iptables", args, copyFrom }: Damage,
): Promise<void> {
  const program = [variantProgram(family, variant), "--wait=60"];
  const copied: string[] = [];
  if (copyFrom !== undefined) {
    const listed = await mustRun([...program, "-S", copyFrom, "1"], { namespace });
    copied.push(...listed.trim().split(" ").slice(2));
  }
  await mustRun([...program, ...args, ...copied], { namespace });
}

/** Damage is named, repaired by this command, and does not hinder `down`. */
async function proveRepaired(
  backend: IptablesUnderTest,
  harmful: Damage,
  repair: "reload" | "up",
): Promise<void> {
  await harm(backend, async ({ host, bridgewall, files, before, healthy }) => {
    await damage(host, backend, harmful);
    assertNotEquals(await firewallState(host), healthy);
    const { code, stdout, stderr } = await bridgewall.run(["check"]);
    assertEquals(code, 3, stdout + stderr);
    assertMatch(stdout, harmful.names);
    await bridgewall.succeed(repair === "reload" ? ["reload"] : ["up", ...files]);
    assertEquals(await firewallState(host), healthy, `after ${repair}`);
    await bridgewall.succeed(["check"]);
    await damage(host, backend, harmful);
    await bridgewall.succeed(["down", "--all"]);
    assertEquals(await firewallState(host), before, "after down");
  });
}

/** With the records everything is forgotten, but what `up` makes is ours all the same. */
async function proveRecordsLost(backend: IptablesUnderTest): Promise<void> {
  await harm(backend, async ({ host, bridgewall, files, before, healthy }) => {
    for await (const { name } of Deno.readDir(bridgewall.stateDirectory)) {
      if (name.endsWith(".xml")) await Deno.remove(`${bridgewall.stateDirectory}/${name}`);
    }
    await bridgewall.succeed(["up", ...files]);
    assertEquals(await firewallState(host), healthy, "after up");
    await bridgewall.succeed(["check"]);
    await bridgewall.succeed(["down", "--all"]);
    assertEquals(await firewallState(host), before, "after down");
  });
}

for (const backend of IPTABLES) {
  const { name, tools } = backend;
  hostTest({
    name:
      `${name}: whatever somebody does to our rules, check names it and the next command repairs`,
    tools,
    body: async (t) => {
      await proveSideBySide(t, [
        ...DAMAGES.map((harmful, index): Case => {
          // Both repair in the same way; taking turns halves the time.
          const repair = index % 2 === 0 ? "reload" : "up";
          return {
            says: `somebody ${harmful.says}: ${repair} repairs`,
            prove: () => proveRepaired(backend, harmful, repair),
          };
        }),
        {
          says: "somebody loses the records",
          prove: () => proveRecordsLost(backend),
        },
      ]);
    },
  });
}
