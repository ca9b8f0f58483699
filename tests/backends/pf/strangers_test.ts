/** Guests whose addresses nobody knows, by version: what keeps them from leaving as somebody else. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Command } from "../../../core/command.ts";
import { describePacket, packet, replyTo } from "../../support/packets/packet.ts";
import { bringUp, drift, type Fault, freebsdWorld, reloadAll, run } from "./host.ts";
import { answersOf, RELEASES, type SceneSetup } from "./releases.ts";
import { SETTINGS_QUESTION } from "../../../backends/pf/settings.ts";
import { hostWith, MAIN_RULESETS, NETWORKS, upCommands } from "./scene.ts";

const LOOSE = MAIN_RULESETS["pass all after them"] ?? "";
const KERNELS = { 14: "14.3-RELEASE", 15: "15.0-RELEASE-p1", 16: "16.0-CURRENT" };
const QUIET = "<network><name>quiet</name><bridge name='virbr6'/></network>";

/** Of what the network loads, the lines that the expression finds. */
function lines(
  definition: string,
  setup: SceneSetup | undefined,
  found: RegExp,
): readonly string[] {
  return upCommands([definition], setup).flatMap(({ stdin = "" }) => stdin.split("\n"))
    .filter((line) => found.test(line));
}

Deno.test("up to FreeBSD 14, and where nobody knows the version, no nat keeps them untranslated", () => {
  for (const setup of [undefined, {}, { kernel: KERNELS[14] }, { kernel: "13.2-RELEASE" }]) {
    assertEquals(lines(QUIET, setup, /^no nat|^pass in/), [
      'pass in quick on virbr6 inet all no state allow-opts label "quiet strangers" ' +
      "tag bridgewall-stay-quiet",
      "no nat inet all tagged bridgewall-stay-quiet",
    ]);
  }
});

Deno.test("since FreeBSD 15 there is no `no nat`, and only what is for the host comes in", () => {
  const rest = 'no state allow-opts label "quiet strangers" tag bridgewall-stay-quiet';
  const start = "pass in quick on virbr6 inet from any to";
  const forHost = ["(self)", "(self:broadcast)", "224.0.0.0/4", "255.255.255.255"]
    .map((to) => `${start} ${to} ${rest}`);
  for (const kernel of [KERNELS[15], KERNELS[16]]) {
    assertEquals(lines(QUIET, { kernel }, /^no nat|^pass in/), forHost);
    const both = QUIET.replace("<network>", "<network ipv6='yes'>");
    const six = `pass in quick on virbr6 inet6 all ${rest}`;
    assertEquals(lines(both, { kernel }, /^no nat|^pass in/), [...forHost, six]);
    const bridged = lines(QUIET, { kernel, pfilBridge: true }, /^no nat|^pass in/);
    assertEquals(bridged, [`pass in quick on virbr6 inet all ${rest}`]);
  }
});

Deno.test("they have the host, whatever they say to be, and what they send to all", () => {
  for (const version of Object.values(RELEASES)) {
    for (const filterLocal of [false, true]) {
      const host = hostWith(LOOSE, { ...version, filterLocal });
      host.machine.setInterface("virbr6", { addresses: ["10.6.0.1/24"] });
      const discover = packet("udp", "0.0.0.0:68", "255.255.255.255:67");
      const sent = ["203.0.113.2", "10.6.0.1", "10.6.0.255", "224.0.0.251"].flatMap((to) =>
        ["10.6.0.9", "192.168.122.10"].map((from) => packet("udp", `${from}:5353`, `${to}:5353`))
      );
      for (const one of [discover, ...sent]) {
        const { verdict, packet: seen } = host.machine.hook(one, "in", "virbr6");
        assertEquals([verdict, describePacket(seen)], ["pass", describePacket(one)]);
      }
    }
  }
});

/** From the address of a guest of `default`, to what is beyond the interface where that is translated. */
const POSING = packet("udp", "192.168.122.10:5000", "192.0.9.9:53");

