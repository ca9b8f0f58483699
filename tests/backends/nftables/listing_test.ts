import { assertEquals, assertThrows } from "@std/assert";
import { readListing } from "../../../backends/nftables/listing.ts";
import {
  answer,
  chain,
  concat,
  counted,
  counter,
  type Json,
  LISTING,
  map,
  set,
} from "../../support/nft_listing.ts";
import { WEB_LISTING } from "../../support/nft_published_listing.ts";

Deno.test("the whole table is read: chains, rules in order, maps, counters", () => {
  const { chains, rules, collections, counters, others } = readListing(answer(LISTING));
  assertEquals([...chains], [
    ["forward", "filter forward 0 accept"],
    ["postrouting", "nat postrouting 100 accept"],
    ["from-virbr0", ""],
    ["to-virbr0", ""],
    ["nat-virbr0", ""],
  ]);
  assertEquals(rules.get("forward"), ["iifname vmap @from_bridge", "oifname vmap @to_bridge"]);
  assertEquals(rules.get("to-virbr0")?.length, 3);
  assertEquals(collections.get("translate_host_ipv6"), {
    declared: "map type ipv6_addr : verdict;",
    elements: new Map(),
    counted: new Map(),
  });
  assertEquals([...collections.get("from_bridge")?.elements ?? []], [[
    '"virbr0"',
    "jump from-virbr0",
  ]]);
  assertEquals(counters.get("out-virbr0"), { packets: 7, bytes: 700 });
  assertEquals(others, []);
});

Deno.test("keys are read as a script writes them, whatever hangs on them", () => {
  const elem = [
    ["ab*", { accept: null }],
    [{ elem: { val: "c*d", comment: "hey" } }, { drop: null }],
    [{ elem: { val: "e", timeout: 600, expires: 599 } }, { drop: null }],
  ];
  assertEquals(elementsOf(map("m", "ifname", elem)), [
    ['"ab\\*"', "accept"],
    ['"c*d"', "drop"],
    ['"e"', "drop"],
  ]);
  const pair = [[concat("10.0.0.1", 80), { accept: null }]];
  assertEquals(elementsOf(map("m", ["ipv4_addr", "inet_service"], pair)), [[
    "10.0.0.1 . 80",
    "accept",
  ]]);
});

/** The elements of a map or a set, as they are read. */
function elementsOf(object: Json): readonly (readonly [string, string])[] {
  const [collection] = readListing(answer([object])).collections.values();
  return [...collection?.elements ?? []];
}

Deno.test("ports, protocols and addresses are read as a script writes them, in keys and behind them", () => {
  const { collections } = readListing(answer(WEB_LISTING));
  const read = (name: string): unknown => [...collections.get(name)?.elements ?? []];
  assertEquals(read("publish_ipv4"), [["127.0.0.1 . tcp . 8080", "10.44.0.9 . 80"]]);
  assertEquals(read("publish_any_ipv4"), [["tcp . 8080", "10.44.0.9 . 80"]]);
  assertEquals(read("publish_ranges_ipv4"), [["192.0.2.1 . udp . 5000-5999", "10.44.0.9"]]);
  assertEquals(read("published_ipv4"), [["tcp . 10.44.0.9 . 80", ""]]);
  assertEquals(read("published_ranges_ipv4"), [["udp . 10.44.0.9 . 5000-5999", ""]]);
  const numbers = [[concat(132, 3868), concat("fd44::9", 3868)], [
    concat(17, { range: [1, 2] }),
    concat("fd44::9", 1),
  ]];
  assertEquals(elementsOf(map("m", ["inet_proto", "inet_service"], numbers)), [
    ["sctp . 3868", "fd44::9 . 3868"],
    ["udp . 1-2", "fd44::9 . 1"],
  ]);
  const parts = [concat({ prefix: { addr: "10.8.0.0", len: 24 } }, "10.0.0.1")];
  assertEquals(elementsOf(set("s", ["ipv4_addr", "ipv4_addr"], parts)), [[
    "10.8.0.0/24 . 10.0.0.1",
    "",
  ]]);
});

Deno.test("an IPv6 address that holds one of IPv4 is read in one form, however nft ends it", () => {
  const parts = [{ prefix: { addr: "::ffff:10.0.0.0", len: 104 } }, "::1.2.3.4", {
    range: ["64:ff9b::10.0.0.1", "64:ff9b::10.0.0.9"],
  }];
  assertEquals(elementsOf(set("s", ["ipv6_addr"], parts)).map(([key]) => key), [
    "::ffff:a00:0/104",
    "::102:304",
    "64:ff9b::a00:1-64:ff9b::a00:9",
  ]);
});

Deno.test("what elements have counted is read with them", () => {
  const { collections } = readListing(answer(WEB_LISTING));
  const { counted, declared } = collections.get("published_ranges_ipv4") ?? {};
  assertEquals([...counted ?? []], [["udp . 10.44.0.9 . 5000-5999", { packets: 9, bytes: 900 }]]);
  assertEquals(
    declared,
    "set type inet_proto . ipv4_addr . inet_service; flags interval; counter;",
  );
});

Deno.test("keys that nobody could have written so are told as they are", () => {
  const odd = [concat("tcp"), concat("tcp", true), concat("tcp", { set: [1, 2] })];
  assertEquals(
    elementsOf(set("s", ["inet_proto", "inet_service"], odd.map((one) => counted(one)))),
    [
      ['{"concat":["tcp"]}', ""],
      ["tcp . true", ""],
      ['tcp . {"set":[1,2]}', ""],
    ],
  );
});

Deno.test("objects of other kinds are named", () => {
  const objects: readonly Json[] = [
    chain("x"),
    counter("c"),
    { quota: { name: "q" } },
    { flowtable: { name: "f" } },
  ];
  assertEquals(readListing(answer(objects)).others, ["quota q", "flowtable f"]);
});

Deno.test("text that is not of nft is refused", () => {
  for (const text of ["", "[]", "{}", '{"nftables":1}', '{"nftables":[1]}', "null"]) {
    assertThrows(() => readListing(text), SyntaxError, "", text);
  }
});
