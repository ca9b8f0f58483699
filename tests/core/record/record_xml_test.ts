import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "fast-check";
import { parse, stringify, type XmlElement, type XmlNode } from "@std/xml";
import { type Installation, type Record, RecordError } from "../../../core/record/record.ts";
import { formatRecord, parseRecord } from "../../../core/record/record_xml.ts";
import { parseNetwork } from "../../../core/network/parse_network.ts";
import { placeNetworks } from "../../../core/policy/place_networks.ts";
import { XML_TEXTS } from "../../support/arbitrary.ts";

const NETWORK = parse(
  "<network xmlns:x='urn:x'><name>lan</name><!-- kept --><x:new a='1'><![CDATA[<&]]></x:new>" +
    "<bridge name='virbr0'/></network>",
  { trackPosition: false },
).root;

const INSTALLATION: Installation = {
  network: NETWORK,
  backend: "nftables",
  removal: [
    { commands: [{ program: "tc", args: ["-batch", ""], stdin: "" }], ignoreErrors: true },
    {
      commands: [
        { program: "nft", args: ["-f", "-"], stdin: "add table inet x\ndelete table inet x\n" },
        { program: "nft", args: [] },
      ],
      ignoreErrors: false,
    },
  ],
};

/** The tree without its positions and without the indentation that a file adds. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (key, part: unknown) => {
    if (key === "position") return undefined;
    return key === "children" && Array.isArray(part) ? part.filter(isNoIndentation) : part;
  }));
}

function isNoIndentation(node: XmlNode): boolean {
  return node.type !== "text" || !/^\n *$/.test(node.text);
}

function roundTrip(record: Record): void {
  assertEquals(plain(parseRecord(formatRecord(record), "test")), plain(record));
}

Deno.test("a record reads back as it was written, in every state", () => {
  for (const state of ["active", "applying", "removing"] as const) {
    roundTrip({ name: "lan", state, ...INSTALLATION });
  }
});

Deno.test("what stood before is kept beside what is being installed", () => {
  const previous: Installation = { network: NETWORK, removal: [] };
  roundTrip({ name: "lan", state: "applying", ...INSTALLATION, previous });
  roundTrip({ name: "lan", state: "applying", ...previous, previous: INSTALLATION });
});

Deno.test("a network without rules has a record without a firewall", () => {
  const record: Record = { name: "lan", state: "active", network: NETWORK, removal: [] };
  roundTrip(record);
  assertEquals(formatRecord(record).includes("firewall"), false);
});

Deno.test("elements that this program does not know are in the record", () => {
  const text = formatRecord({ name: "lan", state: "active", ...INSTALLATION });
  assertStringIncludes(text, '<x:new a="1"><![CDATA[<&]]></x:new>');
  assertStringIncludes(text, "<!-- kept -->");
});

Deno.test("any name, argument and input comes back as it was", () => {
  const commands = fc.array(
    fc.record({
      program: fc.constantFrom("nft" as const, "tc" as const),
      args: fc.array(XML_TEXTS, { maxLength: 3 }),
      stdin: XML_TEXTS,
    }, { requiredKeys: ["program", "args"] }),
    { maxLength: 3 },
  );
  const removals = fc.array(fc.record({ commands, ignoreErrors: fc.boolean() }), { maxLength: 3 });
  const lefts = fc.oneof(
    fc.constant({}),
    fc.array(removals, { minLength: 1, maxLength: 3 }).map((all) => ({
      left: all.map((removal) => ({ backend: "nftables", removal })),
    })),
  );
  const installations = fc.tuple(removals, lefts).map(([removal, left]) => ({
    ...INSTALLATION,
    removal,
    ...left,
  }));
  fc.assert(fc.property(XML_TEXTS, installations, installations, (name, installation, previous) => {
    roundTrip({ name, state: "applying", ...installation, previous });
  }));
});

Deno.test("a name that XML cannot hold is refused, not altered", () => {
  for (const name of ["a\0b", "a\u001bb", "a\ud800b", "\uffff"]) {
    assertThrows(() => formatRecord({ name, state: "active", ...INSTALLATION }), TypeError);
  }
});

const GOOD = `<networkstatus format="2" name="lan" state="active"><network/>` +
  `<firewall name="fwRemoval" backend="nftables"><group><action program="nft"><args/></action>` +
  `</group></firewall></networkstatus>`;

/** What is wrong with the file: the piece of a good one, what stands there instead, the message. */
const REFUSALS: readonly (readonly [string, string, string, string])[] = [
  ["is in no state", 'state="active"', "", 'the state "" is unknown'],
  ["is in another state", '"active"', '"paused"', 'the state "paused" is unknown'],
  ["names no network", 'name="lan"', "", "it names no network"],
  ["has no network", "<network/>", "", "it holds no <network>"],
  ["names no backend", 'backend="nftables"', "", "its <firewall> names no backend"],
  [
    "has a firewall for something else",
    '"fwRemoval"',
    '"fwExtra"',
    'the <firewall> "fwExtra" is unknown',
  ],
  ["names another backend", '"nftables"', '"ipfw"', 'the backend "ipfw" is unknown'],
  ["would run a shell", '"nft"', '"sh"', 'it asks for the program "sh", which no removal runs'],
  ["would run a path", '"nft"', '"/tmp/nft"', 'it asks for the program "/tmp/nft"'],
  ["would change a setting", '"nft"', '"sysctl"', "a setting of the host that no removal changes"],
  [
    "would change a setting as pf",
    'nftables"><group><action program="nft"',
    'pf"><group><action program="sysctl"',
    'it asks for the program "sysctl"',
  ],
  ["would change an interface", '"nft"', '"ip"', 'it asks for the program "ip"'],
  ["names no program", 'program="nft"', "", 'it asks for the program ""'],
  ["has no arguments", "<args/>", "", "an <action> has no <args>"],
  ["was cut", "</networkstatus>", "", "at line 1"],
  ["is another document", "networkstatus", "domstatus", "it is a <domstatus>, not a"],
  ["is something else", GOOD, "hello", "at line 1"],
  ["is empty", GOOD, "", "at line 1"],
];

