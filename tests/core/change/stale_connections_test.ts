import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { formatAddress, type IpAddress } from "../../../core/address.ts";
import type { CommandResult } from "../../../core/command.ts";
import { readConnections } from "../../../core/change/connections.ts";
import { endStaleConnections } from "../../../core/change/stale_connections.ts";
import { parseSpec, type PublishedPort } from "../../../core/network/published_port.ts";
import { scriptedRunner } from "../../support/scripted_runner.ts";

/** As conntrack 1.4.7 prints them. */
const RECORDED: Readonly<Record<string, string>> = {
  "of TCP": "tcp      6 431999 ESTABLISHED src=203.0.113.9 dst=192.0.2.1 sport=40000 dport=8080 " +
    "src=10.0.0.2 dst=203.0.113.9 sport=80 dport=40000 [ASSURED] mark=0 use=1",
  "of TCP, unanswered": "tcp      6 119 SYN_SENT src=203.0.113.9 dst=192.0.2.1 sport=40000 " +
    "dport=8080 [UNREPLIED] src=10.0.0.2 dst=203.0.113.9 sport=80 dport=40000 mark=0 use=1",
  "of UDP, with a mark and a zone": "udp      17 29 src=203.0.113.9 dst=192.0.2.1 sport=40000 " +
    "dport=8080 [UNREPLIED] src=10.0.0.2 dst=203.0.113.9 sport=80 dport=40000 mark=7 zone=5 use=1",
  "of SCTP": "sctp     132 99 ESTABLISHED src=203.0.113.9 dst=192.0.2.1 sport=40000 dport=8080 " +
    "src=10.0.0.2 dst=203.0.113.9 sport=80 dport=40000 [ASSURED] mark=0 secctx=system_u use=1",
  "with zones for each direction": "tcp      6 5 CLOSE src=203.0.113.9 dst=192.0.2.1 sport=40000 " +
    "dport=8080 zone-orig=1 packets=3 bytes=180 src=10.0.0.2 dst=203.0.113.9 sport=80 " +
    "dport=40000 zone-reply=2 packets=1 bytes=60 [ASSURED] mark=0 delta-time=9 use=2",
  "that hardware forwards": "tcp      6 src=203.0.113.9 dst=192.0.2.1 sport=40000 dport=8080 " +
    "src=10.0.0.2 dst=203.0.113.9 sport=80 dport=40000 [HW_OFFLOAD] mark=0 use=2",
};

for (const [says, line] of Object.entries(RECORDED)) {
  Deno.test(`an entry ${says} is read in both directions`, () => {
    const [only, ...more] = readConnections(`${line}\n`);
    assert(only !== undefined && more.length === 0);
    const { original, reply } = only;
    const ends = [original.source, original.destination, reply.source, reply.destination];
    assertEquals(ends.map(formatAddress), ["203.0.113.9", "192.0.2.1", "10.0.0.2", "203.0.113.9"]);
    assertEquals(
      [original.sourcePort, original.destinationPort, reply.sourcePort, reply.destinationPort],
      [40000, 8080, 80, 40000],
    );
  });
}

Deno.test("entries of IPv6 are read, and what is no entry is passed over", () => {
  const [only] = readConnections(
    "tcp      6 9 TIME_WAIT src=2001:db8::9 dst=2001:db8::1 sport=1 dport=2 src=fd00::2 " +
      "dst=2001:db8::9 sport=3 dport=1 [ASSURED] mark=0 use=1",
  );
  assertEquals(only && formatAddress(only.reply.source), "fd00::2");
  assertEquals(readConnections(""), []);
  assertEquals(readConnections("conntrack v1.4.7 (conntrack-tools): 0 flow entries\n\nsrc=x"), []);
});

/** A connection from outside, in few words: to where it went, and who answers. */
function entry(asked: string, answering = asked, protocol = "tcp"): string {
  const [to, port] = ends(asked);
  const [from, guestPort] = ends(answering);
  const client = to.includes(":") ? "2001:db8::9" : "203.0.113.9";
  return `${protocol} 6 9 CLOSE src=${client} dst=${to} sport=40000 dport=${port} ` +
    `src=${from} dst=${client} sport=${guestPort} dport=40000 mark=0 use=1`;
}

