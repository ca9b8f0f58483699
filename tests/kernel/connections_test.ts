/** What is expected of conntrack(8) where connections are to end, asked of the program and the kernel. */
import { assertEquals } from "@std/assert";
import { endStaleConnections } from "../../core/change/stale_connections.ts";
import { endUntranslatedConnections } from "../../core/change/untranslated_connections.ts";
import type { CommandRunner } from "../../core/command.ts";
import type { Host } from "../../core/host.ts";
import { parseSpec } from "../../core/network/published_port.ts";
import { makeNamespace, removeNamespace } from "../hosts/namespace.ts";
import { hostTest } from "../hosts/requirements.ts";
import { mustRun, run } from "../hosts/run_program.ts";
import { subnet } from "../support/definitions.ts";

/** A namespace with the addresses 192.0.2.1 and 2001:db8::1, and a table of connections. */
interface Kernel extends CommandRunner, Pick<Host, "pause">, AsyncDisposable {
  insert(words: string): Promise<void>;
  /** Each as `destination port > guest port`, sorted. */
  tracked(): Promise<readonly string[]>;
}

async function openKernel(): Promise<Kernel> {
  const namespace = await makeNamespace("tracked");
  for (const words of ["link set lo up", "address add 192.0.2.1/32 dev lo"]) {
    await mustRun(["ip", ...words.split(" ")], { namespace });
  }
  await mustRun(["ip", "address", "add", "2001:db8::1/128", "dev", "lo"], { namespace });
  return {
    pause: () => Promise.resolve(),
    run: async ({ program, args }) => {
      const { code, ...texts } = await run([program, ...args], { namespace });
      return { status: code, ...texts };
    },
    insert: async (words) => {
      await mustRun(["conntrack", "-I", "-t", "100", ...words.split(" ")], { namespace });
    },
    tracked: async () => {
      const lists = await Promise.all(
        ["ipv4", "ipv6"].map((family) => mustRun(["conntrack", "-L", "-f", family], { namespace })),
      );
      return lists.flatMap((text) => text.trim().split("\n")).flatMap((line) => {
        const values = (name: string): readonly string[] =>
          [...line.matchAll(new RegExp(`\\b${name}=(\\S+)`, "g"))].map(([, value = ""]) => value);
        const [to, from] = [values("dst")[0], values("src")[1]];
        return to === undefined
          ? []
          : [`${to} ${values("dport")[0] ?? "-"} > ${from} ${values("sport")[1] ?? "-"}`];
      }).toSorted();
    },
    [Symbol.asyncDispose]: () => removeNamespace(namespace),
  };
}

function entry(protocol: string, to: string, port: number, from = to, guestPort = port): string {
  const client = to.includes(":") ? "2001:db8::9" : "203.0.113.9";
  const state = { tcp: " --state ESTABLISHED", udp: "", sctp: " --state ESTABLISHED" }[protocol];
  const tags = protocol === "sctp" ? " --orig-vtag 1 --reply-vtag 2" : "";
  return `-p ${protocol} -s ${client} -d ${to} -r ${from} -q ${client} --sport 40000 --dport ${port} ` +
    `--reply-port-src ${guestPort} --reply-port-dst 40000${state}${tags}`;
}

hostTest({
  name: "the kernel forgets the connections that lead elsewhere by now, and no others",
  tools: ["ip", "conntrack"],
  body: async () => {
    await using kernel = await openKernel();
    const entries = [
      entry("tcp", "192.0.2.1", 8080, "10.0.0.2", 80),
      entry("tcp", "192.0.2.1", 8081),
      entry("tcp", "127.0.0.1", 8082),
      entry("udp", "192.0.2.1", 53, "10.0.0.2", 5353) + " -w 5 -m 7",
      entry("sctp", "192.0.2.1", 3868),
      entry("tcp", "2001:db8::1", 8080, "fd00::2", 80),
      // These stay: another guest, another port, routed through the host, not asked for by 127.0.0.1.
      entry("tcp", "192.0.2.9", 8080, "10.0.0.3", 80),
      entry("tcp", "192.0.2.1", 9999),
      entry("tcp", "198.51.100.1", 8081),
      entry("tcp", "127.0.0.1", 8081),
    ];
    for (const one of entries) await kernel.insert(one);
    const port = (spec: string) =>
      parseSpec(spec.replace("!", ""), { localhost: spec.endsWith("!") });
    assertEquals(
      await endStaleConnections(kernel, {
        removed: ["8080:10.0.0.2:80/tcp", "53:10.0.0.2:5353/udp", "8080:[fd00::2]:80/tcp"].map(
          port,
        ),
        standing: [],
        added: ["8081:10.0.0.2/tcp", "8082:10.0.0.2/tcp!", "3868:10.0.0.2/sctp"].map(port),
      }),
      [],
    );
    assertEquals(await kernel.tracked(), [
      "127.0.0.1 8081 > 127.0.0.1 8081",
      "192.0.2.1 9999 > 192.0.2.1 9999",
      "192.0.2.9 8080 > 10.0.0.3 80",
      "198.51.100.1 8081 > 198.51.100.1 8081",
    ]);
  },
});

hostTest({
  name: "the kernel forgets what a prefix has sent and nobody answered, and nothing else",
  tools: ["ip", "conntrack"],
  body: async () => {
    await using kernel = await openKernel();
    const both = "-s 10.0.3.5 -d 10.5.5.5";
    await kernel.insert(
      `-p tcp ${both} --sport 4000 --dport 22 --state ESTABLISHED -u ASSURED,SEEN_REPLY`,
    );
    await kernel.insert(`-p tcp ${both} --sport 4001 --dport 23 --state SYN_SENT`);
    await kernel.insert(`-p icmp ${both} --icmp-type 8 --icmp-code 0 --icmp-id 7`);
    await kernel.insert(`-p 50 ${both}`);
    await kernel.insert("-p udp -s 10.0.4.5 -d 10.5.5.5 --sport 1 --dport 53");
    await kernel.insert("-p udp -s 10.0.3.5 -d 10.0.3.9 --sport 1 --dport 54");
    assertEquals(await endUntranslatedConnections(kernel, [subnet("10.0.3.0/24")]), []);
    assertEquals(await kernel.tracked(), [
      "10.0.3.9 54 > 10.0.3.9 54",
      "10.5.5.5 22 > 10.5.5.5 22",
      "10.5.5.5 53 > 10.5.5.5 53",
    ]);
  },
});
