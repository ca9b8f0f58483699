import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  findSharedPort,
  formatSpec,
  isLoopback,
  parseSpec,
  type PublishedPort,
} from "../../../core/network/published_port.ts";
import { CROWDED_PORTS } from "../../support/arbitrary_ports.ts";

function shared(...specs: readonly string[]): readonly string[] | undefined {
  const all = specs.map((spec) => {
    const localhost = spec.endsWith("!");
    return { published: parseSpec(spec.replace("!", ""), { localhost }), owner: spec };
  });
  return findSharedPort(all)?.map(({ owner }) => owner);
}

/** Two ports and whether some packet would have to go to both guests. */
const PAIRS: readonly (readonly [one: string, other: string, meet: boolean])[] = [
  ["80:10.0.0.2/tcp", "80:10.0.0.3/tcp", true],
  ["80:10.0.0.2/tcp", "80:10.0.0.2/tcp", true],
  ["80:10.0.0.2/tcp", "80:10.0.0.2/udp", false],
  ["80:10.0.0.2/tcp", "81:10.0.0.2/tcp", false],
  ["80:10.0.0.2/tcp", "80:[fd00::2]/tcp", false],
  ["80-90:10.0.0.2/tcp", "90-95:10.0.0.3/tcp", true],
  ["80-90:10.0.0.2/tcp", "91-95:10.0.0.3/tcp", false],
  ["80-90:10.0.0.2/tcp", "85:10.0.0.3/tcp", true],
  ["1-65535:10.0.0.2/tcp", "65535:10.0.0.3/tcp", true],
  ["192.0.2.1:80:10.0.0.2/tcp", "192.0.2.2:80:10.0.0.3/tcp", false],
  ["192.0.2.1:80:10.0.0.2/tcp", "192.0.2.1:80:10.0.0.3/tcp", true],
  ["192.0.2.1:80:10.0.0.2/tcp", "80:10.0.0.3/tcp", true],
  ["127.0.0.1:80:10.0.0.2/tcp", "80:10.0.0.3/tcp", false],
  ["127.0.0.1:80:10.0.0.2/tcp", "80:10.0.0.3/tcp!", true],
  ["127.0.0.2:80:10.0.0.2/tcp", "80:10.0.0.3/tcp!", false],
  ["192.0.2.1:80:10.0.0.2/tcp!", "192.0.2.2:80:10.0.0.3/tcp!", true],
  ["192.0.2.1:80:10.0.0.2/tcp!", "127.0.0.1:80:10.0.0.3/tcp", true],
  ["192.0.2.1:80:10.0.0.2/tcp!", "192.0.2.2:80:10.0.0.3/tcp", false],
  ["[2001:db8::1]:80:[fd00::2]/tcp", "80:[fd00::3]/tcp", true],
];

for (const [one, other, meet] of PAIRS) {
  Deno.test(`${one} and ${other} ${meet ? "share a port" : "go together"}`, () => {
    const pair = meet ? [one, other].toSorted() : undefined;
    assertEquals(shared(one, other)?.toSorted(), pair);
    assertEquals(shared(other, one)?.toSorted(), pair);
  });
}

/** Every address that a packet could have, for what these ports tell apart. */
const ADDRESSES = [0x7f000001n, 0x7f000002n, 0xc0000201n, 0xc0000202n, 0xc0000203n, 2n, 3n, 4n];

/** Whether a packet of this kind goes to the port's guest, by the words of its fields alone. */
function takes(port: PublishedPort, destination: bigint, number: number): boolean {
  const { family } = port.guest;
  const isLocal = isLoopback({ family, value: destination });
  const isAddressed = port.hostAddress === undefined
    ? !isLocal
    : port.hostAddress.value === destination;
  const isLocalhost = port.localhost && destination === 0x7f000001n;
  return (isAddressed || isLocalhost) && port.ports.start <= number && number <= port.ports.end;
}

function meetByHand(one: PublishedPort, other: PublishedPort): boolean {
  if (one.protocol !== other.protocol || one.guest.family !== other.guest.family) return false;
  return ADDRESSES.some((destination) =>
    Array.from({ length: 30 }, (_, number) => number).some((number) =>
      takes(one, destination, number) && takes(other, destination, number)
    )
  );
}

Deno.test("two ports are found exactly when some packet would have to go to both guests", () => {
  let found = 0;
  fc.assert(
    fc.property(fc.array(CROWDED_PORTS, { maxLength: 7 }), (ports) => {
      const all = ports.map((published, owner) => ({ published, owner }));
      const byHand = all.some(({ published }, index) =>
        all.slice(index + 1).some((other) => meetByHand(published, other.published))
      );
      const result = findSharedPort(all);
      assertEquals(result !== undefined, byHand, ports.map(formatSpec).join(" "));
      if (result === undefined) return;
      found++;
      const [one, other] = result;
      assert(one.owner !== other.owner && meetByHand(one.published, other.published));
    }),
    { numRuns: 2000 },
  );
  assert(found > 200, `only ${found}`);
});

/** As many as there are; no two of them meet, though many could. */
const MANY: Readonly<Record<string, (index: number) => string>> = {
  "ports of one address": (index) => `${index + 1}:10.0.0.2/tcp`,
  "addresses with one port": (index) =>
    `1.${index >> 16}.${(index >> 8) & 255}.${index & 255}:80:10.0.0.2/tcp`,
  "addresses with all ports": (index) =>
    `1.${index >> 16}.${(index >> 8) & 255}.${index & 255}:1-65535:10.0.0.2/tcp`,
};

for (const [says, spec] of Object.entries(MANY)) {
  Deno.test(`sixty thousand ${says} are looked through in no time`, () => {
    const all = Array.from({ length: 60_000 }, (_, index) => ({
      published: parseSpec(spec(index), { localhost: false }),
      owner: index,
    }));
    const start = performance.now();
    assertEquals(findSharedPort(all), undefined);
    const took = performance.now() - start;
    assert(took < 10_000, `${took} ms`);
  });
}
