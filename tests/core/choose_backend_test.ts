import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { chooseBackend, explainUnusable } from "../../core/choose_backend.ts";
import {
  type Detection,
  type FirewallBackend,
  NoBackendError,
} from "../../core/firewall_backend.ts";
import { emptyWorld, startProcess } from "../support/model_host.ts";

const { host } = startProcess(emptyWorld(), {}).context;

function backend(name: string, detection: Detection): FirewallBackend {
  return {
    // Names of backends to come.
    name: name as FirewallBackend["name"],
    detect: () => Promise.resolve(detection),
    compile: () => ({ networks: [], reset: [] }),
    inspect: () => Promise.resolve({ networks: [], drift: [] }),
  };
}

const NFTABLES = backend("nftables", { usable: true, evidence: "nft 1.0.6" });
const IPTABLES = backend("iptables", {
  usable: false,
  evidence: "iptables is not installed",
  hint: "Install the package iptables",
});
const ALL = [NFTABLES, IPTABLES];

Deno.test("the most preferred backend is used, unless another one was asked for", () => {
  assertEquals(chooseBackend(ALL, undefined), NFTABLES);
  assertEquals(chooseBackend(ALL, "iptables"), IPTABLES);
});

Deno.test("a backend that this program does not have is refused with those it has", () => {
  const error = assertThrows(
    () => chooseBackend(ALL, "pf"),
    NoBackendError,
    'Cannot use the backend "pf": this program has no such backend',
  );
  assertEquals(error.hint, "Choose one of `nftables`, `iptables`");
  assertThrows(() => chooseBackend(ALL, "NFTABLES"), NoBackendError);
  assertThrows(() => chooseBackend(ALL, ""), NoBackendError);
  assertThrows(() => chooseBackend([], undefined), NoBackendError);
});

Deno.test("a failure on a usable backend keeps its own reason", async () => {
  assertEquals(await explainUnusable(ALL, NFTABLES, host), undefined);
});

Deno.test("a failure on an unusable backend tells the evidence of every candidate", async () => {
  const error = await explainUnusable(ALL, IPTABLES, host);
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
  assertThrows(() => chooseBackend(ALL, "\x1b[2J"), NoBackendError, '"\\u{1b}[2J"');
});
