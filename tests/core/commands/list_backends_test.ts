import { assertEquals } from "@std/assert";
import { listBackends } from "../../../core/commands/list_backends.ts";
import type { CommandOutput } from "../../../core/commands/context.ts";
import type { FirewallBackend } from "../../../core/firewall_backend.ts";
import { emptyWorld, startProcess } from "../../support/model_host.ts";

/** `backends` on a host that can use some of them, with one of them asked for. */
async function list(usable: readonly string[], asked?: string): Promise<CommandOutput> {
  const { context } = startProcess(emptyWorld(), {}, undefined, asked);
  const detected = (backend: FirewallBackend): FirewallBackend => ({
    ...backend,
    detect: () =>
      Promise.resolve(
        usable.includes(backend.name)
          ? { usable: true, evidence: `${backend.name} 1.0` }
          : { usable: false, evidence: "not installed", hint: "Install it" },
      ),
  });
  return await listBackends({ ...context, backends: context.backends.map(detected) });
}

/** The same without what is said below the list. */
async function listed(usable: readonly string[], asked?: string): Promise<CommandOutput> {
  const output = await list(usable, asked);
  return { ...output, text: output.text.slice(0, 5) };
}

Deno.test("the backends that can be used are listed with the one that is chosen", async () => {
  const { text, exitCode } = await listed(["nftables", "iptables"]);
  assertEquals([text, exitCode], [[
    "BACKEND    USABLE       EVIDENCE",
    "firewalld  no           not installed",
    "nftables   yes, chosen  nftables 1.0",
    "iptables   yes          iptables 1.0",
    "pf         no           not installed",
  ], 0]);
});

Deno.test("one that cannot be used gives way to the next", async () => {
  const { text, exitCode } = await listed(["iptables"]);
  assertEquals([text, exitCode], [[
    "BACKEND    USABLE       EVIDENCE",
    "firewalld  no           not installed",
    "nftables   no           not installed",
    "iptables   yes, chosen  iptables 1.0",
    "pf         no           not installed",
  ], 0]);
});

Deno.test("one that was asked for is chosen before others", async () => {
  const { text, exitCode } = await listed(["nftables", "iptables"], "iptables");
  assertEquals([text, exitCode], [[
    "BACKEND    USABLE       EVIDENCE",
    "firewalld  no           not installed",
    "nftables   yes          nftables 1.0",
    "iptables   yes, chosen  iptables 1.0",
    "pf         no           not installed",
  ], 0]);
});

Deno.test("one that was asked for and cannot be used is replaced by none: exit code 4", async () => {
  const { text, exitCode } = await listed(["iptables"], "nftables");
  assertEquals([text, exitCode], [[
    "BACKEND    USABLE     EVIDENCE",
    "firewalld  no         not installed",
    "nftables   no, asked  not installed",
    "iptables   yes        iptables 1.0",
    "pf         no         not installed",
  ], 4]);
  assertEquals((await list([])).exitCode, 4);
});

Deno.test("programs learn what is chosen, what was asked for, and everything about each", async () => {
  assertEquals((await list(["iptables"])).json, {
    chosen: "iptables",
    asked: null,
    backends: [
      { name: "firewalld", usable: false, evidence: "not installed", hint: "Install it" },
      { name: "nftables", usable: false, evidence: "not installed", hint: "Install it" },
      { name: "iptables", usable: true, evidence: "iptables 1.0" },
      { name: "pf", usable: false, evidence: "not installed", hint: "Install it" },
    ],
  });
  const { chosen, asked } = (await list(["iptables"], "nftables")).json as Record<string, unknown>;
  assertEquals([chosen, asked], [null, "nftables"]);
});

Deno.test("what those need that cannot be used is said below the list", async () => {
  const { text } = await list(["nftables"]);
  assertEquals(text.slice(5), [
    "",
    "firewalld: Install it",
    "",
    "iptables: Install it",
    "",
    "pf: Install it",
  ]);
});

Deno.test("what one still needs that can be used already is said below the list", async () => {
  const world = { ...emptyWorld(), platform: "freebsd" as const };
  const { context } = startProcess(world, {});
  const run: typeof context.host.run = async (command) => {
    const result = await context.host.run(command);
    return command.args.join(" ") === "-s rules" ? { ...result, stdout: "" } : result;
  };
  const { text, exitCode } = await listBackends({ ...context, host: { ...context.host, run } });
  const [head, , , , pf] = text;
  assertEquals([exitCode, head?.startsWith("BACKEND"), pf?.startsWith("pf         yes, chosen")], [
    0,
    true,
    true,
  ]);
  assertEquals(text.slice(5), [
    "",
    "pf: Put these lines into /etc/pf.conf, in this order, before its filter rules, and run " +
    "`service pf reload`:\n" +
    '  nat-anchor "bridgewall/*"\n  rdr-anchor "bridgewall/*"\n  anchor "bridgewall/*"',
  ]);
});
