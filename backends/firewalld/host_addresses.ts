/**
 * Which addresses the host has. firewalld has no word for "an address of the host": a port that it forwards
 * is taken from whatever passes through the host, unless the rule says for which address.
 */
import {
  bitsOf,
  compareSubnets,
  formatAddress,
  type IpAddress,
  isLinkLocal,
  parseAddress,
  subnetOf,
} from "../../core/address.ts";
import { type Command, firstLine } from "../../core/command.ts";
import type { Answers } from "../../core/firewall_backend.ts";
import { HostError } from "../../core/host.ts";
import { isLoopback } from "../../core/network/published_port.ts";
import { printable } from "../../core/quoted.ts";

/** All addresses of all interfaces, each in a line (ip-address(8)). */
export const ADDRESSES_QUESTION: Command = { program: "ip", args: ["-o", "address", "show"] };

/**
 * The addresses by which others can reach a guest, sorted; undefined where nobody asked. Not those of `lo`,
 * not those of one link (RFC 4007: what comes to them is not routed on), and not those that an interface
 * only sends from for a while (RFC 8981).
 *
 * @throws {HostError} When the host was asked, and did not answer.
 */
export function hostAddresses(answers: Answers): readonly IpAddress[] | undefined {
  const answer = answers.to(ADDRESSES_QUESTION);
  if (answer === undefined) return undefined;
  if (answer.status !== 0) {
    throw new HostError(
      "Cannot ask the host about its addresses: " +
        `ip ${ADDRESSES_QUESTION.args.join(" ")}: ${printable(firstLine(answer.stderr))}`,
      "Install the package iproute2",
    );
  }
  const lines = answer.stdout.split("\n").filter((line) => !PASSING.test(line));
  return distinct(lines.flatMap((line) => {
    const address = parseAddress(/ inet6? ([0-9a-f.:]+)/.exec(line)?.[1] ?? "");
    return address === undefined || !isReachable(address) ? [] : [address];
  }));
}

const PASSING = / inet6 .* scope \S+ (?:\S+ )*temporary /;

/** Sorted, each once. */
export function distinct(addresses: readonly IpAddress[]): readonly IpAddress[] {
  const byText = new Map(addresses.map((one) => [formatAddress(one), one]));
  return [...byText.values()].toSorted((one, other) =>
    compareSubnets({ ...one, prefix: 0 }, { ...other, prefix: 0 })
  );
}

function isReachable(address: IpAddress): boolean {
  return address.family === "ipv4"
    ? !isLoopback(address)
    : address.value !== 1n && !isLinkLocal(subnetOf(address, bitsOf("ipv6")));
}