function ends(text: string): readonly [address: string, port: string] {
  const at = text.lastIndexOf(" ");
  return [text.slice(0, at), text.slice(at + 1)];
}

function port(text: string): PublishedPort {
  return parseSpec(text.replace("!", ""), { localhost: text.endsWith("!") });
}

const ADDRESSES = [
  "1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever preferred_lft forever",
  "1: lo    inet6 ::1/128 scope host noprefixroute",
  "2: eth0    inet 192.0.2.1/24 brd 192.0.2.255 scope global eth0",
  "3: tun0    inet 10.7.0.1 peer 10.7.0.2/32 scope global tun0",
  "2: eth0    inet6 2001:db8::1/64 scope global",
].join("\n");

/** What is run for these changes on a host that tracks these connections. */
async function ended(
  changes: Readonly<Partial<Record<"added" | "removed" | "standing", readonly string[]>>>,
  entries: readonly string[],
  answer: (line: string) => Partial<CommandResult> | undefined = () => undefined,
): Promise<{ readonly ran: readonly string[]; readonly warnings: readonly string[] }> {
  const runner = scriptedRunner((_, line) => {
    const [, , , family, , protocol = ""] = line.split(" ");
    const isOf = (text: string): boolean =>
      text.startsWith(`${protocol} `) && text.includes("2001:db8") === (family === "ipv6");
    return answer(line) ??
      (line.startsWith("conntrack -L")
        ? { stdout: entries.filter(isOf).map((text) => `${text}\n`).join("") }
        : line.startsWith("ip ")
        ? { stdout: ADDRESSES }
        : {});
  });
  const warnings = await endStaleConnections(runner, {
    added: (changes.added ?? []).map(port),
    removed: (changes.removed ?? []).map(port),
    standing: (changes.standing ?? changes.added ?? []).map(port),
  });
  return { ran: runner.ran, warnings };
}

/** The deletions alone, without the words that all have. */
async function deleted(
  changes: Parameters<typeof ended>[0],
  entries: readonly string[],
): Promise<readonly string[]> {
  const { ran, warnings } = await ended(changes, entries);
  assertEquals(warnings, []);
  return ran.filter((line) => line.startsWith("conntrack -D")).map((line) =>
    line.replace("conntrack -D -f ipv4 -p tcp ", "")
      .replace("--orig-dst ", "").replace(" --orig-port-dst", "")
      .replace("--reply-src ", "→ ").replace(" --reply-port-src", "")
  );
}

const WEB = "8080:10.0.0.2:80/tcp";

Deno.test("nothing is asked where nothing has changed", async () => {
  assertEquals((await ended({}, [])).ran, []);
});

Deno.test("one port is looked for by itself, several in one listing, each protocol in its own", async () => {
  const listings = async (...added: readonly string[]): Promise<readonly string[]> =>
    (await ended({ added }, [])).ran;
  const alone = (kind: string, port: number): readonly string[] =>
    ["orig", "reply"].map((way) => `conntrack -L -f ${kind} --${way}-port-dst ${port}`);
  assertEquals(await listings(WEB), alone("ipv4 -p tcp", 8080));
  assertEquals(await listings(WEB, "8081:10.0.0.2/tcp"), ["conntrack -L -f ipv4 -p tcp"]);
  assertEquals(await listings("80-90:10.0.0.2/tcp"), ["conntrack -L -f ipv4 -p tcp"]);
  assertEquals(await listings(WEB, "53:[fd00::2]/udp", "53:10.0.0.2/udp"), [
    ...alone("ipv4 -p tcp", 8080),
    ...alone("ipv6 -p udp", 53),
    ...alone("ipv4 -p udp", 53),
  ]);
  const { ran } = await ended({ removed: [WEB] }, []);
  assertEquals(ran, alone("ipv4 -p tcp", 8080).slice(0, 1));
});

