import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Network } from "../../../core/network/network.ts";
import { networkFromElement } from "../../../core/network/parse_network.ts";
import { withPublished } from "../../../core/network/parse_published.ts";
import {
  findSharedPort,
  formatSpec,
  parseSpec,
  type PublishedPort,
} from "../../../core/network/published_port.ts";
import { keepRuntimePorts } from "../../../core/network/runtime_ports.ts";
import { CROWDED_PORTS } from "../../support/arbitrary_ports.ts";
import { network } from "../../support/definitions.ts";

const SUBNETS =
  "<ip address='10.0.0.1' prefix='8'/><ip family='ipv6' address='fd00::1' prefix='8'/>";

/** A network that publishes these, those with a star only since it came up. */
function publishing(specs: readonly string[], elements = SUBNETS): Network {
  const plain = network(elements);
  const published = specs.map((text) => ({
    ...parseSpec(text.replace("*", ""), { localhost: false }),
    runtime: text.includes("*"),
  }));
  return networkFromElement(withPublished(plain.source, published), "test");
}

function kept(
  definition: readonly string[],
  before: readonly string[],
  elements?: string,
): { readonly specs: readonly string[]; readonly warnings: readonly string[] } {
  const result = keepRuntimePorts(publishing(definition, elements), publishing(before));
  const specs = result.published.map((port) => `${formatSpec(port)}${port.runtime ? "*" : ""}`);
  return { specs, warnings: result.warnings };
}

const WEB = "8080:10.0.0.2:80/tcp";
const DNS = "53:10.0.0.2:53/udp";

Deno.test("ports that were added while the network was up stay, behind those of the definition", () => {
  assertEquals(kept([DNS], [`${WEB}*`, DNS]), { specs: [DNS, `${WEB}*`], warnings: [] });
  assertEquals(kept([], [`${WEB}*`]), { specs: [`${WEB}*`], warnings: [] });
});

Deno.test("ports that only the old definition had are gone", () => {
  assertEquals(kept([DNS], [WEB, DNS]), { specs: [DNS], warnings: [] });
  assertEquals(kept([], [WEB]), { specs: [], warnings: [] });
});

Deno.test("a port that the definition has taken over is its own", () => {
  assertEquals(kept([WEB], [`${WEB}*`]), { specs: [WEB], warnings: [] });
});

Deno.test("a port that the definition sends elsewhere is told", () => {
  const taken =
    'Port 8080/tcp of network "lan" is not published any more: the definition has the ' +
    "port now";
  for (
    const other of ["8080:10.0.0.3:80/tcp", "8000-8090:10.0.0.3/tcp", "192.0.2.1:8080:10.0.0.3/tcp"]
  ) {
    assertEquals(kept([other], [`${WEB}*`]).warnings, [taken], other);
  }
  assertEquals(kept(["127.0.0.1:8080:10.0.0.3/tcp"], [`${WEB}*`]).warnings, []);
});

Deno.test("a port whose guest is not in the network any more is told", () => {
  const elements = "<ip address='192.168.0.1' prefix='24'/>";
  assertEquals(kept([], [`${WEB}*`, "81:10.0.0.3/tcp"], elements), {
    specs: [],
    warnings: [
      'Port 8080/tcp of network "lan" is not published any more: Guest "10.0.0.2" is not inside ' +
      "the network",
    ],
  });
  const open = "<forward mode='open'/>" + SUBNETS;
  assertEquals(kept([], [`${WEB}*`], open).warnings, [
    'Port 8080/tcp of network "lan" is not published any more: A network in mode open publishes ' +
    "no ports: this host has no rules for it",
  ]);
});

Deno.test("a network that was not active publishes what its definition says", () => {
  const definition = publishing([WEB]);
  const { published } = definition;
  assertEquals(keepRuntimePorts(definition, undefined), { published, warnings: [] });
  assertEquals(keepRuntimePorts(definition, publishing([DNS])), { published, warnings: [] });
});

function apart(ports: readonly PublishedPort[], runtime: boolean): readonly PublishedPort[] {
  return ports.reduce<readonly PublishedPort[]>((all, port) => {
    const more = [...all, { ...port, runtime }];
    const owned = more.map((published) => ({ published, owner: "" }));
    return findSharedPort(owned) === undefined ? more : all;
  }, []);
}

Deno.test("every added port stays or is told, and what stays goes together", () => {
  const base = publishing([]);
  const ports = fc.array(CROWDED_PORTS.map(insideOf), { maxLength: 8 });
  fc.assert(fc.property(ports, ports, (one, other) => {
    const defined = apart(one, false);
    const added = apart(other, true);
    const result = keepRuntimePorts({ ...base, published: defined }, { ...base, published: added });
    const { published } = result;
    assertEquals(
      findSharedPort(published.map((port) => ({ published: port, owner: "" }))),
      undefined,
    );
    assertEquals(published.slice(0, defined.length), defined);
    const specs = new Set(published.map(formatSpec));
    const gone = added.filter((port) => !specs.has(formatSpec(port)));
    assertEquals(result.warnings.length, gone.length);
    for (const port of gone) {
      const meets = defined.some((mine) =>
        findSharedPort([mine, port].map((published) => ({ published, owner: "" }))) !== undefined
      );
      assert(meets, formatSpec(port));
    }
  }));
});

/** The same port, to a guest of the network. */
function insideOf(port: PublishedPort): PublishedPort {
  const { family, value } = port.guest;
  const start = family === "ipv4" ? 10n << 24n : 0xfdn << 120n;
  return { ...port, guest: { family, value: start + 2n + (value & 0xffn) } };
}

Deno.test("thousands of added ports cost no time", () => {
  const specs = Array.from({ length: 8000 }, (_, index) => `${index + 1}:10.0.0.2/tcp*`);
  const [before, after] = [publishing(specs), publishing(["9000:10.0.0.3/tcp"])];
  const start = performance.now();
  assertEquals(keepRuntimePorts(after, before).published.length, 8001);
  assert(performance.now() - start < 10_000);
});
