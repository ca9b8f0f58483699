/** That the firewalld of a test answers, and that nothing else is changed by it. */
import { assert, assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert";
import { FIREWALLD_IPTABLES, FIREWALLD_NFTABLES, type FirewalldUnderTest } from "./backends.ts";
import { type FirewalldHost, startFirewalld } from "./firewalld_host.ts";
import { hostTest } from "./requirements.ts";
import { firewallParts, firewallState, loadDockerRules, loadForeignRules } from "./ruleset.ts";
import { mustRun, run } from "./run_program.ts";
import { makeHost, type TestHost } from "./topology.ts";

/** What firewall-cmd exits with where no firewalld runs (firewall-cmd(1)). */
const NOT_RUNNING = 252;

/** Debian's number of the user without any privilege. */
const NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];

/** A firewalld for the host; its directory goes with it. */
async function start(host: TestHost, backend: FirewalldUnderTest): Promise<FirewalldHost> {
  const directory = await Deno.makeTempDir({ prefix: "bridgewall-firewalld-" });
  host.atEnd.defer(() => Deno.remove(directory, { recursive: true }));
  return await startFirewalld(host, directory, backend.firewalld);
}

/** What a firewalld could change on the machine; namespaces come and go, as does the machine's own log. */
const LOOK = `find /etc/firewalld /run/dbus -printf '%p %s %T@\\n'
findmnt --noheadings --list --output TARGET,FSTYPE | grep -v ' nsfs$'
readlink -f /usr/sbin/iptables
`;

async function lookAtMachine(): Promise<string> {
  return (await run(["sh", "-c", LOOK])).stdout;
}

/** The processes in whose namespace its directory is mounted: its own, those of its bus and others. */
async function processesOf({ configuration }: FirewalldHost): Promise<string> {
  const home = configuration.replace(/[^/]+$/, "");
  return (await run(["sh", "-c", 'grep -ls "$1" /proc/[0-9]*/mountinfo', "sh", home])).stdout;
}

/** All rules that can be firewalld's own. */
async function rulesOf(namespace: string): Promise<readonly string[]> {
  const { nft, iptablesNft } = await firewallParts(namespace);
  return [nft, iptablesNft];
}

/** What firewalld holds and the rules it made of that are its own. */
async function stateOf(firewalld: FirewalldHost, namespace: string): Promise<readonly string[]> {
  return [await firewalld.listings(), await firewallState(namespace)];
}

for (const backend of [FIREWALLD_NFTABLES, FIREWALLD_IPTABLES]) {
  const rules = backend.firewalld;
  hostTest({
    name: `a host has a firewalld of its own (${rules}), which leaves nothing behind`,
    tools: [...backend.tools, "setpriv"],
    body: async (t) => {
      const machine = await lookAtMachine();
      await using other = await makeHost([]);
      await using host = await makeHost([]);
      const namespace = host.host;
      const [own, others] = await Promise.all([start(host, backend), start(other, backend)]);
      assert(
        (await processesOf(own)).split("/mountinfo").length > 3,
        "its bus, polkitd, firewalld",
      );
      await t.step("it runs, with nothing that the machine's is configured for", async () => {
        assertEquals(await own.command("--state"), "running");
        const settings = await Deno.readTextFile(`${own.configuration}/firewalld.conf`);
        assertStringIncludes(settings, `\nFirewallBackend=${rules}\n`);
        const iptables = await mustRun(own.onHost(["readlink", "-f", "/usr/sbin/iptables"]));
        assertEquals(iptables, "/usr/sbin/xtables-nft-multi\n");
      });
      await t.step("an ordinary user may ask it, and may not change it", async () => {
        const asNobody = async (...args: readonly string[]): Promise<number> =>
          (await run(own.onHost([...NOBODY, "firewall-cmd", ...args]), { namespace })).code;
        assertEquals(await asNobody("--get-zones"), 0);
        assertNotEquals(await asNobody("--zone", "home", "--add-interface", "virbr-x"), 0);
      });
      await t.step("two know nothing of each other", async () => {
        const before = await stateOf(own, namespace);
        const beside = await stateOf(others, other.host);
        assertEquals(before[0], beside[0]);
        await own.command("--zone", "internal", "--add-interface", "virbr-x");
        await own.command("--permanent", "--new-zone", "mine");
        assertNotEquals(await own.listings(), before[0]);
        assertEquals(await stateOf(others, other.host), beside);
        await own.command("--permanent", "--delete-zone", "mine");
        await own.command("--reload");
        assertEquals(await stateOf(own, namespace), before);
      });
      await t.step("its rules read the same after a zone was in use for a moment", async () => {
        const before = await rulesOf(namespace);
        await own.command("--zone", "home", "--add-interface", "virbr-x");
        assertNotEquals(await rulesOf(namespace), before);
        await own.command("--zone", "home", "--remove-interface", "virbr-x");
        assertEquals(await rulesOf(namespace), before);
      });
      await t.step("its rules read the same after a reload and after a start", async () => {
        await loadForeignRules(namespace, backend);
        // It takes away what others have in its host's iptables: so does every start.
        await own.command("--reload");
        const before = await rulesOf(namespace);
        await own.command("--reload");
        assertEquals(await rulesOf(namespace), before);
        await own.stop();
        assertNotEquals(await rulesOf(namespace), before);
        const { code } = await run(own.onHost(["firewall-cmd", "--state"]), { namespace });
        assertEquals(code, NOT_RUNNING);
        await own.start();
        assertEquals(await rulesOf(namespace), before);
      });
      await t.step("rules of Docker come beside its own", async () => {
        const [before = ""] = await rulesOf(namespace);
        await loadDockerRules(namespace, backend);
        const [nft = ""] = await rulesOf(namespace);
        const lines = nft.split("\n");
        assert(before.split("\n").every((line) => lines.includes(line)), nft);
        assertStringIncludes(nft, "chain DOCKER-USER");
      });
      await t.step("both end with their hosts, and the machine is as it was", async () => {
        await host[Symbol.asyncDispose]();
        await other[Symbol.asyncDispose]();
        assertEquals([await processesOf(own), await processesOf(others)], ["", ""]);
        assertEquals(await lookAtMachine(), machine);
      });
    },
  });
}
