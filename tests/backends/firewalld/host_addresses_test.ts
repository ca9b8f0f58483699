import { assertEquals, assertThrows } from "@std/assert";
import { ADDRESSES_QUESTION, hostAddresses } from "../../../backends/firewalld/host_addresses.ts";
import { formatAddress } from "../../../core/address.ts";
import type { CommandResult } from "../../../core/command.ts";
import { commandKey } from "../../../core/change/change.ts";
import { NO_ANSWERS } from "../../../core/commands/snapshot.ts";
import { HostError } from "../../../core/host.ts";

/** As iproute2 6.1 prints it: an address leased, one of a tunnel with its peer, and those of IPv6. */
const LISTING = String
  .raw`1: lo    inet 127.0.0.1/8 scope host lo\       valid_lft forever preferred_lft forever
1: lo    inet6 ::1/128 scope host noprefixroute \       valid_lft forever preferred_lft forever
2: eth0    inet 192.0.2.7/24 metric 100 brd 192.0.2.255 scope global dynamic eth0\       valid_lft 86sec preferred_lft 86sec
2: eth0    inet 192.0.2.8/24 brd 192.0.2.255 scope global secondary eth0\       valid_lft forever preferred_lft forever
2: eth0    inet6 2001:db8::b1f3:9/64 scope global temporary dynamic \       valid_lft 86sec preferred_lft 14sec
2: eth0    inet6 2001:db8::7/64 scope global dynamic mngtmpaddr noprefixroute \       valid_lft 86sec preferred_lft 14sec
2: eth0    inet6 fe80::1234:56ff:fe78:9abc/64 scope link \       valid_lft forever preferred_lft forever
3: temporary    inet 10.7.0.1 peer 10.7.0.2/32 scope global temporary\       valid_lft forever preferred_lft forever
4: virbr0    inet 192.0.2.8/32 scope global virbr0\       valid_lft forever preferred_lft forever
`;

function told(answer: Partial<CommandResult>): readonly string[] | undefined {
  return hostAddresses({
    to: (question) =>
      commandKey(question) === commandKey(ADDRESSES_QUESTION)
        ? { status: 0, stdout: "", stderr: "", ...answer }
        : undefined,
  })?.map(formatAddress);
}

Deno.test("addresses of the host are those by which others reach it, each once", () => {
  assertEquals(told({ stdout: LISTING }), [
    "10.7.0.1",
    "192.0.2.7",
    "192.0.2.8",
    "2001:db8::7",
  ]);
  assertEquals(told({}), []);
});

Deno.test("a host that was not asked has no addresses that are known; one that does not answer is refused", () => {
  assertEquals(hostAddresses(NO_ANSWERS), undefined);
  assertThrows(
    () => told({ status: 127, stderr: "ip: not found" }),
    HostError,
    "Cannot ask the host about its addresses: ip -o address show: ip: not found",
  );
});
