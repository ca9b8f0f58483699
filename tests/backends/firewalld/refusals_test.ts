import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { chooseZones } from "../../../backends/firewalld/choose_zone.ts";
import { compileChange } from "../../../backends/firewalld/compile.ts";
import { refuseUnsayable } from "../../../backends/firewalld/refusals.ts";
import { NoBackendError, UnsupportedNetworkError } from "../../../core/firewall_backend.ts";
import { HostError } from "../../../core/host.ts";
import type { FilteredPolicy } from "../../../core/policy/policy.ts";
import { filtered, FRESH_FACTS, IPV4 } from "../../support/definitions.ts";
import { answersOf, type Told } from "./answers.ts";

function nat(inner: string): FilteredPolicy {
  return filtered(`<forward mode='nat'><nat>${inner}</nat></forward>${IPV4}`);
}

function refusal(policy: FilteredPolicy): readonly [message: string, hint: string | undefined] {
  const { message, hint } = assertThrows(() => refuseUnsayable(policy), UnsupportedNetworkError);
  return [message, hint];
}

const OTHERS = "Choose a backend that can: `--backend nftables` or `--backend iptables`";
const NAMES = "Use letters, digits, `_` and `-`, and a zone that `firewall-cmd --get-zones` lists";

Deno.test("translation to chosen addresses is refused, with the backends that can", () => {
  assertEquals(refusal(nat("<address start='192.0.2.1' end='192.0.2.9'/>")), [
    'firewalld cannot translate to the address range 192.0.2.1-192.0.2.9 of network "lan": ' +
    "it knows only masquerading",
    OTHERS,
  ]);
});

Deno.test("translation to chosen ports is refused, but not to those that everybody uses", () => {
  assertEquals(refusal(nat("<port start='2000' end='3000'/>")), [
    'firewalld cannot translate to the port range 2000-3000 of network "lan": ' +
    "the kernel chooses ports when it masquerades",
    OTHERS,
  ]);
  refusal(nat("<port start='1024' end='65534'/>"));
  refuseUnsayable(nat("<port start='1024' end='65535'/>"));
  refuseUnsayable(filtered(`<forward mode='nat'/>${IPV4}`));
});

function publishing(attributes: string, inner = IPV4): FilteredPolicy {
  const element = `<b:publish xmlns:b='urn:bridgewall:network:1' proto='tcp' ${attributes}/>`;
  return filtered(`<metadata>${element}</metadata>${inner}`);
}

Deno.test("ports of 127.0.0.0/8 are refused: guests could speak into connections of lo", () => {
  for (
    const [attributes, port] of [
      ["port='80' to='10.44.0.10' localhost='yes'", "127.0.0.1:80/tcp"],
      ["port='80' to='10.44.0.10' address='127.0.0.5'", "127.0.0.5:80/tcp"],
    ] as const
  ) {
    assertEquals(refusal(publishing(attributes)), [
      `firewalld cannot lead port ${port} to a guest of network "lan": it accepts what belongs to a ` +
      "connection before it asks any zone, so guests could speak into those that the host has on " +
      'its "lo"',
      `Publish another address of the host than those of "lo". ${OTHERS}`,
    ]);
  }
});

Deno.test("a wide range is refused when each of its ports would lead to another one", () => {
  assertEquals(refusal(publishing("port='1000-1128' to='10.44.0.10:2000'")), [
    'firewalld cannot lead port 1000-1128/tcp to 10.44.0.10:2000-2128 of network "lan": it leads ' +
    "each of the 129 ports to another one by itself, at most 128",
    `Publish the same ports as those of the guest. ${OTHERS}`,
  ]);
  refuseUnsayable(publishing("port='1000-1127' to='10.44.0.10:2000'"));
  refuseUnsayable(publishing("port='1-65535' to='10.44.0.10'"));
});

Deno.test("interface names that firewalld would take for something else are refused", () => {
  const names = ["br+", "br lan", "br!", "br*", "-br", "br/0", "netz-é", "br\n", "a;b", "!br"];
  for (const bridge of names) {
    const [message, hint] = refusal({ ...filtered(IPV4), bridge });
    assertStringIncludes(message, "firewalld cannot be given the interface name");
    assertEquals(hint, NAMES);
  }
  for (const bridge of ["virbr0", "br-lan", "br.7", "_a", "a+b", "br@x", "br=1", "a~b"]) {
    refuseUnsayable({ ...filtered(IPV4), bridge });
  }
});

Deno.test("zone names that no zone of firewalld can have are refused", () => {
  for (const zone of ["", "a b", "-a", "a/b", "zöne", "a".repeat(18), "a;b", "a\n"]) {
    const [message, hint] = refusal({ ...filtered(IPV4), zone });
    assertStringIncludes(message, 'of network "lan" is no name of a firewalld zone');
    assertEquals(hint, NAMES);
  }
  for (const zone of ["public", "libvirt-routed", "a".repeat(17), "_x", "7"]) {
    refuseUnsayable({ ...filtered(IPV4), zone });
  }
});

const THROUGH = filtered(`<forward mode='nat' dev='eth1'/>${IPV4}`);

