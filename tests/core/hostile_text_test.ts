/** Texts that are nearly right, as a broken disk, a careless editor or an attacker writes them. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { readArguments } from "../../core/cli/read_arguments.ts";
import { parseConfiguration } from "../../core/configuration.ts";
import type { Network } from "../../core/network/network.ts";
import { networkFromElement, parseNetwork } from "../../core/network/parse_network.ts";
import {
  parseNamedPort,
  parseSpec,
  PublishedPortError,
} from "../../core/network/published_port.ts";
import { isOwnError } from "../../core/own_error.ts";
import { formatRecord, parseRecord } from "../../core/record/record_xml.ts";
import { stringify } from "@std/xml";

const NETWORK = `<?xml version='1.0' encoding='UTF-8'?>
<!-- kept --><network ipv6='yes'><name>lan</name><uuid>aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee</uuid>
<metadata><b:network xmlns:b="urn:bridgewall:network:1"><b:publish proto="tcp" port="80-90"
 to="10.0.0.2:8080" address="192.0.2.1" localhost="yes"/><b:ports>
81:10.0.0.3/udp runtime
</b:ports></b:network></metadata>
<forward mode='nat' dev='eth0'><nat ipv6='yes'><address start='192.0.2.1' end='192.0.2.9'/>
<port start='1024' end='2048'/></nat></forward><bridge name='virbr0' zone='internal' stp='on'/>
<ip address='10.0.0.1' netmask='255.255.255.0'><tftp root='/x'/><dhcp><range start='10.0.0.9'
 end='10.0.0.99'/><host mac='52:54:00:00:00:01' ip='10.0.0.10'/></dhcp></ip>
<ip family='ipv6' address='fd00::1' prefix='64'/><route address='10.9.0.0' prefix='16'
 gateway='10.0.0.2'/></network>`;

const RECORD = `<networkstatus format="2" name="lan" state="applying">
  <network><name>lan</name><forward mode="nat"/><bridge name="virbr0"/></network>
  <firewall name="fwRemoval" backend="nftables"><group ignoreErrors="yes"><action program="tc">
  <args><item>-force</item><item>-</item></args><stdin>qdisc del dev virbr0 clsact
</stdin></action></group><group><action program="sysctl"><args><item>-q</item><item>-w</item>
<item>net/ipv4/conf/virbr0/route_localnet=0</item></args></action></group></firewall>
  <firewall name="fwLeft" backend="iptables"><group><action program="iptables-nft-restore"><args/>
  <stdin>*filter\nCOMMIT\n</stdin></action></group></firewall>
  <previous><network><name>lan</name></network></previous></networkstatus>`;

const CONFIGURATION = 'firewall_backend = "nftables"\n# why\ntable = "wall"\nanchor = "a/b"\n' +
  "sysctl = false\nwait = 2.5\n";

/** Pieces that mean something to some reader. */
const PIECES = [
  ...['"', "'", "\\", "\n", "\r", "\t", "\0", "\x1b[31m", "\u202e", "\u2028", "\ud800", "é", "𝟠"],
  ...[
    "<",
    ">",
    "/>",
    "</",
    "<![CDATA[",
    "]]>",
    "<!--",
    "-->",
    "<!DOCTYPE x>",
    "&amp;",
    "&#0;",
    "&x;",
  ],
  ...[
    "{",
    "}",
    ";",
    "#",
    "$(id)",
    "`id`",
    "|",
    "&&",
    "%",
    "*",
    "!",
    "..",
    "/",
    "-",
    "--",
    "=",
    ",",
    " ",
  ],
  ...[
    "0",
    "-1",
    "65536",
    "99999999999999999999",
    "1e9",
    "0x10",
    "010",
    "::",
    "::1",
    "[",
    "]",
    "0.0.0.0",
  ],
];

interface Change {
  readonly at: number;
  readonly length: number;
  readonly piece: string;
  readonly from: number;
}

const CHANGES: fc.Arbitrary<readonly Change[]> = fc.array(
  fc.record({
    at: fc.nat(),
    length: fc.oneof(fc.constant(0), fc.nat({ max: 6 }), fc.nat({ max: 400 })),
    piece: fc.oneof(fc.constantFrom(...PIECES), fc.constant(""), fc.string({ maxLength: 6 })),
    from: fc.nat(),
  }),
  { minLength: 1, maxLength: 4 },
);

/** The text with pieces taken out, put in, or taken from elsewhere in it. */
function changed(text: string, changes: readonly Change[]): string {
  return changes.reduce((now, { at, length, piece, from }) => {
    const place = at % (now.length + 1);
    const moved = from % 5 === 0 ? now.slice(from % (now.length + 1)).slice(0, length) : piece;
    return now.slice(0, place) + moved + now.slice(place + length);
  }, text);
}

/** Refuses like a program that knows what it reads: in its own words, without those that control a terminal. */
function assertTame(error: unknown): void {
  assert(isOwnError(error) || error instanceof PublishedPortError, `${error}`);
  assert(error.message.length < 3000, error.message);
  // deno-lint-ignore no-control-regex
  assert(!/[\0-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2028]/.test(error.message), error.message);
}

async function tamed(read: () => unknown): Promise<boolean> {
  try {
    await read();
    return true;
  } catch (error) {
    assertTame(error);
    return false;
  }
}

const RUNS = { numRuns: 10_000 } as const;

/** @param seeds What is right, before it is changed. */
function testHostile(
  says: string,
  seeds: readonly string[],
  read: (text: string) => unknown,
): void {
  Deno.test(`${says} that is nearly right is read or refused in the program's own words`, async () => {
    for (const seed of seeds) await read(seed);
    let taken = 0;
    const property = fc.asyncProperty(fc.constantFrom(...seeds), CHANGES, async (seed, changes) => {
      if (await tamed(() => read(changed(seed, changes)))) taken++;
    });
    await fc.assert(property, RUNS);
    // Else nothing but refusals would have been tried.
    assert(taken > 0);
  });
}

/** All that is understood, wherever it stands. */
function meaning(network: Network): string {
  return JSON.stringify(network, (key, value) => {
    if (key === "source" || key === "place") return undefined;
    return typeof value === "bigint" ? value.toString() : value;
  });
}

testHostile("a definition", [NETWORK], (text) => {
  const network = parseNetwork(text, "lan.xml");
  const again = parseNetwork(stringify(network.source), "lan.xml");
  assertEquals(meaning(again), meaning(network));
  assertEquals(meaning(networkFromElement(network.source, "lan.xml")), meaning(network));
});

testHostile("a record", [RECORD], (text) => {
  const record = parseRecord(text, "lan.xml");
  const again = parseRecord(formatRecord(record), "lan.xml");
  assertEquals(formatRecord(again), formatRecord(record));
});

testHostile("a configuration", [CONFIGURATION], (text) => parseConfiguration(text, "x.conf"));

testHostile("a port", [
  "192.0.2.1:80-90:10.0.0.2:8080/tcp",
  "[2001:db8::1]:53:[fd00::2]:5353/udp",
  "8080:10.0.0.2/sctp",
], (text) => {
  const port = parseSpec(text, { localhost: false });
  assertEquals(parseNamedPort(text).whole, port);
});

testHostile("a command line", [
  "up --backend nftables --wait 3 lan.xml -",
  "plan --platform freebsd --default-interface em0 --explain lan",
  "publish lan --localhost 80:10.0.0.2/tcp --json --state-dir=/x",
], (text) => void readArguments(text.split(" ")));
