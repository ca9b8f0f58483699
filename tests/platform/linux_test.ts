import { assertEquals, assertRejects } from "@std/assert";
import { formatSubnet } from "../../core/address.ts";
import type { CommandResult } from "../../core/command.ts";
import { type AskedFacts, type FactsWanted, HostError } from "../../core/host.ts";
import { linuxFacts } from "../../platform/linux.ts";
import { hostTest } from "../hosts/requirements.ts";
import { mustRun } from "../hosts/run_program.ts";
import { type ScriptedRunner, scriptedRunner } from "../support/scripted_runner.ts";

/** `ip -j -4 route show table main` of iproute2 6.1, with one route of each kind. */
const ROUTES_4 = `[
{"dst":"default","gateway":"192.168.1.1","dev":"eth0","flags":[]},
{"dst":"10.9.0.0/24","dev":"eth1","protocol":"kernel","scope":"link","prefsrc":"10.9.0.1","flags":[]},
{"type":"blackhole","dst":"10.66.0.0/16","flags":[]},
{"type":"unreachable","dst":"10.67.0.0/16","flags":[]},
{"type":"local","dst":"10.99.0.0/16","dev":"lo","scope":"host","flags":[]},
{"dst":"10.70.0.0/16","flags":[],"nexthops":[
  {"gateway":"192.168.1.2","dev":"eth0","weight":1,"flags":[]},
  {"gateway":"10.9.0.2","dev":"eth1","weight":1,"flags":[]}]},
{"dst":"10.71.0.1","dev":"eth1","scope":"link","flags":[]}]`;

/** The same of \`-6\`: the routes of eth0 and of eth1 come from router advertisements. */
const ROUTES_6 = `[
{"dst":"2001:db8:7::/64","dev":"eth0","protocol":"ra","metric":1024,"flags":[],"pref":"medium"},
{"dst":"2001:db8:8::/64","dev":"eth1","protocol":"kernel","metric":1024,"flags":[],"expires":299,"pref":"medium"},
{"dst":"fd00:1::/64","dev":"eth2","protocol":"kernel","metric":256,"flags":[],"pref":"medium"},
{"dst":"fd00:2::/64","metric":1024,"flags":[],"pref":"medium","nexthops":[
  {"gateway":"fe80::1","dev":"eth0","weight":1,"flags":[]},
  {"gateway":"fe80::2","dev":"eth1","weight":1,"flags":[]}]},
{"type":"blackhole","dst":"fd00:66::/48","dev":"lo","metric":1024,"flags":[],"pref":"medium"},
{"dst":"fe80::/64","dev":"eth0","protocol":"kernel","metric":256,"flags":[],"pref":"medium"},
{"dst":"default","gateway":"fe80::1","dev":"eth0","protocol":"ra","metric":1024,"flags":[],"expires":1799,"pref":"medium"}]`;

const ANSWERS: Readonly<Record<string, string>> = {
  "ip -4 -j route show table main": ROUTES_4,
  "ip -6 -j route show table main": ROUTES_6,
  "ip -j link show": `[{"ifindex":1,"ifname":"lo","flags":["LOOPBACK"],"mtu":65536},
    {"ifindex":2,"ifname":"eth0","link_type":"ether"},{"ifindex":3,"ifname":"virbr0"}]`,
  "tc -j qdisc show": `[{"kind":"noqueue","handle":"0:","dev":"lo","root":true,"options":{}},
    {"kind":"clsact","handle":"ffff:","dev":"virbr0","parent":"ffff:fff1","options":{}}]`,
  "sysctl -e net.ipv4.ip_forward net.ipv6.conf.all.forwarding":
    "net.ipv4.ip_forward = 1\nnet.ipv6.conf.all.forwarding = 0\n",
  "sysctl -n net/ipv6/conf/eth0/accept_ra": "1\n",
  "sysctl -n net/ipv6/conf/eth1/accept_ra": "2\n",
};

const ALL: FactsWanted = {
  interfaces: true,
  clsact: true,
  forwarding: true,
  routes: ["ipv4", "ipv6"],
};
const NOTHING: FactsWanted = { interfaces: false, clsact: false, forwarding: false, routes: [] };

function runnerWith(changes: Readonly<Record<string, Partial<CommandResult>>>): ScriptedRunner {
  return scriptedRunner((_, line) => changes[line] ?? { stdout: ANSWERS[line] ?? "" });
}

async function facts(
  changes: Readonly<Record<string, Partial<CommandResult>>> = {},
  wanted = ALL,
): Promise<AskedFacts> {
  return await linuxFacts(runnerWith(changes), wanted);
}

function shown({ routes }: AskedFacts): readonly string[] {
  return routes.map(({ destination, device }) =>
    formatSubnet(destination) + (device === undefined ? "" : ` ${device}`)
  );
}

Deno.test("interfaces and queues are known by their names", async () => {
  const { interfaces, clsact } = await facts();
  assertEquals(interfaces, ["lo", "eth0", "virbr0"]);
  assertEquals(clsact, ["virbr0"]);
});

