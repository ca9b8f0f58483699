import { assert, assertEquals } from "@std/assert";
import { parse } from "@std/xml";
import fc from "fast-check";
import { standingNetworks } from "../../../backends/firewalld/original_zones.ts";
import {
  bindingSteps,
  releaseSteps,
  returnGroups,
  zoningAfter,
  zoningOf,
} from "../../../backends/firewalld/zone_of_interface.ts";
import type { Zoning } from "../../../backends/firewalld/zone_of_interface.ts";
import type { RemovalGroup } from "../../../core/change/change.ts";
import type { Command } from "../../../core/command.ts";
import type { Installation } from "../../../core/record/record.ts";
import { filtered, FRESH_FACTS, IPV4 } from "../../support/definitions.ts";
import { group, input } from "../../support/operation.ts";
import { answersOf } from "./answers.ts";

const BRIDGES = fc.stringMatching(/^[a-z0-9_.][a-z0-9_.-]{0,14}$/);

/** Also such as look like the words around them. */
const ZONES = fc.oneof(
  fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_-]{0,16}$/),
  fc.constantFrom("removeInterface", "call", "ss", "reload"),
);

const ZONINGS: fc.Arbitrary<Zoning> = fc.record(
  { runtime: ZONES, permanent: ZONES },
  { requiredKeys: [] },
);

function commandsOf(groups: readonly RemovalGroup[]): readonly Command[] {
  return groups.flatMap(({ commands }) => commands);
}

Deno.test("a removal tells where the bridge was, wherever that was", () => {
  fc.assert(fc.property(BRIDGES, ZONINGS, ZONES, (bridge, zoning, zone) => {
    const groups = returnGroups(bridge, zoning, zone);
    assertEquals(zoningAfter(commandsOf(groups)), zoning);
    assert(groups.every(({ ignoreErrors }) => ignoreErrors));
  }));
});

Deno.test("a removal with the zone itself tells the same, but of a bridge that was in none nothing", () => {
  fc.assert(fc.property(BRIDGES, ZONINGS, (bridge, zoning) => {
    const after = zoningAfter(commandsOf(returnGroups(bridge, zoning, undefined)));
    const isNowhere = zoning.runtime === undefined && zoning.permanent === undefined;
    assertEquals(after, isNowhere ? undefined : zoning);
  }));
});

Deno.test("commands of other programs tell of no zone", () => {
  assertEquals(zoningAfter([]), undefined);
  assertEquals(
    zoningAfter([
      input("nft", "remove"),
      { program: "rm", args: ["-f", "/etc/firewalld/zones/bw-virbr0.xml"] },
      { program: "busctl", args: ["call", "reload"] },
    ]),
    undefined,
  );
});

function lines(steps: readonly { readonly command: Command }[]): readonly string[] {
  return steps.map(({ command: { program, args } }) =>
    program === "busctl" ? args.slice(-4).join(" ") : args.join(" ")
  );
}

Deno.test("a bridge leaves the zones that it is in, but for the one that it is to be in", () => {
  const zoning = { runtime: "home", permanent: "public" };
  assertEquals(lines(releaseSteps("virbr0", zoning, "bw-virbr0")), [
    "--permanent --zone=public --remove-interface=virbr0",
    "removeInterface ss home virbr0",
  ]);
  assertEquals(lines(releaseSteps("virbr0", zoning, "public")), ["removeInterface ss home virbr0"]);
  assertEquals(releaseSteps("virbr0", {}, "public"), []);
});

Deno.test("a bridge comes into a zone now and for good, as far as it is not there", () => {
  const both = [
    "--permanent --zone=home --change-interface=virbr0",
    "changeZoneOfInterface ss home virbr0",
  ];
  assertEquals(lines(bindingSteps("virbr0", {}, "home")), both);
  assertEquals(lines(bindingSteps("virbr0", { permanent: "home" }, "home")), both.slice(1));
  assertEquals(lines(bindingSteps("virbr0", { runtime: "home" }, "home")), both.slice(0, 1));
});

Deno.test("firewalld's answers tell where a bridge is, now and for good", () => {
  const answers = answersOf({ runtime: { virbr0: "home", virbr1: "public" }, zones: ["home"] });
  assertEquals(zoningOf("virbr0", answers), { runtime: "home" });
  assertEquals(zoningOf("virbr2", answers), {});
  assertEquals(zoningOf("virbr0", answersOf({ permanent: { virbr0: "drop" } })), {
    permanent: "drop",
  });
});

function installed(
  backend: string,
  removal: readonly RemovalGroup[],
  bridge = "virbr0",
): Installation {
  const text = `<network><name>lan</name><bridge name='${bridge}'/>${IPV4}</network>`;
  return { network: parse(text, { trackPosition: false }).root, backend, removal };
}

const POLICY = filtered(IPV4);
const HOME: Zoning = { runtime: "home", permanent: "home" };

Deno.test("a network that stands tells where its bridge was, whichever backend holds it", () => {
  for (const backend of ["firewalld", "nftables", "iptables"]) {
    const records = [installed(backend, returnGroups("virbr0", HOME, "libvirt"))];
    const standing = standingNetworks({ ...FRESH_FACTS, records });
    assertEquals(standing.zoningOf(POLICY), HOME);
    assertEquals(standing.backendOf(POLICY), backend);
  }
});

Deno.test("what is made once more as it was tells it as well, and before what is on record", () => {
  const again = new Map([["lan", installed("nftables", returnGroups("virbr0", HOME, "trusted"))]]);
  const records = [installed("iptables", returnGroups("virbr0", {}, "trusted"))];
  for (const facts of [{ ...FRESH_FACTS, again }, { ...FRESH_FACTS, again, records }]) {
    assertEquals(standingNetworks(facts).zoningOf(POLICY), HOME);
    assertEquals(standingNetworks(facts).backendOf(POLICY), "nftables");
  }
});

Deno.test("a bridge that was in no zone is known to have been in none", () => {
  const groups = returnGroups("virbr0", {}, "libvirt");
  for (const records of [[installed("firewalld", [])], [installed("nftables", groups)]]) {
    assertEquals(standingNetworks({ ...FRESH_FACTS, records }).zoningOf(POLICY), {});
  }
});

Deno.test("nothing is known of a bridge that nobody put anywhere, nor of another bridge", () => {
  const rules = [group(input("nft", "remove"))];
  const moved = [installed("nftables", returnGroups("virbr9", HOME, "libvirt"), "virbr9")];
  for (const records of [[], [installed("nftables", rules)], moved]) {
    assertEquals(standingNetworks({ ...FRESH_FACTS, records }).zoningOf(POLICY), undefined);
  }
  assertEquals(standingNetworks(FRESH_FACTS).backendOf(POLICY), undefined);
});
