import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { formatSubnet } from "../../../core/address.ts";
import { HostError, type HostRoute } from "../../../core/host.ts";
import {
  checkNetworkCollisions,
  checkRouteCollisions,
} from "../../../core/policy/check_collisions.ts";
import { subnetsOf } from "../../../core/network/subnets.ts";
import { address, placed, subnet } from "../../support/definitions.ts";

function ip(text: string): string {
  const [host = "", prefix = ""] = text.split("/");
  return `<ip family='${address(host).family}' address='${host}' prefix='${prefix}'/>`;
}

function together(elements: string, others: string): void {
  checkNetworkCollisions(
    [placed(`<bridge name='virbr0'/>${elements}`, "new")],
    [placed(`<bridge name='virbr1'/>${others}`, "old")],
  );
}

/** The subnet of an address, as messages show it. */
function masked(text: string): string {
  return formatSubnet(subnet(text));
}

/** `10.0.0.0/8 dev eth0` → a route, as `ip route` shows it. */
function route(text: string): HostRoute {
  const [destination = "", , device] = text.split(" ");
  const base = { destination: subnet(destination) };
  return device === undefined ? base : { ...base, device };
}

function onHost(elements: string, routes: readonly string[], known: readonly string[] = []): void {
  const own = placed(`<bridge name='virbr0'/>${elements}`, "new");
  checkRouteCollisions(own, routes.map(route), known.map(subnet));
}

/** Pairs that share addresses: one holds the other, the other way round, and equal. */
const SHARED: readonly (readonly [string, string])[] = [
  ["10.1.0.1/16", "10.1.2.1/24"],
  ["10.1.2.1/24", "10.1.0.1/16"],
  ["10.1.2.1/24", "10.1.2.99/24"],
  ["fd00:1::1/48", "fd00:1:0:5::1/64"],
  ["fd00:1:0:5::1/64", "fd00:1::1/48"],
  ["fd00:1::1/64", "fd00:1::2/64"],
];

for (const [one, other] of SHARED) {
  Deno.test(`${one} is refused beside an active network with ${other}, both named`, () => {
    assertThrows(
      () => together(ip(one), ip(other)),
      HostError,
      `Cannot bring up network "new": its subnet ${masked(one)} overlaps ${masked(other)} of the ` +
        'active network "old"',
    );
  });

  Deno.test(`${one} is refused beside a route of the host to ${other}`, () => {
    assertThrows(
      () => onHost(ip(one), [`${other} dev eth0`]),
      HostError,
      `Cannot bring up network "new": its subnet ${masked(one)} overlaps the host's route to ` +
        `${masked(other)} on interface "eth0"`,
    );
  });
}

Deno.test("a route without an interface is named by its destination alone", () => {
  assertThrows(
    () => onHost(ip("10.1.2.1/24"), ["10.1.0.0/16"]),
    HostError,
    "its subnet 10.1.2.0/24 overlaps the host's route to 10.1.0.0/16",
  );
});

Deno.test("neighbouring subnets and the other family do not collide", () => {
  together(ip("10.1.2.1/25"), ip("10.1.2.129/25"));
  together(ip("10.1.2.1/24"), ip("fd00::1/64"));
  onHost(ip("10.1.2.1/25"), ["10.1.2.128/25 dev eth0", "fd00::/8 dev eth0"]);
});

Deno.test("networks behind guests collide as well", () => {
  const behind = ip("10.1.2.1/24") +
    "<route address='10.9.0.0' prefix='16' gateway='10.1.2.3'/>";
  assertThrows(() => together(behind, ip("10.9.1.1/24")), HostError, "10.9.0.0/16 overlaps");
  assertThrows(() => together(ip("10.9.1.1/24"), behind), HostError, "overlaps 10.9.0.0/16");
  assertThrows(() => onHost(behind, ["10.9.1.0/24 dev eth0"]), HostError, "10.9.0.0/16");
});

Deno.test("the routes of the network's own bridge are its own", () => {
  onHost(ip("10.1.2.1/24"), ["10.1.2.0/24 dev virbr0"]);
  assertThrows(() => onHost(ip("10.1.2.1/24"), ["10.1.2.0/24 dev virbr1"]), HostError);
});

