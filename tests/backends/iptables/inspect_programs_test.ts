import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Command, Program } from "../../../core/command.ts";
import type { InstalledPolicy, NetworkInspection } from "../../../core/firewall_backend.ts";
import { HostError } from "../../../core/host.ts";
import { inspect, installedPolicies, listings, POLICIES } from "./inspecting.ts";

const LISTINGS = listings();

Deno.test("rules that are as they should be have no drift, and each program is asked once", async () => {
  const { inspection, ran } = await inspect(LISTINGS);
  assertEquals(inspection.drift, []);
  assertEquals(ran, ["iptables-nft-save --counters", "ip6tables-nft-save --counters"]);
});

type Traffic = NonNullable<NetworkInspection["traffic"]>;

function traffic(out: number, into: number, rejected: number): Traffic {
  const counted = (rules: number): { packets: number; bytes: number } => ({
    packets: 2 * rules,
    bytes: 100 * rules,
  });
  return { out: counted(out), in: counted(into), rejected: counted(rejected) };
}

Deno.test("the traffic of a network is that of both families, by all rules that count", async () => {
  const { inspection } = await inspect(listings("[2:100]"));
  assertEquals(inspection.networks, [
    // IPv4: three rules for what is translated, two for replies; IPv6: one each. Two reject each.
    { network: "lan", traffic: traffic(3 + 1, 2 + 1, 4) },
    { network: "other", traffic: traffic(0, 0, 4) },
  ]);
});

Deno.test("what guests say to one another is not counted", async () => {
  const guestToGuest = (text = ""): string =>
    text.replaceAll(/\[0:0\](.*guest to guest)/g, "[9:900]$1");
  const { inspection } = await inspect({
    "iptables-nft-save": guestToGuest(LISTINGS["iptables-nft-save"]),
    "ip6tables-nft-save": guestToGuest(LISTINGS["ip6tables-nft-save"]),
  });
  assertEquals(inspection.networks.map((one) => one.traffic), [traffic(0, 0, 0), traffic(0, 0, 0)]);
});

Deno.test("a network that misses a rule that counts has no traffic to tell", async () => {
  const counted = listings("[2:100]");
  const edited = counted["iptables-nft-save"]?.replace(/.*"lan: everything else".*\n/, "") ?? "";
  const { inspection } = await inspect({ ...counted, "iptables-nft-save": edited });
  assertEquals(inspection.networks[0], { network: "lan" });
  const nothing = { "iptables-nft-save": "", "ip6tables-nft-save": "" };
  assertEquals((await inspect(nothing)).inspection.networks, [
    { network: "lan" },
    { network: "other" },
  ]);
});

/** The networks as recorded after some of their commands were refused. */
function without(isLost: (command: Command) => boolean): readonly InstalledPolicy[] {
  return installedPolicies().map(({ policy, removal }) => ({
    policy,
    removal: removal.filter(({ commands }) => !commands.some(isLost)),
  }));
}

Deno.test("what could not be installed is not expected", async () => {
  const noMangle = (LISTINGS["iptables-nft-save"] ?? "").replace(/\*mangle\n[^]*?COMMIT\n/, "");
  assert(!noMangle.includes("BRIDGEWALL_SUM"));
  const recorded = without(({ stdin }) => stdin?.startsWith("*mangle") === true);
  const { inspection } = await inspect({ ...LISTINGS, "iptables-nft-save": noMangle }, recorded);
  assertEquals(inspection.drift, []);
  const all = await inspect({ ...LISTINGS, "iptables-nft-save": noMangle });
  assertEquals(all.inspection.drift.map(({ difference }) => difference), [
    "The jump from POSTROUTING to BRIDGEWALL_SUM is missing",
    'Chain "BRIDGEWALL_SUM" is missing',
  ]);
});

Deno.test("a program that holds none of the rules is not asked", async () => {
  const recorded = without(({ program }) => program === "ip6tables-nft-restore");
  const { inspection, ran } = await inspect({ ...LISTINGS, "ip6tables-nft-save": "" }, recorded);
  assertEquals([inspection.drift, ran], [[], ["iptables-nft-save --counters"]]);
  assertEquals(await inspect({}, []), { inspection: { networks: [], drift: [] }, ran: [] });
});

Deno.test("rules are looked for where they were made, whatever the host's iptables is now", async () => {
  const [lan, other] = POLICIES.map((policy, index) =>
    installedPolicies([policy], { variant: index === 0 ? "legacy" : "nft" })
  );
  assert(lan !== undefined && other !== undefined);
  const empty = "*filter\n:FORWARD ACCEPT [0:0]\nCOMMIT\n";
  const programs: readonly Program[] = [
    ...["iptables-nft-save", "ip6tables-nft-save"] as const,
    ...["iptables-legacy-save", "ip6tables-legacy-save"] as const,
  ];
  const { inspection, ran } = await inspect(
    Object.fromEntries(programs.map((program) => [program, empty])),
    [...lan, ...other],
  );
  assertEquals(ran, programs.map((program) => `${program} --counters`));
  const missing = inspection.drift.map(({ difference }) => difference);
  for (const bridge of ["virbr0", "virbr1"]) {
    const chain = `Chain "BWALL_FROM_${bridge}" is missing`;
    assertEquals(missing.filter((one) => one === chain).length, 2);
  }
});

Deno.test("a program that does not answer is an error, not drift", async () => {
  const stderr = "iptables-save: Could not fetch rule set generation id: Permission denied\nmore\n";
  await assertRejects(
    () => inspect({ ...LISTINGS, "iptables-nft-save": { status: 4, stderr } }),
    HostError,
    "Cannot list the rules of iptables: iptables-nft-save: iptables-save: Could not fetch rule set " +
      "generation id: Permission denied",
  );
  await assertRejects(
    () => inspect({ "iptables-nft-save": LISTINGS["iptables-nft-save"] ?? "" }),
    HostError,
    'the program "ip6tables-nft-save" is not installed',
  );
});
