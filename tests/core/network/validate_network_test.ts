import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { overlaps } from "../../../core/address.ts";
import { NetworkDefinitionError } from "../../../core/network/network_error.ts";
import { parseNetwork } from "../../../core/network/parse_network.ts";
import { validateTogether } from "../../../core/network/validate_network.ts";
import type { DefinedNetwork } from "../../../core/network/validate_network.ts";

function defined(name: string, elements = "", file = `${name}.xml`): DefinedNetwork {
  const text = `\n<network><name>${name}</name>${elements}</network>`;
  return { network: parseNetwork(text, file), file };
}

function ip(address: string, prefix: number): string {
  const family = address.includes(":") ? "ipv6" : "ipv4";
  return `<ip family='${family}' address='${address}' prefix='${prefix}'/>`;
}

function refuses(networks: readonly DefinedNetwork[], message: string, hint?: string): void {
  const error = assertThrows(() => validateTogether(networks), NetworkDefinitionError);
  assertEquals(error.message, message);
  assertEquals(error.hint, hint);
}

Deno.test("networks that have nothing in common are fine together", () => {
  validateTogether([]);
  validateTogether([
    defined("a", "<bridge name='virbr1'/>" + ip("10.0.0.1", 24) + ip("2001:db8::1", 64)),
    defined("b", "<bridge name='virbr2'/>" + ip("10.0.1.1", 24) + ip("2001:db8:0:1::1", 64)),
    defined("c", "<uuid>00000000-0000-4000-8000-000000000001</uuid>" + ip("10.0.2.1", 24)),
    defined("d", "<uuid>00000000-0000-4000-8000-000000000002</uuid>" + ip("9.255.255.1", 24)),
  ]);
});

Deno.test("the same name twice is refused", () => {
  refuses(
    [defined("lan"), defined("lan", "", "other.xml")],
    'other.xml:2:1: Network name "lan" is taken by "lan.xml"',
  );
});

Deno.test("names that look alike are different names", () => {
  validateTogether([defined("lan"), defined("LAN"), defined("lan "), defined("constructor")]);
});

Deno.test("the same UUID under another name is refused, however it is spelled", () => {
  refuses(
    [
      defined("a", "<uuid>00000000-0000-4000-8000-00000000000a</uuid>"),
      defined("b", "<uuid>0000000000004000800000000000000A</uuid>"),
    ],
    'b.xml:2:1: UUID 00000000-0000-4000-8000-00000000000a of network "b" ' +
      'is that of network "a" in "a.xml"',
    "Remove <uuid>",
  );
});

Deno.test("the same bridge twice is refused", () => {
  refuses(
    [defined("a", "<bridge name='virbr1'/>"), defined("b", "<bridge name='virbr1'/>")],
    'b.xml:2:1: Bridge "virbr1" of network "b" is that of network "a" in "a.xml"',
    "Write <bridge name='virbr%d'/> for a name that is free",
  );
});

Deno.test("templates and bridges of others can be shared, but not with a bridge of ours", () => {
  validateTogether([defined("a", "<bridge name='br%d'/>"), defined("b", "<bridge name='br%d'/>")]);
  const bridged = "<forward mode='bridge'/><bridge name='br0'/>";
  validateTogether([defined("a", bridged), defined("b", bridged)]);
  const networks = [defined("a", bridged), defined("b", "<bridge name='br0'/>")];
  for (const order of [networks, networks.toReversed()]) {
    assertThrows(() => validateTogether(order), NetworkDefinitionError, 'Bridge "br0"');
  }
});

Deno.test("subnets that overlap are refused with both, at the later network", () => {
  refuses(
    [defined("a", ip("10.0.0.1", 8)), defined("b", ip("10.20.0.1", 16))],
    'b.xml:2:1: Subnet 10.20.0.0/16 of network "b" overlaps 10.0.0.0/8 of network "a" in "a.xml"',
  );
  refuses(
    [defined("a", ip("10.20.0.1", 16)), defined("b", ip("10.0.0.1", 8))],
    'b.xml:2:1: Subnet 10.0.0.0/8 of network "b" overlaps 10.20.0.0/16 of network "a" in "a.xml"',
  );
  refuses(
    [defined("a", ip("2001:db8::1", 32)), defined("b", ip("2001:db8:7::1", 64))],
    'b.xml:2:1: Subnet 2001:db8:7::/64 of network "b" overlaps 2001:db8::/32 ' +
      'of network "a" in "a.xml"',
  );
  refuses(
    [defined("a", ip("10.0.0.1", 24)), defined("b", ip("10.0.0.2", 24))],
    'b.xml:2:1: Subnet 10.0.0.0/24 of network "b" overlaps 10.0.0.0/24 of network "a" in "a.xml"',
  );
});

