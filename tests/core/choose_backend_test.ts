import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { chooseBackend, explainUnusable, namedBackend } from "../../core/choose_backend.ts";
import {
  type Detection,
  type FirewallBackend,
  NoBackendError,
} from "../../core/firewall_backend.ts";
import { emptyWorld, startProcess } from "../support/model_host.ts";

const { host } = startProcess(emptyWorld(), {}).context;

/** A backend, and how often it was asked whether it can be used. */
interface Asked extends FirewallBackend {
  readonly asked: () => number;
}

function backend(name: string, detection: Detection): Asked {
  let asked = 0;
  return {
    // Names of backends to come.
    name: name as FirewallBackend["name"],
    platform: "linux",
    detect: () => {
      asked++;
      return Promise.resolve(detection);
    },
    questions: () => [],
    compile: () => ({ networks: [], reset: [], unseen: [] }),
    signs: () => [],
    inspect: () => Promise.resolve({ networks: [], drift: [] }),
    asked: () => asked,
  };
}

function nftables(usable: boolean): Asked {
  return backend("nftables", { usable, evidence: "nft 1.0.6" });
}

function iptables(usable: boolean): Asked {
  const evidence = usable ? "iptables-nft 1.8.9" : "iptables is not installed";
  return backend("iptables", { usable, evidence, hint: "Install the package iptables" });
}

Deno.test("the first backend that can be used is chosen, and those behind it are not asked", async () => {
  const [first, second] = [nftables(true), iptables(true)];
  assertEquals(await chooseBackend([first, second], undefined, host), first);
  assertEquals([first.asked(), second.asked()], [1, 0]);
});

Deno.test("a backend that cannot be used gives way to the next one that can", async () => {
  const [first, second] = [nftables(false), iptables(true)];
  assertEquals(await chooseBackend([first, second], undefined, host), second);
});

Deno.test("where none can be used, the evidence of all is told, and the first thing to type", async () => {
  const error = await assertRejects(
    () => chooseBackend([nftables(false), iptables(false)], undefined, host),
    NoBackendError,
  );
  assertEquals(error.message.split("\n"), [
    "Cannot use any backend on this host",
    "  nftables: nft 1.0.6",
    "  iptables: iptables is not installed",
  ]);
  assertEquals(error.hint, "Install the package iptables");
  const none = await assertRejects(() => chooseBackend([], undefined, host), NoBackendError);
  assertEquals(none.hint, "See `bridgewall backends`");
});

Deno.test("a backend that was asked for is taken unseen, also when it cannot be used", async () => {
  const [first, second] = [nftables(true), iptables(false)];
  assertEquals(await chooseBackend([first, second], "iptables", host), second);
  assertEquals([first.asked(), second.asked()], [0, 0]);
});

Deno.test("a backend that this program does not have is refused with those it has", async () => {
  const all = [nftables(true), iptables(true)];
  const error = assertThrows(
    () => namedBackend(all, "pf"),
    NoBackendError,
    'Cannot use the backend "pf": this program has no such backend',
  );
  assertEquals(error.hint, "Choose one of `nftables`, `iptables`");
  assertThrows(() => namedBackend(all, "NFTABLES"), NoBackendError);
  await assertRejects(() => chooseBackend(all, "", host), NoBackendError);
});

Deno.test("a failure on a usable backend keeps its own reason", async () => {
  const usable = nftables(true);
  assertEquals(await explainUnusable([usable, iptables(false)], usable, host), undefined);
});

Deno.test("a failure on an unusable backend tells the evidence of every candidate", async () => {
  const unusable = iptables(false);
  const error = await explainUnusable([nftables(true), unusable], unusable, host);
  assertEquals(error?.message.split("\n"), [
    'Cannot use the backend "iptables" on this host',
    "  nftables: nft 1.0.6",
    "  iptables: iptables is not installed",
  ]);
  assertEquals(error?.hint, "Install the package iptables");
});

Deno.test("without one thing to type, the hint names the command that tells more", async () => {
  const broken = backend("pf", { usable: false, evidence: "no /dev/pf" });
  const error = await explainUnusable([broken], broken, host);
  assertStringIncludes(error?.hint ?? "", "`bridgewall backends`");
});

Deno.test("the name of a backend is shown without what a terminal would act on", () => {
  assertThrows(() => namedBackend([nftables(true)], "\x1b[2J"), NoBackendError, '"\\u{1b}[2J"');
});

Deno.test("a backend of another system is refused before anything is asked", async () => {
  const pf: Asked = { ...backend("pf", { usable: true, evidence: "pf" }), platform: "freebsd" };
  const backends = [nftables(true), iptables(true), pf];
  const error = await assertRejects(() => chooseBackend(backends, "pf", host), NoBackendError);
  assertEquals(
    [error.message, error.hint],
    [
      'Cannot use the backend "pf" on this host: it works on FreeBSD, and this is Linux',
      "Choose one of `nftables`, `iptables`. `bridgewall plan` can use any",
    ],
  );
  assertEquals(backends.map(({ asked }) => asked()), [0, 0, 0]);
});

Deno.test("on each system its own backends are tried, and no others", async () => {
  const pf: Asked = { ...backend("pf", { usable: true, evidence: "pf" }), platform: "freebsd" };
  const [first, second] = [nftables(false), iptables(false)];
  const freebsd = { ...host, platform: "freebsd" as const };
  assertEquals(await chooseBackend([first, second, pf], undefined, freebsd), pf);
  assertEquals([first.asked(), second.asked()], [0, 0]);
  await assertRejects(() => chooseBackend([first, second, pf], undefined, host), NoBackendError);
  assertEquals(pf.asked(), 1);
});
