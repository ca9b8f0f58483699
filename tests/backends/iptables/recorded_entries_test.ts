import { assert, assertEquals } from "@std/assert";
import { compileChange } from "../../../backends/iptables/compile.ts";
import { standsAsRecorded } from "../../../backends/iptables/recorded_entries.ts";
import { programsOf } from "../../../backends/iptables/variant.ts";
import type { Facts } from "../../../core/firewall_backend.ts";
import { filtered, IPV4 } from "../../support/definitions.ts";
import { standing } from "../../support/operation.ts";
import { factsOf } from "./facts.ts";

const NAT = filtered(`<forward mode='nat'/>${IPV4}`);

/** The rules of one network as they stand, in the tables of IPv4. */
const LISTING = `*filter
:FORWARD ACCEPT [0:0]
:BRIDGEWALL_FROM - [0:0]
:BRIDGEWALL_TO - [0:0]
`;

function factsWith(edit: (lines: readonly string[]) => readonly string[]): Facts {
  const { networks: [change] } = compileChange([NAT], factsOf());
  assert(change !== undefined);
  const { save, restore } = programsOf("nft", "ipv4");
  const entries = change.removal.flatMap(({ commands }) => commands)
    .filter(({ program, stdin }) => program === restore && stdin?.startsWith("*filter"))
    .flatMap(({ stdin }) => stdin?.split("\n") ?? [])
    .filter((line) => line.startsWith("-D ")).map((line) => line.replace("-D ", "-A "));
  const chains = [...new Set(entries.map((line) => line.split(" ")[1] ?? ""))]
    .map((chain) => `:${chain} - [0:0]`);
  const filter = change.removal.filter(({ commands }) =>
    commands.some(({ program, stdin }) => program === restore && stdin?.startsWith("*filter"))
  );
  const stdout = [LISTING.trimEnd(), ...chains, ...edit(entries), "COMMIT", ""].join("\n");
  const answers: Facts["answers"] = {
    to: ({ program }) => program === save.program ? { status: 0, stdout, stderr: "" } : undefined,
  };
  return { ...factsOf(), standing: [standing(...filter)], answers };
}

Deno.test("rules that stand as they were recorded are changed one by one", () => {
  assert(standsAsRecorded(factsWith((lines) => lines)));
  assertEquals(compileChange([NAT], factsWith((lines) => lines)).drifted, false);
  assert(standsAsRecorded(factsWith((lines) => [...lines, "-A FORWARD -i docker0 -j ACCEPT"])));
});

Deno.test("all is made anew where a shared chain is not as it was recorded", () => {
  const edits: Readonly<Record<string, (lines: readonly string[]) => readonly string[]>> = {
    "an entry is gone": (lines) => lines.slice(1),
    "an entry is there twice": (lines) => [...lines, ...lines.slice(0, 1)],
    "a jump is there twice": (lines) => [...lines, ...lines.slice(-1)],
    "somebody lets everything out": (lines) => [...lines, "-A BRIDGEWALL_FROM -j ACCEPT"],
    "everything is gone": () => [],
  };
  for (const [says, edit] of Object.entries(edits)) {
    assert(!standsAsRecorded(factsWith(edit)), says);
    assertEquals(compileChange([NAT], factsWith(edit)).drifted, true, says);
  }
});

Deno.test("where nothing is recorded, or nobody answers, nothing can have drifted", () => {
  assert(standsAsRecorded(factsOf()));
  const refused: Facts["answers"] = { to: () => ({ status: 1, stdout: "", stderr: "no" }) };
  assert(standsAsRecorded({ ...factsWith((lines) => lines), answers: refused }));
});
