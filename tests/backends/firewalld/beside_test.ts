import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { parse } from "@std/xml";
import { besideFirewalld } from "../../../backends/firewalld/beside.ts";
import type { NetworkChange } from "../../../core/change/change.ts";
import {
  type Facts,
  type FirewallBackend,
  NoBackendError,
  zoneWarnings,
} from "../../../core/firewall_backend.ts";
import { HostError } from "../../../core/host.ts";
import { type FilteredPolicy, isFiltered } from "../../../core/policy/policy.ts";
import { filtered, FRESH_FACTS, IPV4 } from "../../support/definitions.ts";
import { emptyWorld, startProcess } from "../../support/model_host.ts";
import { group, input, step } from "../../support/operation.ts";
import { answersOf, type Told } from "./answers.ts";

const { host: MODEL } = startProcess(emptyWorld(), {}).context;

/** A backend with one rule for each network. */
const ALONE: FirewallBackend = {
  name: "nftables",
  platform: "linux",
  detect: () => Promise.resolve({ usable: true, evidence: "" }),
  questions: () => [],
  compile: (policies) => ({
    networks: policies.filter(isFiltered).map((policy) => ({
      network: policy.network,
      install: [step(input("nft", "rules"))],
      removal: [group(input("nft", "remove"))],
      warnings: ["Another warning", ...zoneWarnings(policy, "nftables")],
    })),
    reset: [input("nft", "reset")],
    unseen: [],
  }),
  signs: () => [],
  inspect: (_, installed) =>
    Promise.resolve({
      networks: installed.map(({ policy: { network } }) => ({ network })),
      drift: [],
    }),
};

const BESIDE = besideFirewalld(ALONE);

const NAT = filtered(`<forward mode='nat'/>${IPV4}`);
const ROUTED = filtered(`<forward mode='route'/>${IPV4}`);
const NAMED: FilteredPolicy = { ...NAT, zone: "internal" };

function factsOf(told: Told): Facts {
  return { ...FRESH_FACTS, answers: answersOf(told) };
}

function compile(policy: FilteredPolicy, told: Told = {}): NetworkChange {
  const [change] = BESIDE.compile([policy], factsOf(told)).networks;
  assert(change !== undefined);
  return change;
}

/** What is done to firewalld on the way in, and on the way out. */
function zoneWork({ install, removal }: NetworkChange): {
  readonly comes: readonly string[];
  readonly goes: readonly string[];
} {
  const words = (
    commands: readonly { readonly program: string; readonly args: readonly string[] }[],
  ) =>
    commands.filter(({ program }) => program !== "nft")
      .map(({ program, args }) =>
        program === "busctl" ? args.slice(args.indexOf("call") + 4).join(" ") : args.join(" ")
      );
  return {
    comes: words(install.map(({ command }) => command)),
    goes: words(removal.flatMap(({ commands }) => commands)),
  };
}

/** Into a zone out of none, and back. */
function visit(zone: string): ReturnType<typeof zoneWork> {
  return {
    comes: [
      `--permanent --zone=${zone} --change-interface=virbr0`,
      `changeZoneOfInterface ss ${zone} virbr0`,
    ],
    goes: [
      `--permanent --zone=${zone} --remove-interface=virbr0`,
      `removeInterface ss ${zone} virbr0`,
    ],
  };
}

Deno.test("a bridge goes into libvirt's zone while its network is up", () => {
  const change = compile(NAT);
  assertEquals(zoneWork(change), visit("libvirt"));
  assertEquals(change.warnings, ["Another warning"]);
  assertEquals(change.install[0], step(input("nft", "rules")));
  assertEquals(change.removal[0], group(input("nft", "remove")));
  assert(change.removal.slice(1).every(({ ignoreErrors }) => ignoreErrors));
});

Deno.test("a routed network has libvirt's zone for such, which lets in what comes from outside", () => {
  assertEquals(zoneWork(compile(ROUTED)), visit("libvirt-routed"));
});