Deno.test("routes that lead somewhere are known, of both families", async () => {
  assertEquals(shown(await facts()), [
    ...["0.0.0.0/0 eth0", "10.9.0.0/24 eth1", "10.70.0.0/16", "10.71.0.1/32 eth1"],
    ...["2001:db8:7::/64 eth0", "2001:db8:8::/64 eth1", "fd00:1::/64 eth2", "fd00:2::/64"],
    ...["fe80::/64 eth0", "::/0 eth0"],
  ]);
});

Deno.test("interfaces that routers announce routes on are known, with their accept_ra", async () => {
  assertEquals((await facts()).advertised, [
    { device: "eth0", acceptRa: 1 },
    { device: "eth1", acceptRa: 2 },
  ]);
  const silent = { "sysctl -n net/ipv6/conf/eth0/accept_ra": { status: 255, stdout: "" } };
  assertEquals((await facts(silent)).advertised[0], { device: "eth0", acceptRa: 0 });
});

Deno.test("forwarding is known for each family; 2 in IPv6 counts as on", async () => {
  const key = "sysctl -e net.ipv4.ip_forward net.ipv6.conf.all.forwarding";
  const forwarding = async (stdout: string): Promise<readonly boolean[]> => {
    const { forwarding: { ipv4, ipv6 } } = await facts({ [key]: { stdout } });
    return [ipv4, ipv6];
  };
  assertEquals((await facts()).forwarding, { ipv4: true, ipv6: false });
  const both = (four: number, six: number): string =>
    `net.ipv4.ip_forward = ${four}\nnet.ipv6.conf.all.forwarding = ${six}\n`;
  assertEquals(await forwarding(both(0, 1)), [false, true]);
  assertEquals(await forwarding(both(0, 2)), [false, true]);
  assertEquals(await forwarding("net.ipv4.ip_forward = 1\n"), [true, false]);
  assertEquals(await forwarding(""), [false, false]);
});

Deno.test("only what is wanted is asked", async () => {
  const asked = async (wanted: Partial<FactsWanted>): Promise<readonly string[]> => {
    const runner = runnerWith({});
    await linuxFacts(runner, { ...NOTHING, ...wanted });
    return runner.ran;
  };
  assertEquals(await asked({}), []);
  assertEquals(await asked({ routes: ["ipv4"] }), ["ip -4 -j route show table main"]);
  assertEquals(await asked({ interfaces: true }), ["ip -j link show"]);
  assertEquals(await asked({ clsact: true }), ["tc -j qdisc show"]);
  assertEquals((await asked({ forwarding: true })).length, 1);
  assertEquals((await asked({ routes: ["ipv6"] })).length, 3);
});

Deno.test("a host without ip is told what to install", async () => {
  const missing = { "ip -j link show": { status: 127 } };
  const error = await assertRejects(
    () => facts(missing),
    HostError,
    "Cannot ask the host about its network: ip -j link show: the program is not installed",
  );
  assertEquals(error.hint, "Install the package iproute2");
});

Deno.test("an ip that fails is quoted", async () => {
  const failing = { "ip -4 -j route show table main": { status: 2, stderr: "Cannot bind\n" } };
  await assertRejects(() => facts(failing), HostError, "table main: Cannot bind");
});

Deno.test("a host without tc, or with no answer at all, is one without queues and routes", async () => {
  const { clsact } = await facts({ "tc -j qdisc show": { status: 127, stderr: "not found" } });
  assertEquals(clsact, []);
  const empty = await facts({
    "ip -4 -j route show table main": { stdout: "[]" },
    "ip -6 -j route show table main": { stdout: "\n" },
  });
  assertEquals([empty.routes, empty.advertised], [[], []]);
});

Deno.test("an interface may have control characters and quotes in its name", async () => {
  const { interfaces, clsact } = await facts({
    "ip -j link show": {
      stdout: '[{"ifname":"c\x01d"},\n\t{"ifname":"\x1f\\"\\\\\x1b"},{"ifname":"é"}]',
    },
    "tc -j qdisc show": { stdout: '[{"kind":"clsact","dev":"c\x01d"}]' },
  });
  assertEquals(interfaces, ["c\x01d", '\x1f"\\\x1b', "é"]);
  assertEquals(clsact, ["c\x01d"]);
});

Deno.test("an answer that is no JSON is refused with the command that gave it", async () => {
  for (const command of ["ip -j link show", "ip -6 -j route show table main", "tc -j qdisc show"]) {
    for (const stdout of ["Segmentation fault", '[{"ifname":"a', '[{"dev":"a\\q"}]']) {
      await assertRejects(
        () => facts({ [command]: { stdout } }),
        HostError,
        `Cannot understand the answer of \`${command}\`: it is not JSON`,
      );
    }
  }
});

hostTest({
  name: "the host's own iproute2 is understood whatever its interfaces are called",
  tools: ["unshare", "sh"],
  body: async () => {
    const script = 'ip link add name "$1" type bridge && ip -j link show';
    const name = "c\x01\x1b\"'\\é\x7f";
    const stdout = await mustRun(["unshare", "--net", "sh", "-c", script, "sh", name]);
    const { interfaces } = await facts({ "ip -j link show": { stdout } });
    assertEquals(interfaces, ["lo", name]);
  },
});
