import { assertEquals, assertRejects } from "@std/assert";
import { formatSubnet } from "../../core/address.ts";
import type { CommandResult } from "../../core/command.ts";
import { type AskedFacts, type FactsWanted, HostError } from "../../core/host.ts";
import { freebsdFacts } from "../../platform/freebsd.ts";
import { type ScriptedRunner, scriptedRunner } from "../support/scripted_runner.ts";

const NETSTAT_4 = "netstat -rnW -f inet --libxo json";
const NETSTAT_6 = "netstat -rnW -f inet6 --libxo json";
const ROUTE_4 = "route -n -4 get default";
const ROUTE_6 = "route -n -6 get default";
const FORWARDING = "sysctl -i net.inet.ip.forwarding net.inet6.ip6.forwarding";
const KEEPS_ROUTERS = "sysctl -n -i net.inet6.ip6.rfc6204w3";

/** One line of netstat: destination, gateway, flags, interface. */
type Line = readonly [string, string, string, string];

/** netstat's JSON as FreeBSD 14 and 15 print it; the fields of a line differ between versions. */
function table(family: "Internet" | "Internet6", lines: readonly Line[], fib = ""): string {
  const entries = lines.map(([destination, gateway, flags, device]) =>
    `{"destination":"${destination}","gateway":"${gateway}","flags":"${flags}",` +
    `"flags_pretty": ["up"],"weight":1,"nhop-kidx":4,"nhop":4,"mtu":1500,` +
    `"interface-name":"${device}"}`
  ).join(", ");
  const families = `{"address-family":"${family}", "rt-entry": [${entries}]}`;
  return `{"statistics": {"route-information": {${fib}"route-table": {"rt-family": ` +
    `[${lines.length === 0 ? "" : families}]}}}\n}\n`;
}

/** A bridge with its network, an upstream, a tunnel, and routes that lead nowhere. */
const LINES_4: readonly Line[] = [
  ["default", "192.0.2.1", "UGS", "em0"],
  ["10.66.0.0/16", "127.0.0.1", "UGSB", "lo0"],
  ["10.67.0.0/16", "127.0.0.1", "UGRS", "lo0"],
  ["10.8.0.2", "link#7", "UH", "tun0"],
  ["10.8.0.1", "link#2", "UHS", "lo0"],
  ["127.0.0.1", "link#2", "UH", "lo0"],
  ["192.0.2.0/24", "link#1", "U", "em0"],
  ["192.0.2.17", "link#2", "UHS", "lo0"],
  ["192.168.122.0/24", "link#5", "U", "virbr0"],
  ["192.168.122.1", "link#2", "UHS", "lo0"],
  ["198.51.100.7", "192.0.2.9", "UGHS", "em0"],
];

const LINES_6: readonly Line[] = [
  ["::/96", "link#2", "URS", "lo0"],
  ["default", "fe80::1%em0", "UG", "em0"],
  ["::1", "link#2", "UHS", "lo0"],
  ["::ffff:0.0.0.0/96", "link#2", "URS", "lo0"],
  ["2001:db8:7::/64", "link#1", "U", "em0"],
  ["2001:db8:7::17", "link#2", "UHS", "lo0"],
  ["fd00:122::/64", "link#5", "U", "virbr0"],
  ["fe80::/10", "link#2", "URS", "lo0"],
  ["fe80::%em0/64", "link#1", "U", "em0"],
  ["fe80::5054:ff:fe00:17%lo0", "link#2", "UHS", "lo0"],
  ["fe80::%lo0/64", "link#2", "U", "lo0"],
  ["ff02::/16", "link#2", "URS", "lo0"],
];

/** `route get default`, with the lines that an upstream has or has not. */
function found(
  device: string,
  { mask = "0.0.0.0", gateway = true, flags = "STATIC" } = {},
): string {
  const any = mask.includes(":") ? "::" : "0.0.0.0";
  return `   route to: ${any}\ndestination: ${any}\n       mask: ${mask}\n` +
    (gateway ? "    gateway: 192.0.2.1\n" : "") +
    `        fib: 0\n  interface: ${device}\n      flags: <UP,GATEWAY,DONE,${flags}>\n` +
    " recvpipe  sendpipe  ssthresh  rtt,msec    mtu        weight    expire\n" +
    "       0         0         0         0      1500         1         0 \n";
}