Deno.test("without libvirt's zones the bridge is trusted, and the user is told what that means", () => {
  const nat = compile(NAT, { zones: [] });
  assertEquals(zoneWork(nat), visit("trusted"));
  assertEquals(nat.warnings.length, 2);
  assertStringIncludes(nat.warnings[1] ?? "", "reach every port of the host");
  const routed = compile(ROUTED, { zones: ["libvirt"] });
  assertEquals(zoneWork(routed), visit("trusted"));
  assertStringIncludes(routed.warnings[2] ?? "", "firewalld stops whoever opens connections");
});

Deno.test("a zone that the definition names is taken, and means something now", () => {
  const change = compile(NAMED, { zones: [] });
  assertEquals(zoneWork(change), visit("internal"));
  assertEquals(change.warnings, ["Another warning"]);
  // Named by the user: then it is no surprise.
  assertEquals(compile({ ...NAT, zone: "trusted" }, { zones: [] }).warnings, ["Another warning"]);
});

Deno.test("a zone that the definition names must be there", () => {
  const error = assertThrows(() => compile({ ...NAT, zone: "guests" }), HostError);
  assertStringIncludes(error.message, "firewalld has no such zone");
  assertStringIncludes(error.hint ?? "", "`firewall-cmd --permanent --new-zone=guests`");
});

Deno.test("a bridge goes back to the zone where an administrator had put it", () => {
  const told: Told = { runtime: { virbr0: "internal" }, permanent: { virbr0: "drop" } };
  assertEquals(zoneWork(compile(NAT, told)), {
    comes: visit("libvirt").comes,
    goes: [
      "--permanent --zone=drop --change-interface=virbr0",
      "changeZoneOfInterface ss internal virbr0",
    ],
  });
});

Deno.test("a bridge that stands goes back where it was before its network came up", () => {
  const first = compile(NAT, { runtime: { virbr0: "internal" }, permanent: { virbr0: "drop" } });
  const text = `<network><name>lan</name><bridge name='virbr0'/>${IPV4}</network>`;
  const network = parse(text, { trackPosition: false }).root;
  const records = [{ network, backend: "nftables", removal: first.removal }];
  const now: Told = { runtime: { virbr0: "libvirt" }, permanent: { virbr0: "libvirt" } };
  const [second] = BESIDE.compile([NAT], { ...factsOf(now), records }).networks;
  assert(second !== undefined);
  assertEquals(zoneWork(second), { comes: [], goes: zoneWork(first).goes });
});

Deno.test("guests whom firewalld keeps on their bridge reach ports of a network beside it, which is said", () => {
  const publish = "<metadata><b:publish xmlns:b='urn:bridgewall:network:1' proto='tcp' port='80' " +
    "to='10.44.0.10'/></metadata>";
  const publishing = filtered(`${publish}<forward mode='nat'/>${IPV4}`);
  const warned = (mode: string, policy = publishing): readonly string[] => {
    const text = `<network><name>other</name>${mode}<bridge name='virbr1'/>` +
      "<ip address='10.45.0.1' prefix='24'/></network>";
    const network = parse(text, { trackPosition: false }).root;
    const records = [{ network, backend: "firewalld", removal: [] }];
    const [change] = BESIDE.compile([policy], { ...factsOf({}), records }).networks;
    return change?.warnings.filter((warning) => warning.startsWith("Guests of")) ?? [];
  };
  assertStringIncludes(
    warned("")[0] ?? "",
    'Guests of network "other" reach the ports that network "lan" publishes, whatever its mode says',
  );
  assertEquals(warned("<forward mode='route'/>"), []);
  assertEquals(warned("", NAT), []);
});

Deno.test("a bridge that is in the zone already is not moved", () => {
  const told: Told = { runtime: { virbr0: "libvirt" }, permanent: { virbr0: "libvirt" } };
  assertEquals(zoneWork(compile(NAT, told)).comes, []);
  assertEquals(zoneWork(compile(NAT, { runtime: { virbr0: "libvirt" } })).comes, [
    "--permanent --zone=libvirt --change-interface=virbr0",
  ]);
});

