import { assertEquals } from "@std/assert";
import { formatPorts } from "../../../core/network/network.ts";

Deno.test("a range of one port is written as that port", () => {
  assertEquals(formatPorts({ start: 1024, end: 65535 }), "1024-65535");
  assertEquals(formatPorts({ start: 5000, end: 5000 }), "5000");
});