const NOT_FOUND: Partial<CommandResult> = {
  status: 1,
  stderr: "route: route has not been found\n",
};

/** `ifconfig -n em0` with some of its lines. */
function description(options: string): string {
  return "em0: flags=1008843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST,LOWER_UP> metric 0 mtu 1500\n" +
    "\tdescription: nd6 options=2<ACCEPT_RTADV>\n\toptions=48505bb<RXCSUM,TXCSUM,VLAN_MTU>\n" +
    "\tether 52:54:00:00:00:17\n\tinet 192.0.2.17 netmask 0xffffff00 broadcast 192.0.2.255\n" +
    "\tinet6 2001:db8:7::17 prefixlen 64 autoconf pltime 604800 vltime 2592000\n" +
    `\tmedia: Ethernet autoselect (1000baseT <full-duplex>)\n\tstatus: active\n${options}`;
}

const ANSWERS: Readonly<Record<string, string>> = {
  "ifconfig -l": "em0 lo0 pflog0 tun0 virbr0\n",
  [NETSTAT_4]: table("Internet", LINES_4),
  [NETSTAT_6]: table("Internet6", LINES_6),
  [ROUTE_4]: found("em0"),
  [ROUTE_6]: found("em0", { mask: "::" }),
  [FORWARDING]: "net.inet.ip.forwarding: 1\nnet.inet6.ip6.forwarding: 0\n",
  "ifconfig -n em0": description("\tnd6 options=23<PERFORMNUD,ACCEPT_RTADV,AUTO_LINKLOCAL>\n"),
  [KEEPS_ROUTERS]: "0\n",
};

const ALL: FactsWanted = {
  interfaces: true,
  clsact: true,
  forwarding: true,
  routes: ["ipv4", "ipv6"],
};
const NOTHING: FactsWanted = { interfaces: false, clsact: false, forwarding: false, routes: [] };
const IPV4: FactsWanted = { ...NOTHING, routes: ["ipv4"] };
const IPV6: FactsWanted = { ...NOTHING, routes: ["ipv6"] };

type Changes = Readonly<Record<string, Partial<CommandResult>>>;

function runnerWith(changes: Changes): ScriptedRunner {
  return scriptedRunner((_, line) => changes[line] ?? { stdout: ANSWERS[line] ?? "" });
}

async function facts(changes: Changes = {}, wanted = ALL): Promise<AskedFacts> {
  return await freebsdFacts(runnerWith(changes), wanted);
}

function shown({ routes }: AskedFacts): readonly string[] {
  return routes.map(({ destination, device }) =>
    formatSubnet(destination) + (device === undefined ? "" : ` ${device}`)
  );
}

/** The routes of one family when netstat lists these lines. */
async function routesOf(lines: readonly Line[], changes: Changes = {}): Promise<readonly string[]> {
  return shown(
    await facts({ [NETSTAT_4]: { stdout: table("Internet", lines) }, ...changes }, IPV4),
  );
}

async function refused(changes: Changes, message: string): Promise<void> {
  await assertRejects(() => facts(changes), HostError, message);
}

Deno.test("interfaces are known by their names", async () => {
  assertEquals((await facts()).interfaces, ["em0", "lo0", "pflog0", "tun0", "virbr0"]);
  assertEquals((await facts({ "ifconfig -l": { stdout: "\n" } })).interfaces, []);
});

Deno.test("routes that lead somewhere are known, of both families, without the host's own addresses", async () => {
  assertEquals(shown(await facts()), [
    ...["0.0.0.0/0 em0", "10.8.0.2/32 tun0", "192.0.2.0/24 em0", "192.168.122.0/24 virbr0"],
    ...["198.51.100.7/32 em0", "::/0 em0", "2001:db8:7::/64 em0", "fd00:122::/64 virbr0"],
    ...["fe80::/64 em0", "fe80::/64 lo0"],
  ]);
});