/** Where the device is, and why firewalld could then not tell it from others. */
const SHARED: readonly (readonly [Told, string])[] = [
  [{}, "it is in no zone but the default one"],
  [{ runtime: { eth1: "public" } }, 'it is in the default zone "public"'],
  [{ runtime: { eth1: "internal", eth2: "internal" } }, "it is not alone in its zone"],
  [
    { runtime: { eth1: "bw-virbr7" }, zones: ["bw-virbr7"] },
    "it is the bridge of another network",
  ],
];

for (const [told, why] of SHARED) {
  Deno.test(`a forward device is refused when ${why}, with the commands that mend it`, () => {
    const { message, hint } = assertThrows(
      () => chooseZones(THROUGH, answersOf(told), false),
      UnsupportedNetworkError,
    );
    assertStringIncludes(
      message,
      'firewalld cannot limit network "lan" to the forward device "eth1": ',
    );
    assertStringIncludes(message, why);
    assertStringIncludes(hint ?? "", "`firewall-cmd --zone=uplink --change-interface=eth1`");
  });
}

Deno.test("a forward device that shares its zone with a source is refused", () => {
  const stdout = JSON.stringify({
    data: [{ internal: { interfaces: ["eth1"], sources: ["192.0.2.0/24"] } }],
  });
  assertThrows(
    () => chooseZones(THROUGH, answersOf({ instead: [["getActiveZones", { stdout }]] }), false),
    UnsupportedNetworkError,
    "it is not alone in its zone",
  );
});

Deno.test("a forward device that has a zone for itself is its zone", () => {
  const { zones, warnings } = chooseZones(
    THROUGH,
    answersOf({ runtime: { eth1: "internal", eth2: "public" } }),
    false,
  );
  assertEquals(zones, { kind: "own", name: "bw-virbr0", device: { zone: "internal" } });
  assertEquals(warnings, []);
});

Deno.test("a network that is up is never refused: it loses its way out, and says so", () => {
  const { zones, warnings } = chooseZones(THROUGH, answersOf(), true);
  assertEquals(zones, { kind: "own", name: "bw-virbr0", device: {} });
  assertEquals(warnings, [
    'Network "lan" has no way out any more: its forward device "eth1" has no firewalld zone ' +
    "of its own",
  ]);
});

Deno.test("a zone that is missing is refused, with those that are there", () => {
  const policy = { ...filtered(IPV4), zone: "guests" };
  const { message, hint } = assertThrows(
    () => chooseZones(policy, answersOf({ zones: ["bw-virbr7"] }), false),
    HostError,
  );
  assertEquals(
    message,
    'Cannot put the bridge of network "lan" into the zone "guests": firewalld has no such zone',
  );
  assertEquals(
    hint,
    "Choose one of block, drop, internal, public, trusted, or make it: " +
      "`firewall-cmd --permanent --new-zone=guests`, `firewall-cmd --reload`",
  );
});

Deno.test("a named zone that accepts everything is warned of", () => {
  const inZone = (zone: string): readonly string[] =>
    chooseZones({ ...filtered(IPV4), zone }, answersOf(), false).warnings;
  assertEquals(inZone("internal"), []);
  const [warning, ...others] = inZone("trusted");
  assertEquals(others, []);
  assertStringIncludes(warning ?? "", 'The zone "trusted" of network "lan" accepts whatever comes');
});

function compile(told: Told): void {
  compileChange([filtered(IPV4)], { ...FRESH_FACTS, answers: answersOf(told) });
}

Deno.test("firewalld that is gone, failed or silent is no place for a network", () => {
  compile({});
  assertThrows(
    () => compile({ running: false }),
    NoBackendError,
    "Cannot use firewalld: firewalld is not running",
  );
  const failed = { stdout: '{"type":"s","data":"FAILED"}' };
  assertThrows(() => compile({ instead: [["state", failed]] }), NoBackendError, "state FAILED");
  for (const word of ["getZones", "getDefaultZone", "getActiveZones", "getZoneOfInterface"]) {
    const silent = { status: 1, stderr: "Call failed: Connection timed out\n" };
    assertThrows(
      () => compile({ instead: [[word, silent]] }),
      NoBackendError,
      "it does not answer (Call failed: Connection timed out)",
    );
  }
});

Deno.test("configuration that firewalld would not take is told of before it is changed", () => {
  const bad = { status: 1, stderr: "Call failed: INVALID_ZONE: Policy 'p'\n" };
  const { message, hint } = assertThrows(
    () => compile({ instead: [["checkPermanentConfig", bad]] }),
    HostError,
  );
  assertStringIncludes(message, "it would not take its own files (INVALID_ZONE: Policy 'p')");
  assertEquals(hint, "Mend what `firewall-cmd --check-config` speaks of");
});

Deno.test("a file of somebody else is never overwritten", () => {
  const path = "/etc/firewalld/zones/bw-virbr0.xml";
  assertThrows(
    () => compile({ instead: [[path, { stdout: "<zone><short>mine</short></zone>" }]] }),
    HostError,
    `the file "${path}" is somebody else's`,
  );
});
