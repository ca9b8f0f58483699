import { assertEquals, assertThrows } from "@std/assert";
import { recordedNetwork } from "../../../core/commands/recorded_networks.ts";
import { RecordError } from "../../../core/record/record.ts";
import { network } from "../../support/definitions.ts";

Deno.test("the network of a record has the bridge that the record names", () => {
  const source = network("<bridge name='br7'/>", "lan").source;
  const { network: recorded, bridge } = recordedNetwork({ name: "lan", network: source });
  assertEquals([recorded.name, bridge], ["lan", "br7"]);
});

Deno.test("a record that holds the definition of another network is refused", () => {
  assertThrows(
    () => recordedNetwork({ name: "lan", network: network("", "lab").source }),
    RecordError,
    'Cannot use the record of network "lan": it holds the definition of network "lab"',
  );
});

Deno.test("a record whose definition is not valid is refused by its name", () => {
  const { source } = network("", "lan");
  const broken = { ...source, attributes: { ipv6: "perhaps" } };
  assertThrows(
    () => recordedNetwork({ name: "lan", network: broken }),
    RecordError,
    'Cannot use the record of network "lan": record of lan:1:1: <network> has ipv6 "perhaps"',
  );
});
