import { assert, assertEquals } from "@std/assert";
import { type Family, formatAddress, formatSubnet } from "../../../core/address.ts";
import { derivePolicy } from "../../../core/policy/derive_policy.ts";
import { forwardedFamilies, type Forwarding } from "../../../core/policy/policy.ts";
import { filtered, IPV4, IPV6, placed } from "../../support/definitions.ts";

const ALL_PORTS = { start: 1024, end: 65535 };
const REPLIES: Forwarding = { direction: "replies", translation: { ports: ALL_PORTS } };
const BOTH: Forwarding = { direction: "both" };
const NONE: Forwarding = { direction: "none" };

/** The table of the design: `<forward>` → what passes in each family. */
const MODES: readonly (readonly [forward: string, ipv4: Forwarding, ipv6: Forwarding])[] = [
  ["", NONE, NONE],
  ["<forward mode='nat'/>", REPLIES, BOTH],
  ["<forward/>", REPLIES, BOTH],
  ["<forward mode='nat'><nat ipv6='no'/></forward>", REPLIES, BOTH],
  ["<forward mode='nat'><nat ipv6='yes'/></forward>", REPLIES, REPLIES],
  ["<forward mode='route'/>", BOTH, BOTH],
  [
    "<forward mode='nat' dev='eth1'/>",
    { ...REPLIES, device: "eth1" },
    { ...BOTH, device: "eth1" },
  ],
  [
    "<forward mode='route' dev='eth1'/>",
    { ...BOTH, device: "eth1" },
    { ...BOTH, device: "eth1" },
  ],
];

function forwardingOf(elements: string, family: Family): Forwarding | undefined {
  return filtered(elements).families.find((one) => one.family === family)?.forwarding;
}

for (const [forward, ipv4, ipv6] of MODES) {
  Deno.test(`the traffic of ${forward || "an isolated network"} is that of the design`, () => {
    for (const addresses of [IPV4, IPV6, IPV4 + IPV6]) {
      const elements = forward + addresses;
      assertEquals(forwardingOf(elements, "ipv4"), addresses === IPV6 ? undefined : ipv4);
      assertEquals(forwardingOf(elements, "ipv6"), addresses === IPV4 ? undefined : ipv6);
    }
  });
}

Deno.test("an address range translates IPv4 alone; ports hold for both families", () => {
  const nat = "<nat ipv6='yes'><address start='192.0.2.5' end='192.0.2.9'/>" +
    "<port start='2000' end='3000'/></nat>";
  const elements = `<forward mode='nat'>${nat}</forward>${IPV4}${IPV6}`;
  const ports = { start: 2000, end: 3000 };
  const ipv4 = forwardingOf(elements, "ipv4");
  assert(ipv4 !== undefined && ipv4.direction === "replies");
  const { addresses } = ipv4.translation ?? {};
  assert(addresses !== undefined);
  assertEquals([addresses.start, addresses.end].map(formatAddress), ["192.0.2.5", "192.0.2.9"]);
  assertEquals(ipv4.translation?.ports, ports);
  assertEquals(forwardingOf(elements, "ipv6"), { direction: "replies", translation: { ports } });
});

Deno.test("an open network has no rules, only the forwarding of its families", () => {
  const open = "<forward mode='open'/><bridge name='virbr3'/>";
  const expected = { kind: "open", network: "lan", mode: "open", bridge: "virbr3" } as const;
  assertEquals(derivePolicy(placed(open)), { ...expected, forwarding: [] });
  assertEquals(derivePolicy(placed(open + IPV4)), { ...expected, forwarding: ["ipv4"] });
  assertEquals(derivePolicy(placed(open + IPV6 + IPV4)), {
    ...expected,
    forwarding: ["ipv4", "ipv6"],
  });
});

Deno.test("a network that somebody else routes has nothing for a firewall to decide", () => {
  const forwards = {
    bridge: "<forward mode='bridge'/><bridge name='br0'/>",
    private: "<forward mode='private' dev='eth0'/>",
    vepa: "<forward mode='vepa' dev='eth0'/>",
    passthrough: "<forward mode='passthrough' dev='eth0'/>",
    hostdev: "<forward mode='hostdev'><pf dev='eth0'/></forward>",
  } as const;
  for (const [mode, forward] of Object.entries(forwards)) {
    const policy = derivePolicy(placed(forward));
    assertEquals<unknown>(policy, { kind: "bridged", network: "lan", mode });
    assertEquals(forwardedFamilies(policy), []);
  }
});

