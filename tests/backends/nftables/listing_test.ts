import { assertEquals, assertThrows } from "@std/assert";
import { readListing } from "../../../backends/nftables/listing.ts";
import { answer, chain, counter, type Json, LISTING, map } from "../../support/nft_listing.ts";

Deno.test("the whole table is read: chains, rules in order, maps, counters", () => {
  const { chains, rules, maps, counters, others } = readListing(answer(LISTING));
  assertEquals([...chains], [
    ["forward", "filter forward 0 accept"],
    ["postrouting", "nat postrouting 100 accept"],
    ["from-virbr0", ""],
    ["to-virbr0", ""],
    ["nat-virbr0", ""],
  ]);
  assertEquals(rules.get("forward"), ["iifname vmap @from_bridge", "oifname vmap @to_bridge"]);
  assertEquals(rules.get("to-virbr0")?.length, 3);
  assertEquals(maps.get("translate_host_ipv6"), {
    type: "ipv6_addr : verdict",
    elements: new Map(),
  });
  assertEquals([...maps.get("from_bridge")?.elements ?? []], [['"virbr0"', "jump from-virbr0"]]);
  assertEquals(counters.get("out-virbr0"), { packets: 7, bytes: 700 });
  assertEquals(others, []);
});

Deno.test("keys are read as a script writes them, whatever hangs on them", () => {
  const elem = [
    ["ab*", { accept: null }],
    [{ elem: { val: "c*d", comment: "hey" } }, { drop: null }],
    [{ elem: { val: "e", timeout: 600, expires: 599 } }, { drop: null }],
  ];
  const pairs = readListing(answer([map("m", "ifname", elem)])).maps.get("m")?.elements ?? [];
  assertEquals([...pairs], [['"ab\\*"', "accept"], ['"c*d"', "drop"], ['"e"', "drop"]]);
  const concat = [[{ concat: ["10.0.0.1", 80] }, { accept: null }]];
  const foreign = readListing(answer([map("m", ["ipv4_addr", "inet_service"], concat)]));
  assertEquals([...foreign.maps.get("m")?.elements.keys() ?? []], ['{"concat":["10.0.0.1",80]}']);
});

Deno.test("objects of other kinds are named", () => {
  const objects: readonly Json[] = [
    chain("x"),
    counter("c"),
    { set: { name: "s" } },
    { quota: { name: "q" } },
    { flowtable: { name: "f" } },
  ];
  assertEquals(readListing(answer(objects)).others, ["set s", "quota q", "flowtable f"]);
});

Deno.test("text that is not of nft is refused", () => {
  for (const text of ["", "[]", "{}", '{"nftables":1}', '{"nftables":[1]}', "null"]) {
    assertThrows(() => readListing(text), SyntaxError, "", text);
  }
});