Deno.test("the addresses of a bridge are left out whatever link netstat prints", async () => {
  // FreeBSD 13 prints the link of the bridge, 14 that of lo0, and some versions a prefix.
  for (const [address, link] of [["", "link#5"], ["", "link#2"], ["/32", "link#5"]]) {
    const own: Line = [`192.168.122.1${address}`, link ?? "", "UHS", "lo0"];
    assertEquals(
      await routesOf([["192.168.122.0/24", "link#5", "U", "virbr0"], own]),
      ["0.0.0.0/0 em0", "192.168.122.0/24 virbr0"],
    );
  }
});

Deno.test("the default route is the one that the kernel takes, of several", async () => {
  const lines: readonly Line[] = [
    ["default", "192.0.2.1", "UGS", "em0"],
    ["default", "198.51.100.1", "UGS", "em1"],
  ];
  assertEquals(await routesOf(lines, { [ROUTE_4]: { stdout: found("em1") } }), ["0.0.0.0/0 em1"]);
});

Deno.test("a route over several paths is known on each of their interfaces", async () => {
  const lines: readonly Line[] = [
    ["203.0.113.0/24", "192.0.2.8", "UGS", "em0"],
    ["203.0.113.0/24", "198.51.100.8", "UGS", "em1"],
  ];
  const routes = await routesOf(lines, { [ROUTE_4]: NOT_FOUND });
  assertEquals(routes, ["203.0.113.0/24 em0", "203.0.113.0/24 em1"]);
});

Deno.test("a default route without a gateway is known by its interface", async () => {
  const lines: readonly Line[] = [["default", "link#7", "US", "tun0"]];
  const stdout = found("tun0", { gateway: false });
  assertEquals(await routesOf(lines, { [ROUTE_4]: { stdout } }), ["0.0.0.0/0 tun0"]);
});

Deno.test("a host without a default route has none, whatever route's exit status is", async () => {
  // Through netlink, route adds the error and ends with 0.
  const netlink = "route: route has not been found: No such process\n";
  for (const answer of [NOT_FOUND, { status: 0, stderr: netlink }]) {
    const changes = { [ROUTE_4]: answer, [ROUTE_6]: answer };
    const routes = shown(await facts(changes));
    assertEquals(routes.filter((route) => /^(?:0\.0\.0\.0|::)\/0/.test(route)), []);
    assertEquals(routes.includes("192.0.2.0/24 em0"), true);
  }
});

Deno.test("a default route that leads nowhere is none", async () => {
  for (const flags of ["STATIC,BLACKHOLE", "REJECT,STATIC"]) {
    const stdout = found("lo0", { flags });
    assertEquals(await routesOf([], { [ROUTE_4]: { stdout } }), []);
  }
});

Deno.test("where route answers about another route, the default route is the first that netstat lists", async () => {
  const stdout = found("lo0", {
    mask: "ffff:ffff:ffff:ffff:ffff:ffff::",
    flags: "REJECT,STATIC",
  });
  const changes = { [ROUTE_6]: { stdout } };
  const two: readonly Line[] = [...LINES_6, ["default", "fe80::1%em1", "UGS", "em1"]];
  const several = { ...changes, [NETSTAT_6]: { stdout: table("Internet6", two) } };
  assertEquals(shown(await facts(several, IPV6)).filter((one) => one.startsWith("::/0")), [
    "::/0 em0",
  ]);
  const none = table("Internet6", LINES_6.filter(([destination]) => destination !== "default"));
  const routes = shown(await facts({ ...changes, [NETSTAT_6]: { stdout: none } }, IPV6));
  assertEquals(routes[0], "2001:db8:7::/64 em0");
});

