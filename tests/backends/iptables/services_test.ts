import { assertEquals } from "@std/assert";
import { serviceRules } from "../../../backends/iptables/services.ts";
import type { Family } from "../../../core/address.ts";
import type { FilteredPolicy } from "../../../core/policy/policy.ts";
import { filtered, IPV4, IPV6 } from "../../support/definitions.ts";

const NETBOOT = "<ip address='10.44.0.1' prefix='24'><tftp root='/srv'/><dhcp>" +
  "<range start='10.44.0.2' end='10.44.0.9'/></dhcp></ip>";

/** Requests and replies of a network, without what all of them have in common. */
function services(policy: FilteredPolicy, family: Family): readonly string[] {
  return serviceRules(policy, family).flatMap(({ request, reply }) =>
    [request, reply].map(({ match, verdict }) => {
      assertEquals(verdict, ["-j", "ACCEPT"]);
      return match.join(" ").replace(/^-p (\w+) -m \1 /, "$1 ");
    })
  );
}

const DHCP = ["udp --dport 67", "udp --sport 67 --dport 68"];
const DHCPV6 = ["udp --dport 547", "udp --sport 547 --dport 546"];
const DNS = ["udp --dport 53", "udp --sport 53", "tcp --dport 53", "tcp --sport 53"];

Deno.test("guests that get their addresses from the host may ask for them, and for names", () => {
  assertEquals(services(filtered(NETBOOT.replace(/<tftp.*?>/, "")), "ipv4"), [...DHCP, ...DNS]);
});

Deno.test("guests with addresses of their own may ask for names", () => {
  assertEquals(services(filtered(IPV4), "ipv4"), DNS);
});

Deno.test("guests may ask over IPv6 where the host has an IPv6 address, and only there", () => {
  assertEquals(services(filtered(IPV4 + IPV6), "ipv6"), [...DHCPV6, ...DNS]);
  assertEquals(services(filtered(IPV4), "ipv6"), []);
  assertEquals(services(filtered(IPV6), "ipv4"), []);
});

Deno.test("a network without addresses offers nothing", () => {
  const quiet = filtered("");
  assertEquals([services(quiet, "ipv4"), services(quiet, "ipv6")], [[], []]);
});

Deno.test("guests that boot over the network get the host's packets from any port, and answer them", () => {
  assertEquals(services(filtered(NETBOOT), "ipv4"), [
    ...DHCP,
    ...DNS,
    "udp --dport 69",
    "udp --sport 69",
    "-p udp -m conntrack --ctstate ESTABLISHED --ctdir REPLY",
    "udp --sport 1024:65535 --dport 1024:65535",
  ]);
  assertEquals(services(filtered(NETBOOT + IPV6), "ipv6"), [...DHCPV6, ...DNS]);
});

Deno.test("each rule says which network it serves, and with what", () => {
  const comments = serviceRules(filtered(NETBOOT, "lab"), "ipv4")
    .flatMap(({ request, reply }) => [request.comment, reply.comment]);
  assertEquals(comments, [
    ...["lab: DHCP", "lab: DHCP, replies"],
    ...["lab: DNS", "lab: DNS, replies", "lab: DNS", "lab: DNS, replies"],
    ...["lab: TFTP", "lab: TFTP, errors"],
    ...["lab: TFTP, data that guests acknowledge", "lab: TFTP, data"],
  ]);
});