for (const [says, piece, instead, message] of REFUSALS) {
  Deno.test(`a record that ${says} is refused by its path`, () => {
    const text = GOOD.replaceAll(piece, instead);
    const error = assertThrows(() => parseRecord(text, "/run/x/lan.xml"), RecordError, message);
    assertStringIncludes(error.message, 'Cannot read the record "/run/x/lan.xml": ');
  });
}

/** The action of a removal with these words for sysctl. */
function sysctl(words: string, backend = "nftables"): string {
  const items = words.split(" ").map((word) => `<item>${word}</item>`).join("");
  return GOOD.replace('program="nft"><args/>', `program="sysctl"><args>${items}</args>`)
    .replace('backend="nftables"', `backend="${backend}"`);
}

Deno.test("the one setting that a removal changes is the way of a bridge to 127.0.0.0/8, to off", () => {
  for (const backend of ["nftables", "iptables", "firewalld"]) {
    for (const bridge of ["virbr0", "br.7", "a=b", "-b;{}$#*", "网络"]) {
      const words = `-q -w net/ipv4/conf/${bridge}/route_localnet=0`;
      const { removal } = parseRecord(sysctl(words, backend), "x");
      assertEquals(removal[0]?.commands, [{ program: "sysctl", args: words.split(" ") }]);
    }
  }
  const others = [
    "-q -w net/ipv4/conf/virbr0/route_localnet=1",
    "-q -w net/ipv4/conf/virbr0/route_localnet=0 net.ipv4.ip_forward=1",
    "-q -w net/ipv4/conf/virbr0/forwarding=0",
    "-q -w net/ipv4/conf/a/b/route_localnet=0",
    "-w net/ipv4/conf/virbr0/route_localnet=0",
    "-q -w -p net/ipv4/conf/virbr0/route_localnet=0",
    "-q -w net.ipv4.conf.virbr0.route_localnet=0",
    "-q -w net/ipv4/ip_forward=0",
    "",
  ];
  for (const words of others) {
    assertThrows(
      () => parseRecord(sysctl(words), "x"),
      RecordError,
      "it asks for a setting of the host that no removal changes",
      words,
    );
  }
});