Deno.test("the routes are those of the FIB of this process", async () => {
  const runner = runnerWith({
    [NETSTAT_4]: {
      stdout: table("Internet", [["default", "198.51.100.1", "UGS", "em1"]], '"fib":1,'),
    },
    [ROUTE_4]: { stdout: found("em1").replace("fib: 0", "fib: 1") },
  });
  assertEquals(shown(await freebsdFacts(runner, IPV4)), ["0.0.0.0/0 em1"]);
  // Neither program is told a number: both take that of the process.
  assertEquals(runner.ran, [NETSTAT_4, ROUTE_4]);
});

Deno.test("routes are read in the forms of FreeBSD 12 and 13 too", async () => {
  const stdout = '{"statistics": {"route-information": {"route-table": {"rt-family": [' +
    '{"address-family":"Internet", "rt-entry": [' +
    '{"destination":"default","gateway":"192.0.2.1","flags":"UGS",' +
    ' "flags_pretty": ["up","gateway","static"],"use":1822,"mtu":1500,"interface-name":"em0"}, ' +
    '{"destination":"192.0.2.0/24","gateway":"link#1","flags":"U", "flags_pretty": ["up"],' +
    '"weight":1,"nhop":2,"mtu":1500,"interface-name":"em0","expire-time":30}]}]}}}\n}\n';
  const versioned = stdout.replace("{", '{"__version": "1", ');
  for (const answer of [stdout, versioned]) {
    const changes = { [NETSTAT_4]: { stdout: answer } };
    assertEquals(shown(await facts(changes, IPV4)), ["0.0.0.0/0 em0", "192.0.2.0/24 em0"]);
  }
});

Deno.test("a host without routes, or without IPv6 in its kernel, has none", async () => {
  assertEquals(await routesOf([], { [ROUTE_4]: NOT_FOUND }), []);
  const bare = table("Internet", []).replace('"rt-family": []', "");
  assertEquals(await routesOf([], { [NETSTAT_4]: { stdout: bare }, [ROUTE_4]: NOT_FOUND }), []);
});

Deno.test("lines that are no routes of the family asked for are left out", async () => {
  const odd: readonly Line[] = [
    ["10.0.0.0&0xff00ff00", "link#1", "U", "em0"],
    ["2001:db8::/32", "link#1", "U", "em0"],
    ["(255) 0000", "link#1", "U", "em0"],
    ["null", "null", "U", "em0"],
    ["10.1.0.0/16", "link#9", "U", "---"],
    ["10.2.0.0/16", "link#40", "U", ""],
  ];
  assertEquals(await routesOf(odd, { [ROUTE_4]: NOT_FOUND }), ["10.1.0.0/16", "10.2.0.0/16"]);
});

Deno.test("forwarding is known for each family; a kernel without IPv6 does not forward it", async () => {
  const forwarding = async (stdout: string): Promise<readonly boolean[]> => {
    const { forwarding: { ipv4, ipv6 } } = await facts({ [FORWARDING]: { stdout } });
    return [ipv4, ipv6];
  };
  assertEquals(await forwarding(ANSWERS[FORWARDING] ?? ""), [true, false]);
  const six = "net.inet.ip.forwarding: 0\nnet.inet6.ip6.forwarding: 1\n";
  assertEquals(await forwarding(six), [false, true]);
  assertEquals(await forwarding("net.inet.ip.forwarding: 1\n"), [true, false]);
  assertEquals(await forwarding(""), [false, false]);
});

Deno.test("an interface whose default route a router announced is known, with what the kernel does", async () => {
  const acceptRa = async (answer: Partial<CommandResult>): Promise<number | undefined> =>
    (await facts({ [KEEPS_ROUTERS]: answer })).advertised[0]?.acceptRa;
  assertEquals((await facts()).advertised, [{ device: "em0", acceptRa: 1 }]);
  assertEquals(await acceptRa({ stdout: "1\n" }), 2);
  assertEquals(await acceptRa({ stdout: "" }), 1);
  assertEquals(await acceptRa({ status: 127, stderr: "sysctl: not found" }), 1);
});

