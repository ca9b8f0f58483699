import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import {
  anchorPaths,
  kindOfAnchor,
  LONGEST_ROOT,
  masqueradePath,
} from "../../../backends/pf/anchor_path.ts";
import { byteLength } from "../../../core/quoted.ts";
import { INTERFACE_NAMES, TEXTS } from "../../support/arbitrary.ts";
import { problemOfAnchorPath } from "../../support/pf/pf_anchor_rules.ts";

function bridgePath(network: string, bridge = "virbr0", root = "bridgewall"): string {
  return anchorPaths(root, { network, bridge }).bridge;
}

Deno.test("a network is found under its own name", () => {
  assertEquals(anchorPaths("bridgewall", { network: "default", bridge: "virbr0" }), {
    name: "default",
    guard: "bridgewall/+default",
    bridge: "bridgewall/default",
    beyond: "bridgewall/~default",
    redirections: "bridgewall/default/=rdr",
  });
  assertEquals(bridgePath("lab-2.b_c", "br0", "libvirt"), "libvirt/lab-2.b_c");
});

Deno.test("a name that is not plain, or too long, gives way to that of the bridge", () => {
  for (
    const name of ["my lab", "_own", "-x", "*", "~x", "+x", "ünï", "@virbr1", "x".repeat(41), ".."]
  ) {
    assertEquals(bridgePath(name), "bridgewall/@virbr0", name);
  }
  assertEquals(bridgePath("x".repeat(40)), `bridgewall/${"x".repeat(40)}`);
  assertEquals(
    bridgePath("x".repeat(21), "virbr0", "a".repeat(40)),
    `${"a".repeat(40)}/${"x".repeat(21)}`,
  );
  assertEquals(bridgePath("x".repeat(22), "virbr0", "a".repeat(40)), `${"a".repeat(40)}/@virbr0`);
});

Deno.test("a bridge with an odd name stands as base 64", () => {
  assertEquals(bridgePath("my lab", "-b;{}$#*"), "bridgewall/:LWI7e30kIyo");
});

Deno.test("whatever the names are, pfctl takes the paths, and no two bridges have one", () => {
  const roots = fc.stringMatching(new RegExp(`^[a-z][a-z/]{0,${LONGEST_ROOT - 2}}$`))
    .filter((root) => !root.includes("//") && !root.endsWith("/"));
  fc.assert(
    fc.property(TEXTS, TEXTS, INTERFACE_NAMES, INTERFACE_NAMES, roots, (one, two, a, b, root) => {
      const paths = anchorPaths(root, { network: one, bridge: a });
      for (const path of [paths.guard, paths.bridge, paths.beyond]) {
        assertEquals(problemOfAnchorPath(path), undefined);
        assert(byteLength(path) <= 63, path);
      }
      assertMatch(paths.name, /^[A-Za-z0-9._@:-]{1,40}$/);
      const other = anchorPaths(root, { network: two, bridge: b });
      assert(paths.guard < other.bridge, "guards come before all bridges");
      assert(paths.beyond > other.bridge, "what is beyond comes after all bridges");
      assert(masqueradePath(root) > other.bridge, "networks translate before prefixes");
      assertEquals(problemOfAnchorPath(masqueradePath(root)), undefined);
      const { guard, bridge, beyond, redirections } = paths;
      assertEquals([guard, bridge, beyond, redirections, masqueradePath(root)].map(kindOfAnchor), [
        "guard",
        "bridge",
        "beyond",
        "redirections",
        "masquerade",
      ]);
      if (one !== two && a !== b) assert(paths.bridge !== other.bridge);
    }),
    { numRuns: 1000 },
  );
});
