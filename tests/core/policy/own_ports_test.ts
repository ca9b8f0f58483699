import { assertEquals } from "@std/assert";
import { parseSpec } from "../../../core/network/published_port.ts";
import { ownPortWarnings } from "../../../core/policy/own_ports.ts";

function warnings(...specs: readonly string[]): readonly string[] {
  return ownPortWarnings("web", specs.map((spec) => parseSpec(spec, { localhost: false })));
}

Deno.test("who takes the host's own port from it is told what is lost", () => {
  assertEquals(warnings("22:10.0.0.2/tcp"), [
    'Port 22/tcp of network "web" takes port 22 from the host: who logs in to the host by SSH comes ' +
    "to the guest. Name one address of the host to keep the others",
  ]);
  const names = "guests that ask the host for names ask that guest, in all networks";
  for (const protocol of ["tcp", "udp"]) {
    assertEquals(warnings(`53:10.0.0.2:5353/${protocol}`), [
      `Port 53/${protocol} of network "web" takes port 53 from the host: ${names}. Name one ` +
      "address of the host to keep the others",
    ]);
  }
});

Deno.test("a range takes each port that is in it", () => {
  assertEquals(warnings("20-70:10.0.0.2/udp").map((text) => /port (\d+) from/.exec(text)?.[1]), [
    "53",
    "67",
    "69",
  ]);
});

Deno.test("ports of one address, of another protocol and beside these take nothing", () => {
  assertEquals(
    warnings("192.0.2.1:22:10.0.0.2/tcp", "22:10.0.0.2/udp", "23:10.0.0.2/tcp", "67:10.0.0.2/tcp"),
    [],
  );
});
