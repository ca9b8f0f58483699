import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { stringify } from "@std/xml";
import type { RuleProgram } from "../../../core/command.ts";
import { type Leftover, type Record, RecordError } from "../../../core/record/record.ts";
import { formatRecord, parseRecord } from "../../../core/record/record_xml.ts";
import { network } from "../../support/definitions.ts";

/** As bridgewall 0.1.0 wrote it while a network was brought up again. */
const FORMAT_1 = `<networkstatus format="1" name="lan" state="applying">
  <network><name>lan</name><forward mode="nat"/><bridge name="virbr0"/></network>
  <firewall name="fwRemoval" backend="nftables">
    <group ignoreErrors="yes">
      <action program="tc">
        <args>
          <item>-force</item>
          <item>-batch</item>
          <item>-</item>
        </args>
        <stdin>qdisc del dev virbr0 clsact
</stdin>
      </action>
    </group>
    <group>
      <action program="nft">
        <args>
          <item>-f</item>
          <item>-</item>
        </args>
        <stdin>add table inet bridgewall
delete table inet bridgewall
</stdin>
      </action>
    </group>
  </firewall>
  <previous>
    <network><name>lan</name><forward mode="open"/><bridge name="virbr0"/></network>
  </previous>
</networkstatus>
`;

Deno.test("what an older program recorded is understood", () => {
  const { name, state, network, backend, removal, previous, left } = parseRecord(FORMAT_1, "x");
  assertEquals([name, state, backend, left], ["lan", "applying", "nftables", undefined]);
  assertStringIncludes(stringify(network), '<forward mode="nat"/><bridge name="virbr0"/>');
  assertEquals(removal, [
    {
      commands: [{
        program: "tc",
        args: ["-force", "-batch", "-"],
        stdin: "qdisc del dev virbr0 clsact\n",
      }],
      ignoreErrors: true,
    },
    {
      commands: [{
        program: "nft",
        args: ["-f", "-"],
        stdin: "add table inet bridgewall\ndelete table inet bridgewall\n",
      }],
      ignoreErrors: false,
    },
  ]);
  assertEquals([previous?.backend, previous?.removal], [undefined, []]);
  assertStringIncludes(previous === undefined ? "" : stringify(previous.network), "open");
});

Deno.test("a record of an older program is written anew in the format of this one", () => {
  const written = formatRecord(parseRecord(FORMAT_1, "x"));
  assertEquals(written, FORMAT_1.replace('format="1"', 'format="2"'));
});

Deno.test("a record of a newer program is refused with both numbers, and says what to use", () => {
  for (const format of ["3", "10", "999999999999999999999"]) {
    const text = FORMAT_1.replace('format="1"', `format="${format}"`);
    const error = assertThrows(
      () => parseRecord(text, "/run/x/lan.xml"),
      RecordError,
      `Cannot read the record "/run/x/lan.xml": its format is ${format}, this program knows ` +
        "formats up to 2",
    );
    assertEquals(error.hint, "Use the newer bridgewall that wrote it");
  }
});

Deno.test("a record without a format that there ever was is refused", () => {
  for (const format of ["0", "", "1.5", "x", "-1", "01", "+2", " 2", "2 ", "1e1", "0x1", "٢"]) {
    const text = FORMAT_1.replace('format="1"', `format="${format}"`);
    const { hint } = assertThrows(
      () => parseRecord(text, "x"),
      RecordError,
      "it has no known format",
    );
    assertStringIncludes(hint ?? "", "Remove it", format);
  }
  const without = FORMAT_1.replace('format="1"', "");
  assertThrows(() => parseRecord(without, "x"), RecordError, "it has no known format");
});

const PROGRAMS: readonly RuleProgram[] = [
  "iptables-nft-restore",
  "iptables-legacy-restore",
  "ip6tables-nft-restore",
  "ip6tables-legacy-restore",
];

/** A removal that runs that program. */
function removalBy(program: RuleProgram): Leftover["removal"] {
  return [{
    commands: [{ program, args: ["--noflush"], stdin: "*nat\nCOMMIT\n" }],
    ignoreErrors: false,
  }];
}

function active(parts: Partial<Record>): Record {
  return { name: "lan", state: "active", network: network("").source, removal: [], ...parts };
}

Deno.test("rules of iptables are taken away by the program that made them, and by no other", () => {
  for (const program of PROGRAMS) {
    const record = active({ backend: "iptables", removal: removalBy(program) });
    assertEquals(parseRecord(formatRecord(record), "x").removal, record.removal);
    const foreign = formatRecord(record).replace('backend="iptables"', 'backend="nftables"');
    assertThrows(
      () => parseRecord(foreign, "x"),
      RecordError,
      `it asks for the program "${program}", which no removal runs`,
    );
    for (const other of ["iptables", "iptables-restore", "iptables-nft-save", "nft", "tc"]) {
      const text = formatRecord(record).replace(`program="${program}"`, `program="${other}"`);
      assertThrows(() => parseRecord(text, "x"), RecordError, `the program "${other}"`);
    }
  }
});

const LEFT: readonly Leftover[] = PROGRAMS.map((program) => ({
  backend: "iptables",
  removal: removalBy(program),
}));

Deno.test("what was left behind is kept, with what stands and with what stood before", () => {
  const record = active({ state: "applying", left: LEFT, previous: active({ left: LEFT }) });
  const { left, previous } = parseRecord(formatRecord(record), "x");
  assertEquals([left, previous?.left], [LEFT, LEFT]);
  assertStringIncludes(formatRecord(record), '<firewall name="fwLeft" backend="iptables">');
});

Deno.test("what was left behind is checked as strictly as what stands", () => {
  const text = formatRecord(active({ left: LEFT }));
  const refused = (piece: string, instead: string): string =>
    assertThrows(() => parseRecord(text.replace(piece, instead), "x"), RecordError).message;
  assertStringIncludes(refused('"iptables-nft-restore"', '"sh"'), 'asks for the program "sh"');
  assertStringIncludes(refused(' backend="iptables"', ""), "its <firewall> names no backend");
  assertStringIncludes(refused('"iptables"', '"ipfw"'), 'the backend "ipfw" is unknown');
});