Deno.test("connections to a guest to whom a port led end with the port", async () => {
  assertEquals(
    await deleted({ removed: [WEB] }, [
      entry("192.0.2.1 8080", "10.0.0.2 80"),
      entry("192.0.2.7 8080", "10.0.0.2 80"),
      entry("192.0.2.1 8080", "10.0.0.3 80"), // to another guest
      entry("192.0.2.1 8080", "10.0.0.2 81"), // to another port of it
      entry("192.0.2.1 8081", "10.0.0.2 80"), // by another port of the host
      entry("192.0.2.1 8080"), // to the host itself
    ]),
    ["192.0.2.1 8080 → 10.0.0.2 80", "192.0.2.7 8080 → 10.0.0.2 80"],
  );
});

Deno.test("connections to the host itself end where its port leads to a guest now", async () => {
  assertEquals(
    await deleted({ added: [WEB] }, [
      entry("192.0.2.1 8080"),
      entry("10.7.0.1 8080"),
      entry("198.51.100.1 8080"), // routed through the host
      entry("192.0.2.1 8080", "10.0.0.9 80"), // somebody else translates it
      entry("192.0.2.1 8081"),
      entry("127.0.0.1 8080"), // any address is none of lo
    ]),
    ["192.0.2.1 8080 → 192.0.2.1 8080", "10.7.0.1 8080 → 10.7.0.1 8080"],
  );
});

Deno.test("all addresses of lo are the host's", async () => {
  const entries = [entry("127.0.0.1 8080"), entry("127.0.0.9 8080"), entry("192.0.2.1 8080")];
  assertEquals(await deleted({ added: ["127.0.0.9:8080:10.0.0.2:80/tcp"] }, entries), [
    "127.0.0.9 8080 → 127.0.0.9 8080",
  ]);
  assertEquals(await deleted({ added: [`192.0.2.1:${WEB}!`] }, entries), [
    "127.0.0.1 8080 → 127.0.0.1 8080",
    "192.0.2.1 8080 → 192.0.2.1 8080",
  ]);
});

Deno.test("a port that is sent elsewhere ends what led to the old guest alone", async () => {
  const changes = { removed: [WEB], added: ["8080:10.0.0.3:80/tcp"] };
  assertEquals(
    await deleted(changes, [
      entry("192.0.2.1 8080", "10.0.0.2 80"),
      entry("192.0.2.1 8080", "10.0.0.3 80"),
    ]),
    ["192.0.2.1 8080 → 10.0.0.2 80"],
  );
});

Deno.test("of a range each port leads to its own, one by one", async () => {
  assertEquals(
    await deleted({ removed: ["5000-5002:10.0.0.2:6000/tcp"] }, [
      entry("192.0.2.1 5001", "10.0.0.2 6001"),
      entry("192.0.2.1 5001", "10.0.0.2 6002"),
      entry("192.0.2.1 5003", "10.0.0.2 6003"),
    ]),
    ["192.0.2.1 5001 → 10.0.0.2 6001"],
  );
});

Deno.test("many connections to the same place end in one run", async () => {
  const many = Array.from(
    { length: 500 },
    (_, index) => entry("192.0.2.1 8080", "10.0.0.2 80").replace("sport=40000", `sport=${index}`),
  );
  assertEquals(await deleted({ removed: [WEB] }, many), ["192.0.2.1 8080 → 10.0.0.2 80"]);
});

Deno.test("connections of IPv6 and of other protocols end as well", async () => {
  const entries = [
    entry("2001:db8::1 53", "fd00::2 5353", "udp"),
    entry("192.0.2.1 3868", "192.0.2.1 3868", "sctp"),
  ];
  const changes = { removed: ["53:[fd00::2]:5353/udp"], added: ["3868:10.0.0.2/sctp"] };
  const { ran } = await ended(changes, entries);
  assertEquals(ran.filter((line) => line.includes("-D")).toSorted(), [
    "conntrack -D -f ipv4 -p sctp --orig-dst 192.0.2.1 --orig-port-dst 3868 --reply-src " +
    "192.0.2.1 --reply-port-src 3868",
    "conntrack -D -f ipv6 -p udp --orig-dst 2001:db8::1 --orig-port-dst 53 --reply-src fd00::2 " +
    "--reply-port-src 5353",
  ]);
});

const LOSS =
  "Connections that began before go on as they were, to whom the ports led then, until " +
  "they end by themselves";