Deno.test("an interface that takes no routers from announcements is not counted", async () => {
  for (
    const options of [
      "",
      "\tnd6 options=21<PERFORMNUD,AUTO_LINKLOCAL>\n",
      "\tnd6 options=63<PERFORMNUD,ACCEPT_RTADV,AUTO_LINKLOCAL,NO_RADR>\n",
    ]
  ) {
    const changes = { "ifconfig -n em0": { stdout: description(options) } };
    assertEquals((await facts(changes)).advertised, []);
  }
});

Deno.test("a default route that somebody has set is not taken for an announced one", async () => {
  for (const flags of ["UGS", "UG1"]) {
    const stdout = table("Internet6", [["default", "2001:db8:7::1", flags, "em0"]]);
    const runner = runnerWith({ [NETSTAT_6]: { stdout } });
    assertEquals((await freebsdFacts(runner, IPV6)).advertised, []);
    assertEquals(runner.ran, [NETSTAT_6, ROUTE_6]);
  }
});

Deno.test("each interface with an announced default route is asked about once", async () => {
  const lines: readonly Line[] = [
    ["default", "fe80::1%em0", "UG", "em0"],
    ["default", "fe80::2%em0", "UG", "em0"],
    ["default", "fe80::1%em1", "UG", "em1"],
  ];
  const runner = runnerWith({
    [NETSTAT_6]: { stdout: table("Internet6", lines) },
    "ifconfig -n em1": { stdout: ANSWERS["ifconfig -n em0"] ?? "" },
  });
  const { routes, advertised } = await freebsdFacts(runner, IPV6);
  assertEquals([routes.length, advertised.map(({ device }) => device)], [1, ["em0", "em1"]]);
  const asked = ["ifconfig -n em0", "ifconfig -n em1"];
  assertEquals(runner.ran, [NETSTAT_6, ROUTE_6, KEEPS_ROUTERS, ...asked]);
});

Deno.test("only what is wanted is asked", async () => {
  const asked = async (wanted: Partial<FactsWanted>): Promise<readonly string[]> => {
    const runner = runnerWith({});
    await freebsdFacts(runner, { ...NOTHING, ...wanted });
    return runner.ran;
  };
  assertEquals(await asked({}), []);
  assertEquals(await asked({ clsact: true }), []);
  assertEquals(await asked({ interfaces: true }), ["ifconfig -l"]);
  assertEquals(await asked({ forwarding: true }), [FORWARDING]);
  assertEquals(await asked({ routes: ["ipv4"] }), [NETSTAT_4, ROUTE_4]);
  assertEquals(await asked({ routes: ["ipv6"] }), [
    ...[NETSTAT_6, ROUTE_6, KEEPS_ROUTERS, "ifconfig -n em0"],
  ]);
});

Deno.test("what was not asked for is empty, and no queue is known", async () => {
  assertEquals(await facts({}, NOTHING), {
    interfaces: [],
    routes: [],
    forwarding: { ipv4: false, ipv6: false },
    advertised: [],
    clsact: [],
  });
  assertEquals((await facts()).clsact, []);
});

Deno.test("a program that fails is quoted with its command", async () => {
  const could = "Cannot ask the host about its network: ";
  await refused(
    { "ifconfig -l": { status: 1, stderr: "ifconfig: socket(AF_LOCAL): Permission denied\n" } },
    `${could}ifconfig -l: ifconfig: socket(AF_LOCAL): Permission denied`,
  );
  await refused(
    { [NETSTAT_6]: { status: 1, stderr: "netstat: inet6: unknown address family\n" } },
    `${could}${NETSTAT_6}: netstat: inet6: unknown address family`,
  );
  await refused(
    { [ROUTE_4]: { status: 77, stderr: "route: must be root\x1b[2J\nusage: route\n" } },
    `${could}${ROUTE_4}: route: must be root\\u{1b}[2J`,
  );
  await refused(
    { "ifconfig -n em0": { status: 1, stderr: "ifconfig: interface em0 does not exist" } },
    `${could}ifconfig -n em0: ifconfig: interface em0 does not exist`,
  );
  const long = `${"x".repeat(397)}…`;
  await refused({ "ifconfig -l": { status: 1, stderr: "x".repeat(9999) } }, `ifconfig -l: ${long}`);
  await refused({ [NETSTAT_4]: { status: 2 } }, `${could}${NETSTAT_4}: it ended with status 2`);
  for (const line of ["ifconfig -l", NETSTAT_4, ROUTE_6]) {
    await refused({ [line]: { status: 127 } }, `${could}${line}: the program is not installed`);
  }
});

