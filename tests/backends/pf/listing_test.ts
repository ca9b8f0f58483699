import { assert, assertEquals } from "@std/assert";
import { compareAnchor, listingQuestions } from "../../../backends/pf/listing.ts";
import { networkAnchors } from "../../../backends/pf/ruleset.ts";
import type { Anchor } from "../../../backends/pf/rules.ts";
import { formatAnchor } from "../../../backends/pf/script.ts";
import { commandKey } from "../../../core/change/change.ts";
import type { Answers } from "../../../core/firewall_backend.ts";
import { filtered } from "../../support/definitions.ts";
import { type Anchors, runPfctl } from "../../support/model_pf.ts";
import { publishing } from "./scene.ts";

const POLICY = filtered(
  "<forward mode='nat'/><ip address='10.44.0.1' prefix='24'/><ip address='10.45.0.1' prefix='32'/>",
);
const [BRIDGE, GUARD, BEYOND] = networkAnchors(POLICY, {
  root: "bridgewall",
  defaultInterface: "re0",
});

/** What pfctl answers when the anchor holds this text, and what it prints is changed like that. */
function answersFor(
  { path }: Anchor,
  text: string,
  change: (printed: string) => string = (printed) => printed,
): Answers {
  const anchors: Anchors = new Map([[path, text]]);
  const answers = new Map(
    listingQuestions(path).map((question) => {
      const { result } = runPfctl(anchors, question.args, "");
      return [commandKey(question), { ...result, stdout: change(result.stdout) }];
    }),
  );
  return { to: (question) => answers.get(commandKey(question)) };
}

function differences(anchor: Anchor | undefined, answers: Answers): readonly string[] {
  assert(anchor !== undefined);
  const found = compareAnchor(anchor, answers);
  return found.kind === "different" ? found.differences : [found.kind];
}

function changed(change: (printed: string) => string): readonly string[] {
  assert(BRIDGE !== undefined);
  return differences(BRIDGE, answersFor(BRIDGE, formatAnchor(BRIDGE), change));
}

const PUBLISHING = filtered(
  publishing(
    "<forward mode='nat'/><ip address='10.44.0.1' prefix='24'/></network>",
    "proto='tcp' port='443' to='10.44.0.9'",
    "proto='udp' port='5060-5069' to='10.44.0.9:6060' address='192.0.2.1'",
  ).replace("</network>", ""),
);

Deno.test("what was loaded is found again as it was", () => {
  const published = [{}, { seesLocal: true }, { lastTranslates: true }].flatMap((way) =>
    networkAnchors(PUBLISHING, { root: "bridgewall", defaultInterface: "re0", ...way })
  );
  assertEquals(published.length, 12);
  for (const anchor of [GUARD, BRIDGE, BEYOND, ...published]) {
    assert(anchor !== undefined);
    assertEquals(differences(anchor, answersFor(anchor, formatAnchor(anchor))), ["equal"]);
  }
});

Deno.test("rules for any interface name are found again, quoted or not", () => {
  for (const bridge of ["wan", "-b;{}$#*", "inet6", "br-lan0"]) {
    const policy = { ...POLICY, bridge };
    for (const anchor of networkAnchors(policy, { root: "x", defaultInterface: "wan" })) {
      const text = formatAnchor(anchor).replaceAll(/ on "([^"]*)"/g, " on $1")
        .replaceAll(/\("([^"]*)"\)/g, "($1)");
      assertEquals(differences(anchor, answersFor(anchor, text)), ["equal"]);
    }
  }
});

Deno.test("an address range and the default ports of pf are found again as pfctl prints them", () => {
  const nat = (inside: string): Anchor => {
    const forward = `<forward mode='nat'><nat>${inside}</nat></forward>`;
    const policy = filtered(`${forward}<ip address='10.44.0.1' prefix='24'/>`);
    const [anchor] = networkAnchors(policy, { root: "x", defaultInterface: "re0" });
    assert(anchor !== undefined);
    return anchor;
  };
  const range = nat(
    "<address start='203.0.113.5' end='203.0.113.9'/><port start='2000' end='2999'/>",
  );
  assertEquals(differences(range, answersFor(range, formatAnchor(range))), ["equal"]);
  const ports = nat("<port start='50001' end='65535'/>");
  const printed = answersFor(ports, formatAnchor(ports).replace(" port 50001:65535", ""));
  assertEquals(differences(ports, printed), ["equal"]);
});

Deno.test("nobody asked: nothing is known", () => {
  assert(BRIDGE !== undefined);
  assertEquals(differences(BRIDGE, { to: () => undefined }), ["unknown"]);
});

Deno.test("an anchor that is gone is told from one that was changed", () => {
  assert(BRIDGE !== undefined);
  const gone = compareAnchor(BRIDGE, answersFor(BRIDGE, ""));
  assert(gone.kind === "different" && gone.isEmpty);
  const less = compareAnchor(
    BRIDGE,
    answersFor(BRIDGE, formatAnchor(BRIDGE).replace(/^nat .*\n/m, "")),
  );
  assert(less.kind === "different" && !less.isEmpty);
});

Deno.test("a rule that is missing, foreign or moved is named", () => {
  const last = 'block return quick on virbr0 all label "lan rejected"';
  assertEquals(changed((printed) => printed.replace(`${last}\n`, "")), [
    `Rule is missing from anchor "bridgewall/lan": ${last}`,
  ]);
  assertEquals(changed((printed) => printed.replace(last, `pass quick all no state\n${last}`)), [
    'Rule in anchor "bridgewall/lan" is not ours: pass quick all no state',
  ]);
  assertEquals(
    changed((printed) =>
      printed.includes(last) ? `${last}\n${printed.replace(`${last}\n`, "")}` : printed
    ),
    ['Rules of anchor "bridgewall/lan" are not as they were loaded'],
  );
});

Deno.test("a table that holds something else is named with both", () => {
  assertEquals(
    changed((printed) =>
      printed.replace(/^ {3}10.44.0.0\/24\n {3}10.45.0.1\n$/, "   10.44.0.0/16\n")
    ),
    ['Table <subnets> of anchor "bridgewall/lan" holds 10.44.0.0/16 instead of 10.44.0.0/24, 10.45.0.1'],
  );
});
