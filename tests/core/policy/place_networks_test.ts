import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { stringify } from "@std/xml";
import { HostError } from "../../../core/host.ts";
import { networkFromElement } from "../../../core/network/parse_network.ts";
import { type BridgeNames, placeNetworks } from "../../../core/policy/place_networks.ts";
import { network } from "../../support/definitions.ts";

const NOBODY: BridgeNames = { interfaces: [], active: new Map() };

function bridges(elements: readonly string[], names = NOBODY): readonly string[] {
  const networks = elements.map((one, index) => network(one, `net${index}`));
  return placeNetworks(networks, names).map(({ bridge }) => bridge);
}

function numbered(before: string, count: number, after = ""): readonly string[] {
  return Array.from({ length: count }, (_, number) => `${before}${number}${after}`);
}

Deno.test("a bridge with a name keeps it, whatever stands on the host", () => {
  const interfaces = ["lan0"];
  assertEquals(bridges(["<bridge name='lan0'/>"], { ...NOBODY, interfaces }), ["lan0"]);
});

Deno.test("bridges without a name get the first free numbers", () => {
  assertEquals(bridges(["", "<bridge stp='on'/>", ""]), ["virbr0", "virbr1", "virbr2"]);
});

Deno.test("a generated name avoids interfaces, active networks and names in the same command", () => {
  const names = { interfaces: ["virbr0"], active: new Map([["other", "virbr1"]]) };
  assertEquals(bridges(["", "<bridge name='virbr2'/>"], names), ["virbr3", "virbr2"]);
});

Deno.test("the number goes where %d stands", () => {
  const template = "<bridge name='lab%dx'/>";
  assertEquals(bridges([template, template]), ["lab0x", "lab1x"]);
});

Deno.test("a network that is active keeps its generated bridge", () => {
  const names = { interfaces: ["virbr5"], active: new Map([["net0", "virbr5"]]) };
  assertEquals(bridges(["", ""], names), ["virbr5", "virbr0"]);
  assertEquals(bridges(["<bridge name='virbr%d'/>"], names), ["virbr5"]);
});

Deno.test("a network whose template changed gets a name of the new kind", () => {
  const names = { interfaces: [], active: new Map([["net0", "virbr5"]]) };
  assertEquals(bridges(["<bridge name='lab%d'/>"], names), ["lab0"]);
  const named = { interfaces: [], active: new Map([["net0", "br-lan"]]) };
  assertEquals(bridges([""], named), ["virbr0"]);
  const empty = { interfaces: [], active: new Map([["net0", "virbr"]]) };
  assertEquals(bridges([""], empty), ["virbr0"]);
});

Deno.test("numbers end at 256, as in libvirt", () => {
  const interfaces = numbered("virbr", 256);
  assertEquals(bridges([""], { ...NOBODY, interfaces }), ["virbr256"]);
  const error = assertThrows(
    () => bridges([""], { ...NOBODY, interfaces: numbered("virbr", 257) }),
    HostError,
    'Cannot find a free bridge name for network "net0": virbr0 to virbr256 are taken',
  );
  assertStringIncludes(error.hint ?? "", "<bridge name=");
  assertThrows(
    () =>
      bridges(["<bridge name='lab%dx'/>"], { ...NOBODY, interfaces: numbered("lab", 257, "x") }),
    HostError,
    "lab0x to lab256x are taken",
  );
});

Deno.test("modes without a bridge of their own take no number", () => {
  assertEquals(
    bridges([
      "<forward mode='private' dev='eth0'/>",
      "<forward mode='bridge'/><bridge name='br0'/>",
      "",
    ]),
    ["", "br0", "virbr0"],
  );
});

Deno.test("the definition gets the name of the bridge, and keeps all else", () => {
  const written = (elements: string): string => {
    const [one] = placeNetworks([network(elements)], NOBODY);
    assertEquals(one?.network.bridge.name, one?.bridge);
    return one === undefined ? "" : stringify(one.network.source);
  };
  assertEquals(
    written("<x:y xmlns:x='urn:x'/>"),
    '<network><name>lan</name><x:y xmlns:x="urn:x"/><bridge name="virbr0"/></network>',
  );
  assertEquals(
    written("<bridge stp='off' name='b%d'/><!--note-->"),
    '<network><name>lan</name><bridge stp="off" name="b0"/><!--note--></network>',
  );
  assertEquals(
    written("<bridge name='br7'/>"),
    '<network><name>lan</name><bridge name="br7"/></network>',
  );
});

Deno.test("only libvirt's own <bridge> gets the name, not one of another namespace", () => {
  for (const foreign of ["<bridge xmlns='urn:x' foo='1'/>", "<x:bridge xmlns:x='urn:x'/>"]) {
    for (const own of ["", "<bridge stp='on'/>"]) {
      const [one] = placeNetworks([network(foreign + own)], NOBODY);
      assert(one !== undefined);
      const text = stringify(one.network.source);
      assertStringIncludes(text, foreign.replaceAll("'", '"'));
      assertEquals(networkFromElement(one.network.source, "test").bridge, one.network.bridge);
      assertEquals(one.network.bridge.name, "virbr0");
    }
  }
});