Deno.test("a route program that fails with status 0 is quoted as well", async () => {
  const stderr = "route: message indicates error 47: Address family not supported\n";
  await refused(
    { [ROUTE_6]: { stderr } },
    `${ROUTE_6}: route: message indicates error 47: Address family not supported`,
  );
  await refused(
    { [ROUTE_4]: { stdout: "" } },
    `Cannot understand the answer of \`${ROUTE_4}\`: it names no interface`,
  );
});

Deno.test("a netstat that prints no table is no host without routes", async () => {
  const message = `Cannot understand the answer of \`${NETSTAT_4}\`: it has no routing table`;
  for (const stdout of ['{"statistics": {"route-information": {}}\n}\n', "null", "[]", "7"]) {
    await refused({ [NETSTAT_4]: { stdout } }, message);
  }
});

Deno.test("interfaces may have odd names, as netstat, route and ifconfig print them", async () => {
  // 15 bytes, quotes and a backslash (escaped by libxo), a space, a slash, a control character.
  const names = ["bridge_of_guest", 'a\\"b', "c d", "e/64", "\u00e9\x01", "x\u2003y"];
  for (const name of names) {
    const device = name.replaceAll(/["\\]/g, "\\$&");
    const real = JSON.parse(`"${device.replace("\x01", "\\u0001")}"`);
    const lines: readonly Line[] = [
      ["default", "fe80::1", "UG", device],
      [`fe80::%${device}/64`, "link#1", "U", device],
      ["fd00:122::/64", "link#1", "U", device],
    ];
    const found6 = await facts({
      [NETSTAT_6]: { stdout: table("Internet6", lines) },
      [ROUTE_6]: { stdout: found(real, { mask: "::" }) },
      [`ifconfig -n ${real}`]: { stdout: ANSWERS["ifconfig -n em0"] ?? "" },
    }, IPV6);
    assertEquals(shown(found6), [`::/0 ${real}`, `fe80::/64 ${real}`, `fd00:122::/64 ${real}`]);
    assertEquals(found6.advertised, [{ device: real, acceptRa: 1 }]);
  }
  const { interfaces } = await facts({
    "ifconfig -l": { stdout: "em0 x\u2003y \u00e9\x01 a,b\n" },
  });
  assertEquals(interfaces, ["em0", "x\u2003y", "\u00e9\x01", "a,b"]);
});

Deno.test("nonsense is refused, or taken for nothing, and never breaks the program", async () => {
  const long = 100_000;
  const nonsense = [
    ...["", "Segmentation fault", "{", '{"statistics"', "\0\x01\x02", "\ufffd".repeat(99)],
    ...["[".repeat(long), '{"a":'.repeat(long) + "1" + "}".repeat(long), "1:".repeat(long)],
    ...[" ".repeat(long), `      flags: <${"B".repeat(long)}`, "%/1".repeat(long)],
    table("Internet", [["1:".repeat(long), "", "U", "em0"]]),
    table("Internet", [["f".repeat(long), "", "U", "em0"], ["%/1".repeat(long), "", "U", ""]]),
    '{"statistics":{"route-information":{"route-table":{"rt-family":[1,null,{"rt-entry":' +
    '[null,7,[],{"destination":5,"flags":{},"interface-name":[]},{"destination":"default"}]}]}}}}',
  ];
  for (const line of ["ifconfig -l", NETSTAT_4, NETSTAT_6, ROUTE_4, ROUTE_6, FORWARDING]) {
    for (const text of nonsense) {
      for (const answer of [{ stdout: text }, { status: 1, stderr: text }]) {
        try {
          await facts({ [line]: answer });
        } catch (error) {
          if (!(error instanceof HostError)) throw error;
        }
      }
    }
  }
});