Deno.test("without conntrack it is said what goes on", async () => {
  const missing = { status: 127, stderr: "conntrack: not found\n" };
  const { warnings, ran } = await ended({ added: [WEB, "80:10.0.0.2/udp"] }, [], () => missing);
  assertEquals(warnings, [
    `${LOSS} (the program "conntrack" is not installed: conntrack: not found)`,
  ]);
  assertEquals(ran.length, 4);
});

Deno.test("entries that are gone by themselves meanwhile are no loss", async () => {
  const gone = "conntrack v1.4.7 (conntrack-tools): 0 flow entries have been deleted.\n";
  const refusal = "conntrack v1.4.7 (conntrack-tools): Operation failed: permission denied\n";
  const answered = async (stderr: string): Promise<readonly string[]> => {
    const entries = [
      entry("192.0.2.1 8080", "10.0.0.2 80"),
      entry("192.0.2.7 8080", "10.0.0.2 80"),
    ];
    const result = await ended(
      { removed: [WEB] },
      entries,
      (line) => line.includes("-D") ? { status: 1, stderr } : undefined,
    );
    return result.warnings;
  };
  assertEquals(await answered(gone), []);
  assertEquals(await answered(refusal), [
    `${LOSS} (conntrack exited with status 1: ${refusal.trim()})`,
  ]);
});

Deno.test("where ip does not tell the host's addresses, what is known is done and the rest is said", async () => {
  const entries = [
    entry("192.0.2.1 8080"),
    entry("192.0.2.1 81", "10.0.0.2 81"),
    entry("127.0.0.1 8080"),
  ];
  const changes = { added: [`${WEB}!`], removed: ["81:10.0.0.2/tcp"] };
  const { ran, warnings } = await ended(
    changes,
    entries,
    (line) =>
      line.startsWith("ip ") ? { status: 1, stderr: "Cannot open netlink socket\n" } : undefined,
  );
  assertEquals(warnings, [`${LOSS} (ip exited with status 1: Cannot open netlink socket)`]);
  assertEquals(ran.filter((line) => line.includes("-D")).length, 2);
});

/** To many ports of one guest. */
function manyStale(): readonly string[] {
  return Array.from(
    { length: 200 },
    (_, index) => entry(`192.0.2.1 ${5000 + index}`, `10.0.0.2 ${5000 + index}`),
  );
}

Deno.test("many connections to one guest end in one run, if none of them stays", async () => {
  const gone = { removed: ["5000-6000:10.0.0.2/tcp"] };
  const other = entry("192.0.2.7 5000", "10.0.0.2 5000");
  const stays = [entry("192.0.2.7 80", "10.0.0.2 80"), entry("192.0.2.1 80", "10.0.0.3 80")];
  assertEquals(
    await deleted(gone, [...manyStale(), other, ...stays]),
    [
      "--orig-dst 192.0.2.1 --reply-src 10.0.0.2",
      "192.0.2.7 5000 → 10.0.0.2 5000",
    ].map((words) => words.replace("--orig-dst ", "").replace("--reply-src", "→")),
  );
  const beside = entry("192.0.2.1 80", "10.0.0.2 80");
  assertEquals((await deleted(gone, [...manyStale(), beside])).length, 200);
});

Deno.test("of one port alone nobody knows what else leads to the guest", async () => {
  const addresses = Array.from({ length: 20 }, (_, index) => `192.0.2.${index + 1}`);
  const led = addresses.map((address) => entry(`${address} 443`, "10.0.0.2 443"));
  const removed = addresses.map((address) => `${address}:443:10.0.0.2/tcp`);
  assertEquals((await deleted({ removed }, led)).length, 20);
});

/** The answer of the host to a packet that came before its connection was ended, as an entry. */
const LATE = "udp 17 9 src=192.0.2.1 dst=203.0.113.9 sport=8080 dport=40000 [UNREPLIED] " +
  "src=203.0.113.9 dst=192.0.2.1 sport=40000 dport=8080 mark=0 use=1";

