/** Networks, policies and addresses from short texts. */
import { assert } from "@std/assert";
import { type IpAddress, parseAddress, parseSubnet, type Subnet } from "../../core/address.ts";
import type { Network } from "../../core/network/network.ts";
import { parseNetwork } from "../../core/network/parse_network.ts";
import { derivePolicy, type PlacedNetwork } from "../../core/policy/derive_policy.ts";
import type { FilteredPolicy } from "../../core/policy/policy.ts";
import { NO_ANSWERS } from "../../core/commands/snapshot.ts";
import type { Facts } from "../../core/firewall_backend.ts";
import type { HostFacts } from "../../core/host.ts";

/** A host on which nothing has been done yet. */
export const FRESH_HOST: HostFacts = {
  platform: "linux",
  interfaces: [],
  routes: [],
  forwarding: { ipv4: false, ipv6: false },
  advertised: [],
  clsact: [],
};

/** What a backend knows of that host: nothing stands, and nobody was asked. */
export const FRESH_FACTS: Facts = {
  host: FRESH_HOST,
  records: [],
  standing: [],
  answers: NO_ANSWERS,
};

/** Elements for the two kinds of addresses that most tests need. */
export const IPV4 = "<ip address='10.44.0.1' prefix='24'/>";
export const IPV6 = "<ip family='ipv6' address='fd44::1' prefix='64'/>";

/** The network with these elements beside its name. */
export function network(elements: string, name = "lan"): Network {
  return parseNetwork(`<network><name>${name}</name>${elements}</network>`, "test");
}

/** The same, on the bridge that the elements name, else on `virbr0`. */
export function placed(elements: string, name = "lan"): PlacedNetwork {
  const one = network(elements, name);
  return { network: one, bridge: one.bridge.name ?? "virbr0" };
}

/** The policy of a network in a mode that the host filters. */
export function filtered(elements: string, name = "lan"): FilteredPolicy {
  const policy = derivePolicy(placed(elements, name));
  assert(policy.kind === "filtered", policy.kind);
  return policy;
}

/** An address that must be one. */
export function address(text: string): IpAddress {
  const parsed = parseAddress(text);
  assert(parsed !== undefined, text);
  return parsed;
}

/** A subnet that must be one. */
export function subnet(text: string): Subnet {
  const parsed = parseSubnet(text);
  assert(parsed !== undefined, text);
  return parsed;
}
