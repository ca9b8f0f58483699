import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { forwardingSteps, missingForwarding } from "../../../core/change/forwarding.ts";
import { HostError, type HostFacts } from "../../../core/host.ts";
import { derivePolicy } from "../../../core/policy/derive_policy.ts";
import type { Policy } from "../../../core/policy/policy.ts";
import { FRESH_HOST, IPV4, IPV6, placed } from "../../support/definitions.ts";

function policy(elements: string): Policy {
  return derivePolicy(placed(elements));
}

const ROUTE4 = policy(`<forward mode='route'/>${IPV4}`);
const ROUTE6 = policy(`<forward mode='route'/>${IPV6}`);
const OPEN6 = policy(`<forward mode='open'/>${IPV6}`);
const ISOLATED = policy(IPV4 + IPV6);
const MACVTAP = policy("<forward mode='bridge'/><bridge name='br0'/>");
const FORWARDS_IPV4: HostFacts = { ...FRESH_HOST, forwarding: { ipv4: true, ipv6: false } };
const ADVERTISED: HostFacts = { ...FRESH_HOST, advertised: [{ device: "eth0", acceptRa: 1 }] };

function settings(policies: readonly Policy[], facts = FRESH_HOST): readonly string[] {
  return forwardingSteps(policies, facts).flatMap(({ command }) => {
    assertEquals(command.program, "sysctl");
    return command.args;
  });
}

Deno.test("forwarding is switched on for the families in use, in one run", () => {
  assertEquals(settings([ROUTE4]), ["-q", "-w", "net.ipv4.ip_forward=1"]);
  assertEquals(settings([ROUTE6]), ["-q", "-w", "net.ipv6.conf.all.forwarding=1"]);
  assertEquals(settings([OPEN6, ROUTE4, ROUTE4]), [
    "-q",
    "-w",
    "net.ipv4.ip_forward=1",
    "net.ipv6.conf.all.forwarding=1",
  ]);
});

Deno.test("forwarding that is on already is left alone", () => {
  assertEquals(settings([ROUTE4], FORWARDS_IPV4), []);
  assertEquals(settings([ROUTE4, ROUTE6], FORWARDS_IPV4).slice(2), [
    "net.ipv6.conf.all.forwarding=1",
  ]);
  const all = { ...FRESH_HOST, forwarding: { ipv4: true, ipv6: true } };
  assertEquals(missingForwarding([ROUTE4, ROUTE6], all), []);
});

Deno.test("networks that forward nothing change no setting", () => {
  assertEquals(settings([ISOLATED, MACVTAP]), []);
  assertEquals(missingForwarding([], FRESH_HOST), []);
});

Deno.test("a host that lives on router advertisements is not cut off", () => {
  const error = assertThrows(
    () => forwardingSteps([ROUTE6], ADVERTISED),
    HostError,
    'the host has its own IPv6 routes on "eth0" from router advertisements',
  );
  assertStringIncludes(error.hint ?? "", "`sysctl -w net/ipv6/conf/eth0/accept_ra=2`");
  assertStringIncludes(error.hint ?? "", "`--no-sysctl`");
});

Deno.test("advertisements hold nothing up that does not end them", () => {
  const steps = (policies: readonly Policy[], facts: HostFacts): number =>
    forwardingSteps(policies, facts).length;
  assertEquals(steps([ROUTE4], ADVERTISED), 1);
  assertEquals(steps([ISOLATED], ADVERTISED), 0);
  const forwards = { ...ADVERTISED, forwarding: { ipv4: true, ipv6: true } };
  assertEquals(steps([ROUTE6], forwards), 0);
  for (const acceptRa of [0, 2]) {
    const advertised = [{ device: "eth0", acceptRa }];
    assertEquals(steps([ROUTE6], { ...FRESH_HOST, advertised }), 1);
  }
  const second = [{ device: "eth0", acceptRa: 2 }, { device: "eth1", acceptRa: 1 }];
  assertThrows(
    () => forwardingSteps([ROUTE6], { ...FRESH_HOST, advertised: second }),
    HostError,
    '"eth1"',
  );
});