/** What is run where these are listed, one look after the other. */
async function looks(
  ...listings: readonly (readonly string[])[]
): Promise<{ readonly ran: readonly string[]; readonly warnings: readonly string[] }> {
  const left = [...listings];
  const { ran, warnings } = await ended(
    { added: ["8080:10.0.0.2:80/udp"] },
    [],
    (line) =>
      line.startsWith("conntrack -L") ? { stdout: left.shift()?.join("\n") ?? "" } : undefined,
  );
  return { ran: ran.map((line) => line.replace(" -f ipv4 -p udp", "")), warnings };
}

const ENDED = entry("192.0.2.1 8080", undefined, "udp");
const [LIST, LOOK, DELETE, DELETE_LATE] = [
  "conntrack -L --orig-port-dst 8080",
  "conntrack -L --reply-port-dst 8080",
  "conntrack -D --orig-dst 192.0.2.1 --orig-port-dst 8080 --reply-src 192.0.2.1 " +
  "--reply-port-src 8080",
  "conntrack -D --orig-src 192.0.2.1 --orig-port-src 8080 --orig-dst 203.0.113.9 " +
  "--orig-port-dst 40000",
];
const ASK_ADDRESSES = "ip -o address show";

Deno.test("an answer that comes late opens no connection that goes on", async () => {
  const begun = [LIST, LOOK, ASK_ADDRESSES, DELETE];
  assertEquals((await looks([ENDED], [])).ran, [...begun, LOOK, LOOK]);
  assertEquals((await looks([ENDED], [], [LATE])).ran, [...begun, LOOK, DELETE_LATE, LOOK]);
  assertEquals((await looks([ENDED], [], [], [LATE], [])).ran, [
    ...begun,
    LOOK,
    LOOK,
    DELETE_LATE,
    LOOK,
  ]);
});

Deno.test("so does one that came before anything was listed, on a host that tracked nothing", async () => {
  const begun = [LIST, LOOK, ASK_ADDRESSES, DELETE_LATE];
  assertEquals((await looks([], [LATE])).ran, [...begun, LOOK, LOOK]);
  assertEquals((await looks([], [LATE], [LATE])).ran, [...begun, LOOK, DELETE_LATE, LOOK]);
});

Deno.test("what the host has asked from a port of that number, and was answered, goes on", async () => {
  const answered = LATE.replace("[UNREPLIED] ", "");
  const routed = LATE.replaceAll("192.0.2.1", "198.51.100.1");
  for (const other of [answered, routed, LATE.replaceAll("8080", "8081")]) {
    const { ran } = await looks([], [other]);
    assertEquals(ran.filter((line) => line.includes("-D")), [], other);
  }
});

Deno.test("what leads to the same guest by what is published now goes on", async () => {
  const led = [entry("192.0.2.1 8080", "10.0.0.2 80"), entry("192.0.2.1 8081", "10.0.0.2 81")];
  const gone = async (...standing: readonly string[]): Promise<readonly string[]> =>
    await deleted({ removed: ["8080-8081:10.0.0.2:80/tcp"], standing }, led);
  assertEquals(await gone(`${WEB}!`), ["192.0.2.1 8081 → 10.0.0.2 81"]);
  assertEquals(await gone("192.0.2.1:8000-8090:10.0.0.2/tcp"), [
    "192.0.2.1 8080 → 10.0.0.2 80",
    "192.0.2.1 8081 → 10.0.0.2 81",
  ]);
  assertEquals(await gone("8079-8100:10.0.0.2:79/tcp"), []);
});

Deno.test("who asks the guest itself, by its own address, is nobody's business", async () => {
  const direct = entry("10.0.0.2 80", "10.0.0.2 80");
  assertEquals(await deleted({ removed: ["80:10.0.0.2/tcp"] }, [direct]), []);
});

Deno.test("what the host asks others by the same port goes on, and so does who is not ended", async () => {
  const others = [
    LATE.replaceAll("203.0.113.9", "203.0.113.8"),
    LATE.replaceAll("40000", "40001"),
    LATE.replaceAll("192.0.2.1", "192.0.2.7"),
    ENDED,
  ];
  const { ran } = await looks([ENDED], [], others, others);
  assertEquals(ran.filter((line) => line.includes("-D")), [DELETE]);
  assertEquals((await looks([])).ran, [LIST, LOOK]);
});

