import { assertEquals, assertThrows } from "@std/assert";
import { HostError } from "../../../core/host.ts";
import { checkPublishedCollisions } from "../../../core/policy/check_published.ts";
import type { PlacedNetwork } from "../../../core/policy/derive_policy.ts";
import { placed } from "../../support/definitions.ts";

const NS = "xmlns:b='urn:bridgewall:network:1'";

function publishing(name: string, ...ports: readonly string[]): PlacedNetwork {
  const elements = ports.map((attributes) =>
    `<b:publish ${NS} proto='tcp' to='10.0.0.2' ${attributes}/>`
  );
  return placed(
    `<metadata>${elements.join("")}</metadata><ip address='10.0.0.1' prefix='24'/>`,
    name,
  );
}

function refused(
  entering: readonly PlacedNetwork[],
  active: readonly PlacedNetwork[],
): readonly [string, string | undefined] {
  const error = assertThrows(() => checkPublishedCollisions(entering, active), HostError);
  return [error.message, error.hint];
}

const WEB = publishing("web", "port='8080'");
const SHOP = publishing("shop", "port='8000-8090'");

Deno.test("a port that an active network publishes is refused, and both are named", () => {
  const refusal: readonly [string, string] = [
    'Cannot publish port 8000-8090/tcp of network "shop": network "web" publishes 8080/tcp',
    'Choose another port, or run `bridgewall unpublish` for network "web" first',
  ];
  assertEquals(refused([SHOP], [WEB]), refusal);
  assertEquals(refused([placed(""), SHOP], [publishing("x", "port='1'"), WEB]), refusal);
  assertEquals(refused([WEB], [SHOP]), [
    'Cannot publish port 8080/tcp of network "web": network "shop" publishes 8000-8090/tcp',
    'Choose another port, or run `bridgewall unpublish` for network "shop" first',
  ]);
});

Deno.test("of two that come together, the one that had the port before keeps it", () => {
  const had = publishing("web", "port='8080' runtime='yes'");
  const said = 'Cannot publish port 8000-8090/tcp of network "shop": network "web" publishes ' +
    "8080/tcp";
  assertEquals(refused([had, SHOP], [])[0], said);
  assertEquals(refused([SHOP, had], [])[0], said);
});

Deno.test("networks whose ports go together are fine, and so are those that were there before", () => {
  checkPublishedCollisions([WEB], [publishing("shop", "port='8081'")]);
  checkPublishedCollisions([publishing("web", "port='80' address='192.0.2.1'")], [
    publishing("shop", "port='80' address='192.0.2.2'"),
  ]);
  checkPublishedCollisions([placed("")], [WEB, SHOP]);
  checkPublishedCollisions([], [WEB, SHOP]);
});
