import { assertEquals } from "@std/assert";
import { PICTURE, picture } from "../../dist/picture.ts";

Deno.test("the picture of the README says what the program does (else: deno task picture)", () => {
  assertEquals(Deno.readTextFileSync(PICTURE), picture());
});