Deno.test("routes that stand for everything else collide with no network", () => {
  onHost(ip("10.1.2.1/24") + ip("fd00:1::1/64") + ip("2001:db8::1/64"), [
    ...["0.0.0.0/0 dev eth0", "0.0.0.0/1 dev tun0", "128.0.0.0/1 dev tun0"],
    ...["::/0 dev eth0", "::/1 dev tun0", "8000::/1 dev tun0", "2000::/3 dev tun0"],
  ]);
  assertThrows(() => onHost(ip("10.1.2.1/24"), ["0.0.0.0/2 dev tun0"]), HostError);
});

Deno.test("link-local routes, which every link has, collide with no network", () => {
  onHost(ip("fe80::1/64"), ["fe80::/64 dev eth0"]);
});

Deno.test("two networks on one bridge are refused, both named", () => {
  const one = placed("<bridge name='virbr0'/>", "new");
  const error = assertThrows(
    () => checkNetworkCollisions([one], [placed("<bridge name='virbr0'/>", "old")]),
    HostError,
    'network "new": bridge "virbr0" belongs to the active network "old"',
  );
  assertStringIncludes(error.hint ?? "", "another bridge");
});

Deno.test("two networks with one UUID are refused, both named", () => {
  const uuid = "<uuid>0f7a1c5e-5a8f-4f4e-8d35-7b3a1d7ad001</uuid>";
  assertThrows(
    () => together(uuid, uuid),
    HostError,
    'network "new": the active network "old" has the same UUID 0f7a1c5e-5a8f-4f4e-8d35-7b3a1d7ad001',
  );
  together("", "");
});

Deno.test("a network of somebody else's bridge collides with nothing", () => {
  const macvtap = placed("<forward mode='bridge'/><bridge name='virbr1'/>", "new");
  checkNetworkCollisions([macvtap], [placed("<bridge name='virbr1'/>", "old")]);
  checkRouteCollisions(macvtap, [route("10.0.0.0/8 dev eth0")], []);
});

Deno.test("a subnet that stood before is not asked about again, a new one is", () => {
  const routes = ["10.1.2.0/24 dev eth0", "10.5.0.0/16 dev eth0"];
  onHost(ip("10.1.2.1/24"), routes, ["10.1.2.0/24"]);
  assertThrows(
    () => onHost(ip("10.1.2.1/24") + ip("10.5.0.1/16"), routes, ["10.1.2.0/24"]),
    HostError,
    "its subnet 10.5.0.0/16",
  );
});

Deno.test("the subnets of a network are those of its addresses and its routes", () => {
  const { network } = placed(
    ip("10.1.2.1/24") + "<route address='10.9.0.0' prefix='16' gateway='10.1.2.3'/>",
  );
  assertEquals(subnetsOf(network), [subnet("10.1.2.0/24"), subnet("10.9.0.0/16")]);
});

Deno.test("8000 subnets beside 8000 others and as many routes are checked in no time", () => {
  const many = (base: string, count: number, element: (text: string) => string): string =>
    Array.from({ length: count }, (_, number) => element(`fd00:${base}:${number.toString(16)}::`))
      .join("");
  const behind = (text: string): string =>
    `<route family='ipv6' address='${text}' prefix='64' gateway='fd00::2'/>`;
  const own = placed(`${ip("fd00::1/64")}${many("1", 8000, behind)}`, "new");
  const other = placed(
    `<bridge name='virbr1'/>${ip("fd00:0:0:2::1/64")}` +
      many("2", 8000, behind).replaceAll("'fd00::2'", "'fd00:0:0:2::2'"),
    "old",
  );
  const routes = subnetsOf(other.network).map((destination) => ({ destination, device: "eth0" }));
  const start = performance.now();
  checkNetworkCollisions([own], [other]);
  checkRouteCollisions(own, routes, []);
  checkRouteCollisions(own, subnetsOf(own.network).map((destination) => ({ destination })), [
    ...subnetsOf(own.network),
  ]);
  const last = { destination: subnet("fd00:1:1f3f::/64") };
  assertThrows(
    () => checkRouteCollisions(own, [...routes, last], []),
    HostError,
    "its subnet fd00:1:1f3f::/64 overlaps",
  );
  const took = performance.now() - start;
  assertEquals(took < 3000, true, `${took} ms`);
});