Deno.test("who answers for ever is not waited for, and a failure is said", async () => {
  const { ran } = await looks([ENDED], ...Array.from({ length: 20 }, () => [LATE]));
  assertEquals(ran.filter((line) => line === LOOK).length, 1 + 6);
  let asked = 0;
  const { warnings } = await ended(
    { added: ["8080:10.0.0.2:80/udp"] },
    [ENDED],
    (line) =>
      line.includes("--reply-port-dst") && ++asked > 1 ? { status: 1, stderr: "no\n" } : undefined,
  );
  assertEquals(warnings, [`${LOSS} (conntrack exited with status 1: no)`]);
});

Deno.test("a host with many stale connections is not flooded with processes", async () => {
  let [running, most] = [0, 0];
  // One that stays: the others cannot be named by their guest.
  const entries = [entry("192.0.2.1 80", "10.0.0.2 80"), ...manyStale()];
  const runner = {
    pause: () => Promise.resolve(),
    run: async ({ args }: { readonly args: readonly string[] }): Promise<CommandResult> => {
      most = Math.max(most, ++running);
      await Promise.resolve();
      running--;
      const stdout = args[0] === "-L" ? entries.join("\n") : "";
      return { status: 0, stdout, stderr: "" };
    },
  };
  assertEquals(
    await endStaleConnections(runner, {
      added: [],
      removed: [port("5000-6000:10.0.0.2/tcp")],
      standing: [],
    }),
    [],
  );
  assert(most > 1 && most <= 16, `${most} at once`);
});

/** Whether a packet to that address and port would be sent to a guest, and to which: by hand. */
function targetOf(ports: readonly PublishedPort[], to: IpAddress, number: number): string {
  const isLocal = to.value >> 24n === 127n;
  const found = ports.find((one) => {
    const isAddressed = one.hostAddress === undefined
      ? !isLocal
      : one.hostAddress.value === to.value;
    const isLocalhost = one.localhost && to.value === 0x7f000001n;
    return (isAddressed || isLocalhost) && one.ports.start <= number && number <= one.ports.end;
  });
  if (found === undefined) return `${formatAddress(to)} ${number}`;
  return `${formatAddress(found.guest)} ${number - found.ports.start + found.guestPorts.start}`;
}

Deno.test("exactly what would go elsewhere by now is ended", async () => {
  const own = ["192.0.2.1", "127.0.0.1", "10.7.0.1"];
  const specs = fc.subarray([
    "80:10.0.0.2/tcp",
    "81-83:10.0.0.2:91/tcp!",
    "192.0.2.1:84:10.0.0.3:80/tcp",
    "127.0.0.1:85:10.0.0.3:80/tcp",
    "192.0.2.1:86:10.0.0.2/tcp!",
  ]);
  const elsewhere = (spec: string): string => spec.replace(":10.0.0.2", ":10.0.0.4");
  const moved = fc.tuple(specs, specs).map(([kept, sent]) =>
    kept.map((spec) => sent.includes(spec) ? elsewhere(spec) : spec)
  );
  const property = fc.asyncProperty(specs, moved, async (before, after) => {
    const [old, now] = [before.map(port), after.map(port)];
    const asked = own.flatMap((to) =>
      [79, 80, 81, 82, 83, 84, 85, 86].map((number) => [to, number] as const)
    );
    const entries = asked.map(([to, number]) =>
      entry(`${to} ${number}`, targetOf(old, ipv4(to), number))
    );
    const wanted = asked.flatMap(([to, number]) => {
      const [was, is] = [old, now].map((ports) => targetOf(ports, ipv4(to), number));
      return was === is ? [] : [`${to} ${number} → ${was}`];
    });
    const changes = {
      removed: before.filter((spec) => !after.includes(spec)),
      added: after.filter((spec) => !before.includes(spec)),
    };
    assertEquals((await deleted(changes, entries)).toSorted(), wanted.toSorted());
  });
  await fc.assert(property, { numRuns: 300 });
});

function ipv4(text: string): IpAddress {
  const value = text.split(".").reduce((sum, octet) => sum * 256n + BigInt(octet), 0n);
  return { family: "ipv4", value };
}