Deno.test("a network behind a guest counts like one of its own", () => {
  const route = "<route address='10.7.0.0' prefix='16' gateway='10.0.0.2'/>";
  refuses(
    [defined("a", ip("10.0.0.1", 24) + route), defined("b", ip("10.7.1.1", 24))],
    'b.xml:2:1: Subnet 10.7.1.0/24 of network "b" overlaps 10.7.0.0/16 of network "a" in "a.xml"',
  );
});

Deno.test("a default route through a guest takes nothing from other networks", () => {
  const route = "<route address='0.0.0.0' gateway='10.0.0.2'/>";
  validateTogether([defined("a", ip("10.0.0.1", 24) + route), defined("b", ip("10.7.1.1", 24))]);
});

function publishes(attributes: string): string {
  return "<metadata><b:publish xmlns:b='urn:bridgewall:network:1' proto='tcp' " +
    `${attributes}/></metadata>`;
}

Deno.test("a port that two networks publish is refused with both, at the later network", () => {
  const a = defined("a", ip("10.0.0.1", 24) + publishes("port='8080' to='10.0.0.2'"));
  const wide = defined("b", ip("10.0.1.1", 24) + publishes("port='8000-8090' to='10.0.1.2'"));
  refuses(
    [a, wide],
    'b.xml:2:1: Port 8000-8090/tcp of network "b" is published by network "a" in "a.xml"',
    "Choose another port for one of the two",
  );
  refuses(
    [wide, a],
    'a.xml:2:1: Port 8080/tcp of network "a" is published by network "b" in "b.xml"',
    "Choose another port for one of the two",
  );
  const other = "port='8080' to='10.0.1.2' address='127.0.0.1'";
  validateTogether([a, defined("b", ip("10.0.1.1", 24) + publishes(other))]);
});

Deno.test("subnets of one network may overlap among themselves", () => {
  const route = "<route address='10.0.0.128' prefix='25' gateway='10.0.0.2'/>";
  validateTogether([defined("a", ip("10.0.0.1", 24) + ip("10.0.0.9", 24) + route)]);
});

Deno.test("subnets are refused exactly when two networks share an address", () => {
  const base = { ...defined("x") };
  const subnet = fc.record({ value: fc.nat({ max: 255 }), bits: fc.nat({ max: 8 }) })
    .map(({ value, bits }) => ({
      family: "ipv4" as const,
      value: BigInt((value >> bits) << bits),
      prefix: 32 - bits,
    }));
  const networks = fc.array(fc.array(subnet, { maxLength: 3 }), { maxLength: 5 });
  fc.assert(
    fc.property(networks, (all) => {
      const given = all.map((subnets, index) => {
        const addresses = subnets.map((one) => ({
          address: { family: one.family, value: one.value },
          subnet: one,
          dhcp: false,
          tftp: false,
          place: { file: "f", line: 1, column: 1 },
        }));
        return { file: "f", network: { ...base.network, name: `n${index}`, addresses } };
      });
      const share = all.some((subnets, index) =>
        all.slice(index + 1).some((others) =>
          others.some((other) => subnets.some((one) => overlaps(one, other)))
        )
      );
      let refused = false;
      try {
        validateTogether(given);
      } catch {
        refused = true;
      }
      assertEquals(refused, share);
    }),
    { numRuns: 500 },
  );
});

Deno.test("a thousand networks are checked in no time", () => {
  const networks = Array.from({ length: 1000 }, (_, index) => {
    const address = `10.${index >> 8}.${index & 255}.1`;
    return defined(`n${index}`, `<bridge name='b${index}'/>` + ip(address, 24));
  });
  const start = performance.now();
  validateTogether(networks);
  assert(performance.now() - start < 1000);
});