Deno.test("networks behind a guest belong to the network, in their own family", () => {
  const { families } = filtered(
    `<forward mode='route'/>${IPV4}${IPV6}` +
      "<route address='10.99.0.0' prefix='16' gateway='10.44.0.9'/>" +
      "<route family='ipv6' address='fd99::' prefix='48' gateway='fd44::9'/>",
  );
  assertEquals(families.map(({ subnets }) => subnets.map(formatSubnet)), [
    ["10.44.0.0/24", "10.99.0.0/16"],
    ["fd44::/64", "fd99::/48"],
  ]);
  assertEquals(families.map(({ hostAddresses }) => hostAddresses.map(formatAddress)), [
    ["10.44.0.1"],
    ["fd44::1"],
  ]);
});

Deno.test("a default route through a guest does not make everybody a guest", () => {
  const { families } = filtered(
    `<forward mode='nat'/>${IPV4}${IPV6}` +
      "<route address='0.0.0.0' prefix='0' gateway='10.44.0.9'/>" +
      "<route family='ipv6' address='::' prefix='0' gateway='fd44::9'/>",
  );
  assertEquals(families.map(({ subnets }) => subnets.map(formatSubnet)), [
    ["10.44.0.0/24"],
    ["fd44::/64"],
  ]);
});

Deno.test("several subnets of a family are one set, none inside another", () => {
  const [ipv4] = filtered(
    IPV4 + "<ip address='10.44.1.1' prefix='24'/>" +
      "<route address='10.44.0.128' prefix='25' gateway='10.44.0.9'/>",
  ).families;
  assertEquals(ipv4?.subnets.map(formatSubnet), ["10.44.0.0/24", "10.44.1.0/24"]);
  assertEquals(ipv4?.hostAddresses.map(formatAddress), ["10.44.0.1", "10.44.1.1"]);
});

Deno.test("guests talk IPv6 among themselves with an address, or with ipv6='yes'", () => {
  assertEquals(filtered(IPV4).guestsOverIpv6, false);
  assertEquals(filtered(IPV6).guestsOverIpv6, true);
  const yes = placed(IPV4);
  const policy = derivePolicy({ ...yes, network: { ...yes.network, ipv6: true } });
  assert(policy.kind === "filtered" && policy.guestsOverIpv6);
});

Deno.test("the host's services are those that the definition asks for", () => {
  const dhcp = "<dhcp><range start='10.44.0.2' end='10.44.0.9'/></dhcp>";
  const none = { dhcp: false, dhcpv6: false, dns: false, tftp: false };
  assertEquals(filtered("").services, none);
  assertEquals(filtered(IPV4).services, { ...none, dns: true });
  assertEquals(filtered(IPV6).services, { ...none, dns: true, dhcpv6: true });
  assertEquals(
    filtered(`<ip address='10.44.0.1' prefix='24'><tftp root='/srv/tftp'/>${dhcp}</ip>`).services,
    { dhcp: true, dhcpv6: false, dns: true, tftp: true },
  );
});

Deno.test("the zone of the bridge is kept for firewalls that know zones", () => {
  const zone = "<bridge name='virbr0' zone='dmz'/>";
  assertEquals(filtered(zone).zone, "dmz");
  const open = derivePolicy(placed(`<forward mode='open'/>${zone}`));
  assert(open.kind === "open");
  assertEquals(open.zone, "dmz");
  assertEquals("zone" in filtered(""), false);
});

Deno.test("the host forwards only the families in which something passes", () => {
  assertEquals(forwardedFamilies(filtered(IPV4 + IPV6)), []);
  assertEquals(forwardedFamilies(filtered(`<forward/>${IPV6}`)), ["ipv6"]);
  assertEquals(forwardedFamilies(filtered(`<forward/>${IPV6}${IPV4}`)), ["ipv4", "ipv6"]);
});