Deno.test("the record of prefixes holds them where that of a network has its definition", () => {
  const { root } = parse("<masquerade><prefix address='10.8.0.0/24'/></masquerade>");
  const record: Record = { ...INSTALLATION, name: "/masquerade", state: "active", network: root };
  roundTrip(record);
  roundTrip({ ...record, state: "applying", previous: { ...INSTALLATION, network: root } });
  assertStringIncludes(
    formatRecord(record),
    '\n  <masquerade><prefix address="10.8.0.0/24"/></masquerade>\n  <firewall',
  );
});

Deno.test("the installation that stood before is checked as strictly", () => {
  const previous = `<previous><network/><firewall name="fwRemoval" backend="nftables"><group>` +
    `<action program="sh"><args/></action></group></firewall></previous></networkstatus>`;
  assertThrows(
    () => parseRecord(GOOD.replace("</networkstatus>", previous), "x"),
    RecordError,
    'it asks for the program "sh"',
  );
});

Deno.test("a record with large scripts is no problem", () => {
  const stdin = "add rule inet bridgewall x accept\n".repeat(60_000);
  const network: XmlElement = { ...NETWORK, children: [] };
  const removal = [{
    commands: [{ program: "nft" as const, args: [], stdin }],
    ignoreErrors: false,
  }];
  roundTrip({ name: "lan", state: "active", network, backend: "nftables", removal });
});

/** The largest definitions, each of the kind that grows most in one respect. */
const LARGEST: readonly (readonly [string, string])[] = [
  [
    "with many elements far down",
    `${"<a>".repeat(60)}${"<a/>".repeat(260_000)}${"</a>".repeat(60)}`,
  ],
  ["of quotes", `<a b='${'"'.repeat(1_048_000)}'/>`],
  ["of greater-than signs", `<a>${">".repeat(1_048_000)}</a>`],
  ["with as many attributes as there may be", `<bridge ${attributes(64)}/>`],
  ["nested as deep as can be", `${"<a>".repeat(63)}${"</a>".repeat(63)}`],
];

function attributes(count: number): string {
  return Array.from({ length: count }, (_, number) => `a${number}=''`).join(" ");
}

for (const [says, elements] of LARGEST) {
  Deno.test(`the record of a definition ${says} can be read, with one such before it`, () => {
    const text = `<network><name>n</name>${elements}</network>`;
    const source = parseNetwork(text, "test");
    const network = placeNetworks([source], { interfaces: [], active: new Map() })[0]?.network
      .source;
    assert(network !== undefined);
    const installation = { ...INSTALLATION, network };
    const record = {
      name: "n",
      state: "applying",
      ...installation,
      previous: installation,
    } as const;
    const read = parseRecord(formatRecord(record), "test");
    const written = stringify(network);
    assert(stringify(read.network) === written);
    assert(read.previous !== undefined && stringify(read.previous.network) === written);
  });
}

Deno.test("a record that could not be read is not written", () => {
  const stdin = "delete rule x\n".repeat(2_000_000);
  const removal = [{
    commands: [{ program: "nft" as const, args: [], stdin }],
    ignoreErrors: false,
  }];
  const error = assertThrows(
    () => formatRecord({ name: "lan", state: "active", ...INSTALLATION, removal }),
    RecordError,
    'Cannot record network "lan": its record would have 28',
  );
  assertEquals(error.hint, "Make the definition smaller");
});

Deno.test("the definition stands in the record as it is, all else is indented", () => {
  const text = formatRecord({ name: "lan", state: "active", ...INSTALLATION });
  assertStringIncludes(text, `\n  ${stringify(NETWORK)}\n  <firewall`);
  assertStringIncludes(text, '\n    <group ignoreErrors="yes">\n      <action program="tc">\n');
});

Deno.test("the path of a record and what it says are shown without what a terminal acts on", () => {
  const file = `/run/${"x".repeat(200)}/\x1b[2J.xml`;
  const text = GOOD.replace('state="active"', 'state="\u202eactive"');
  const { message } = assertThrows(() => parseRecord(text, file), RecordError);
  assertStringIncludes(message, '\\u{1b}[2J.xml": the state "\\u{202e}active" is unknown');
});