Deno.test("where pf of FreeBSD 15 sees bridges one gets out as a guest of another, and gets no answer", () => {
  const host = hostWith(LOOSE, { ...RELEASES["FreeBSD 15"], pfilBridge: true });
  const out = host.fromGuest("virbr6", "tap12", POSING);
  assertEquals([out.to, describePacket(out.packet)], [
    "re0",
    "udp 203.0.113.2:1024 > 192.0.9.9:53",
  ]);
  const back = host.fromOutside("re0", replyTo(out.packet));
  assertEquals([back.delivered, back.stoppedAt], [false, "out on virbr0"]);
  for (const [release, version] of Object.entries(RELEASES)) {
    const closed = hostWith(LOOSE, { ...version, pfilBridge: release === "FreeBSD 14" });
    assertEquals([release, closed.fromGuest("virbr6", "tap12", POSING).delivered], [
      release,
      false,
    ]);
  }
});

Deno.test("no packet makes FreeBSD 15 panic, though there is no port left", () => {
  const nat = (NETWORKS["default"] ?? "").replace(
    "<forward mode='nat'/>",
    "<forward mode='nat'><nat><port start='2000' end='2001'/></nat></forward>",
  );
  for (const pfilBridge of [false, true]) {
    const setup = { ...RELEASES["FreeBSD 15"], pfilBridge };
    const host = hostWith(LOOSE, setup, { ...NETWORKS, default: nat });
    for (const sourcePort of [1, 2, 3]) {
      host.fromGuest("virbr0", "tap0", { ...POSING, sourcePort });
      host.fromGuest("virbr6", "tap12", { ...POSING, sourcePort: sourcePort + 10 });
    }
    const { rule } = host.fromGuest("virbr0", "tap0", POSING);
    assertMatch(rule, /no address or no port to give$/);
  }
});

function settings(setup: SceneSetup): Fault {
  return ({ program }: Command) =>
    program === "sysctl" ? answersOf(setup).to(SETTINGS_QUESTION) : undefined;
}

Deno.test("what remains possible is warned of with what to do, and nothing where nothing does", async () => {
  const warnings = async (kernel: string, setup: SceneSetup): Promise<string> => {
    const world = freebsdWorld(kernel);
    const { error, said } = await run(world, { quiet: QUIET }, bringUp("quiet"), settings(setup));
    assertEquals(error, undefined);
    return said.filter((one) => one.includes("takes the address")).join("\n");
  };
  assertEquals(
    await warnings(KERNELS[15], { pfilBridge: true }),
    'A guest of network "quiet" that takes the address of a guest of a network in mode nat can send ' +
      "to the outside as that one, and gets no answer: pf of FreeBSD 15 translates it as long as " +
      "net.link.bridge.pfil_bridge is 1.\n" +
      "Run `sysctl net.link.bridge.pfil_bridge=0` and `bridgewall reload`",
  );
  assertEquals(await warnings(KERNELS[15], {}), "");
  assertEquals(await warnings(KERNELS[14], { pfilBridge: true }), "");
});

Deno.test("check notices that the setting has changed, and reload follows it", async () => {
  const world = freebsdWorld(KERNELS[15]);
  await run(world, { quiet: QUIET }, bringUp("quiet"));
  assertEquals(await drift(world), []);
  const question = SETTINGS_QUESTION.args.join(" ");
  const stdout = answersOf({ pfilBridge: true }).to(SETTINGS_QUESTION)?.stdout ?? "";
  const found = await drift(world, { [question]: { stdout } });
  assert(found.some((one) => one.includes("Rule is missing")), found.join("\n"));
  const { changes } = await run(world, {}, reloadAll, settings({ pfilBridge: true }));
  assertEquals(changes, ["-a bridgewall/quiet -f -"]);
  assertEquals(await drift(world, { [question]: { stdout } }), []);
});
