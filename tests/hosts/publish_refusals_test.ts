/** Ports that cannot be published: what is said, and that nothing is changed. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { BACKENDS, NFTABLES } from "./backends.ts";
import { type Bridgewall, openBridgewall } from "./bridgewall.ts";
import { resultsOf } from "./claims.ts";
import { NAT66, ROUTE } from "./five_networks.ts";
import { publishing } from "./published_ports.ts";
import { hostTest } from "./requirements.ts";
import { firewallState } from "./ruleset.ts";
import { bare, testNetwork } from "./test_network.ts";
import { makeHost } from "./topology.ts";

const [GUEST = "", GUEST6 = ""] = (NAT66.guests[`${NAT66.name}-a`] ?? []).map(bare);
const [OTHER = ""] = (ROUTE.guests[`${ROUTE.name}-a`] ?? []).map(bare);
const [HOST = ""] = NAT66.addresses.map(bare);

/** What is typed after `publish e-nat66`, and a word of the answer. */
const BAD: readonly (readonly [specs: readonly string[], word: string])[] = [
  [[], "without"],
  [["8080"], "8080"],
  [[`8080:${GUEST}:80`], "/tcp"],
  [[`8080:${GUEST}:80/icmp`], "icmp"],
  [[`8080:${GUEST}:80/TCP`], "TCP"],
  [[`0:${GUEST}:80/tcp`], "65535"],
  [[`65536:${GUEST}:80/tcp`], "65535"],
  [[`8080:${GUEST}:0/tcp`], "65535"],
  [[`8090-8080:${GUEST}/tcp`], "8080-8090"],
  [[`8080-8090:${GUEST}:80-85/tcp`], "equally many"],
  [[`8080-8090:${GUEST}:65530/tcp`], "65535"],
  [[`8080:${HOST}:80/tcp`], HOST],
  [[`8080:${OTHER}:80/tcp`], "not inside"],
  [[`8080:${GUEST.replace(/\d+$/, "255")}:80/tcp`], "255"],
  [[`8080:${GUEST.replace(/\d+$/, "0")}:80/tcp`], "no guest"],
  [[`8080:${GUEST6}:80/tcp`], "brackets"],
  [[`[2001:db8::1]:8080:${GUEST}:80/tcp`], "families"],
  [[`0.0.0.0:8080:${GUEST}:80/tcp`], "0.0.0.0"],
  [[`224.0.0.1:8080:${GUEST}:80/tcp`], "224.0.0.1"],
  [[`[::1]:8080:[${GUEST6}]:80/tcp`], "::1"],
  [["8080:192.168.105:80/tcp"], "192.168.105"],
  [[`8080:${GUEST.replace(/\d+$/, "010")}:80/tcp`], "010"],
  [[`8080:[${GUEST6}]:80/tcp`, "--localhost"], "IPv6"],
  // One that is good does not help the other.
  [[`8080:${GUEST}:80/tcp`, "8081/tcp"], "8081/tcp"],
];

async function expectRefusal(
  bridgewall: Bridgewall,
  args: readonly string[],
  code: number,
  words: readonly string[],
): Promise<void> {
  const finished = await bridgewall.run(args);
  assertEquals(finished.code, code, finished.stderr);
  for (const word of words) assertStringIncludes(finished.stderr, word);
}

hostTest({
  name: "what is no published port is refused with exit code 2, and changes nothing",
  tools: NFTABLES.tools,
  body: async (t) => {
    await using host = await makeHost([NAT66, ROUTE]);
    const bridgewall = await openBridgewall(host, NFTABLES);
    await bridgewall.up(NAT66, ROUTE);
    const before = await firewallState(host.host);
    const results = await resultsOf(
      BAD,
      ([specs]) => bridgewall.run(["publish", NAT66.name, ...specs]),
    );
    for (const [[specs, word], { code, stderr }] of results) {
      await t.step(`publish ${NAT66.name} ${specs.join(" ")}`, () => {
        assertEquals(code, 2, stderr);
        assertStringIncludes(stderr, word);
      });
    }
    await t.step("the firewall is as it was", async () => {
      assertEquals(await firewallState(host.host), before);
    });
    await t.step(
      "a network that is not active has no ports",
      () =>
        expectRefusal(bridgewall, ["publish", "nowhere", `8080:${GUEST}:80/tcp`], 1, ["nowhere"]),
    );
    const open = testNetwork(106, "open", { forward: '<forward mode="open"/>' });
    await t.step("a network without rules has no ports", async () => {
      const path = await bridgewall.write(
        publishing(open, [{ proto: "tcp", port: 8080, to: "192.168.106.10" }]),
      );
      await expectRefusal(bridgewall, ["up", path], 2, ["mode open"]);
    });
  },
});

for (const backend of BACKENDS) {
  const { name, tools } = backend;
  hostTest({
    name: `${name}: two networks cannot publish the same port`,
    tools,
    body: async (t) => {
      await using host = await makeHost([NAT66, ROUTE]);
      const bridgewall = await openBridgewall(host, backend);
      const first = publishing(NAT66, [
        { proto: "tcp", port: "8080-8090", to: GUEST },
        { proto: "udp", port: 53, to: GUEST, address: HOST },
      ]);
      const second = publishing(ROUTE, [{ proto: "tcp", port: 8085, to: `${OTHER}:80` }]);
      const both = [NAT66.name, ROUTE.name];
      await t.step("in one command", async () => {
        const paths = await Promise.all([first, second].map(bridgewall.write));
        await expectRefusal(bridgewall, ["up", ...paths], 2, both);
      });
      await bridgewall.up(first);
      await t.step("one after the other", async () => {
        await expectRefusal(bridgewall, ["up", await bridgewall.write(second)], 1, both);
      });
      await bridgewall.up(ROUTE);
      const before = await firewallState(host.host);
      const publish = (...specs: readonly string[]): readonly string[] => ["publish", ...specs];
      const cases:
        readonly (readonly [says: string, args: readonly string[], words: readonly string[]])[] = [
          ["one of a range", publish(ROUTE.name, `8090:${OTHER}/tcp`), both],
          ["one address of it", publish(ROUTE.name, `192.0.2.1:8090:${OTHER}/tcp`), both],
          ["any address, of which one is taken", publish(ROUTE.name, `53:${OTHER}/udp`), both],
          ["its own range", publish(NAT66.name, `8085:${GUEST}/tcp`), ["8080-8090"]],
          ["another guest is not unpublished", [
            "unpublish",
            NAT66.name,
            `53:${GUEST}/udp`,
            `8080-8090:${GUEST}:9090/tcp`,
          ], [
            "8080-8090",
          ]],
        ];
      for (const [says, args, words] of cases) {
        await t.step(says, () => expectRefusal(bridgewall, args, 1, words));
      }
      await t.step("the firewall is as it was", async () => {
        assertEquals(await firewallState(host.host), before);
      });
      await t.step("another protocol or address is no conflict", async () => {
        await bridgewall.succeed(["publish", ROUTE.name, `8080:${OTHER}/udp`]);
        if (backend.firewalld === undefined) {
          await bridgewall.succeed(["publish", ROUTE.name, `192.0.2.1:53:${OTHER}/udp`]);
        }
        await bridgewall.succeed(["unpublish", ROUTE.name, "8080/udp", "192.0.2.1:53/udp"]);
        assertEquals(await firewallState(host.host), before);
      });
    },
  });
}
