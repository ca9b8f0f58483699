/** Texts that nobody meant as a network: none may get past the one error that users are shown. */
import { assert } from "@std/assert";
import fc from "fast-check";
import { NetworkDefinitionError } from "../../../core/network/network_error.ts";
import { parseNetwork } from "../../../core/network/parse_network.ts";

/** Any character of Unicode, halves of pairs as well. */
const ANY_CHARACTER = fc.nat({ max: 0x10ffff }).map((code) => String.fromCodePoint(code));

const VALID = `<network ipv6="yes"><name>lan</name>
  <uuid>0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9</uuid>
  <forward mode="nat" dev="eth0"><nat ipv6="no"><address start="192.0.2.1" end="192.0.2.2"/>
  <port start="1" end="2"/></nat></forward><bridge name="virbr%d" zone="z" stp="on" delay="0"/>
  <mac address="52:54:00:00:00:01"/><mtu size="9000"/><domain name="d" localOnly="yes"/>
  <dns enable="yes"><host ip="10.0.0.2"><hostname>h</hostname></host><txt name="t" value="v"/></dns>
  <ip address="10.0.0.1" netmask="255.255.255.0"><dhcp><range start="10.0.0.2" end="10.0.0.9"/>
  <host mac="52:54:00:00:00:02" ip="10.0.0.3"/></dhcp></ip>
  <ip family="ipv6" address="2001:db8::1" prefix="64"/>
  <route address="10.1.0.0" prefix="16" gateway="10.0.0.2"/><portgroup name="p" default="yes"/>
</network>`;

/** Reads, and lets only the error through that the user can be shown. */
function tryParse(text: string): void {
  try {
    parseNetwork(text, "x.xml");
  } catch (error) {
    if (!(error instanceof NetworkDefinitionError)) throw error;
    assert(error.message.startsWith("x.xml:"));
    assert(!/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u.test(error.message + (error.hint ?? "")));
    assert(error.message.length < 1000);
  }
}

Deno.test("any text gives a network or an error with a place", () => {
  fc.assert(fc.property(fc.string({ unit: ANY_CHARACTER, maxLength: 60 }), tryParse));
  fc.assert(
    fc.property(
      fc.array(
        fc.constantFrom(..."<>&'\"/=!?[]- \n", "network", "name", "<![CDATA[", "<!--", "&#"),
      ),
      (parts) => tryParse(parts.join("")),
    ),
  );
});

Deno.test("a valid network that was damaged gives a network or an error with a place", () => {
  parseNetwork(VALID, "valid.xml");
  const position = fc.nat({ max: VALID.length });
  const piece = fc.oneof(
    fc.string({ unit: ANY_CHARACTER, maxLength: 4 }),
    fc.constantFrom(
      "",
      "<ip/>",
      "'",
      '"',
      "9",
      "-",
      "%d",
      "&#13;",
      "&#x9b;",
      "\u202e",
      "<forward/>",
    ),
  );
  fc.assert(
    fc.property(position, fc.nat({ max: 12 }), piece, (at, length, text) => {
      tryParse(VALID.slice(0, at) + text + VALID.slice(at + length));
    }),
    { numRuns: 400 },
  );
});

Deno.test("any value of an attribute gives a network or an error with a place", () => {
  const value = fc.oneof(
    fc.string({ unit: "grapheme", maxLength: 20 }),
    fc.constantFrom("", "0", "4294967296", "1e3", "::", "0.0.0.0", "__proto__", "\u202e", "\n"),
  );
  const count = VALID.split('="').length - 1;
  fc.assert(
    fc.property(fc.nat({ max: count - 1 }), value, (index, text) => {
      let seen = 0;
      tryParse(
        VALID.replace(
          /="([^"]*)"/g,
          (whole) =>
            seen++ === index
              ? `="${text.replace(/[<&"\p{Cc}]/gu, (c) => `&#${c.codePointAt(0)};`)}"`
              : whole,
        ),
      );
    }),
    { numRuns: 400 },
  );
});

Deno.test("hostile sizes are refused or read in reasonable time", () => {
  const start = performance.now();
  tryParse("<network>".repeat(50_000));
  tryParse(`<network>${"x".repeat(2_000_000)}</network>`);
  tryParse(`<network><name>x</name><uuid>${" ".repeat(900_000)}</uuid></network>`);
  tryParse(`<network><name>x</name><mac address='${"1:".repeat(400_000)}'/></network>`);
  tryParse(`<network><name>x</name><ip address='${":".repeat(900_000)}'/></network>`);
  const ip = "<ip address='10.0.0.1'/>".repeat(15_000) + "<ip address='11.0.0.1'/>";
  const route = "<route address='10.9.0.0' prefix='16' gateway='11.0.0.2'/>".repeat(10_000);
  tryParse(`<network><name>x</name>${ip}${route}</network>`);
  assert(performance.now() - start < 20_000, "quadratic");
});