/** Hosts on which there is nothing beside which anything could stand. */
const WITHOUT: readonly (readonly [string, Told])[] = [
  ["no firewalld runs", { running: false }],
  ["busctl is not installed", { instead: [["state", { status: 127 }]] }],
  ["there is no bus", {
    instead: [[
      "state",
      { status: 1, stderr: "Failed to connect to bus: No such file or directory\n" },
    ]],
  }],
  ["there is no bus, in the words of systemd 257", {
    instead: [["state", {
      status: 1,
      stderr: "Failed to connect to system scope bus via local transport: " +
        "No such file or directory\n",
    }]],
  }],
  ["no firewalld runs, in the words of dbus-broker", {
    instead: [["state", {
      status: 1,
      stderr: "Failed to get property state on interface org.fedoraproject.FirewallD1: " +
        "Destination does not exist\n",
    }]],
  }],
];

for (const [what, told] of WITHOUT) {
  Deno.test(`where ${what} the change is the backend's own`, () => {
    const facts = factsOf(told);
    for (const policy of [NAT, ROUTED, NAMED]) {
      assertEquals(BESIDE.compile([policy], facts), ALONE.compile([policy], facts));
    }
  });
}

Deno.test("an imagined host that nobody asked has no firewalld", () => {
  assertEquals(BESIDE.compile([NAT], FRESH_FACTS), ALONE.compile([NAT], FRESH_FACTS));
});

for (const word of ["state", "getZones", "getActiveZones", "getZoneOfInterface"]) {
  Deno.test(`a firewalld that says nothing to ${word} is none to guess about`, () => {
    const silent = { status: 1, stderr: "Call failed: Connection timed out\n" };
    assertThrows(
      () => compile(NAT, { instead: [[word, silent]] }),
      NoBackendError,
      "Cannot use firewalld: it does not answer (Call failed: Connection timed out)",
    );
  });
}

Deno.test("nothing is asked of firewalld's answers where nothing is installed", () => {
  const silent = { status: 1, stderr: "Call failed: Connection timed out\n" };
  const facts = factsOf({ instead: [["state", silent]] });
  assertEquals(BESIDE.compile([], facts).networks, []);
});

Deno.test("a bridge that firewalld cannot be told of is left where it is, and the user is told", () => {
  const change = compile({ ...NAT, bridge: "br+" });
  assertEquals(zoneWork(change), { comes: [], goes: [] });
  assertStringIncludes(change.warnings.join(), "so it stops what guests send beyond their bridge");
});

/** What is said of a bridge that is in that zone. */
async function drift(policy: FilteredPolicy, told: Told): Promise<readonly string[]> {
  const answers = answersOf(told);
  const run: typeof MODEL.run = (command) =>
    Promise.resolve(answers.to(command) ?? { status: 127, stdout: "", stderr: "" });
  const inspection = await BESIDE.inspect({ ...MODEL, run }, [{ policy, removal: [] }]);
  assertEquals(inspection.networks, [{ network: "lan" }]);
  return inspection.drift.map(({ difference }) => difference);
}

Deno.test("a bridge that somebody took out of its zone is told of", async () => {
  assertEquals(await drift(NAT, { runtime: { virbr0: "libvirt" } }), []);
  assertEquals(await drift(NAMED, { runtime: { virbr0: "internal" } }), []);
  assertEquals(await drift(NAT, { running: false }), []);
  assertEquals(await drift(NAT, {}), [
    'Bridge "virbr0" is in no zone of firewalld instead of "libvirt"',
  ]);
  assertEquals(await drift(NAMED, { runtime: { virbr0: "public" } }), [
    'Bridge "virbr0" is in the zone "public" of firewalld instead of "internal"',
  ]);
});
