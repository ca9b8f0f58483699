/** Ports and prefixes by the whole program, on a kernel with nft. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { hostTest } from "../hosts/requirements.ts";
import { makeNamespace, removeNamespace } from "../hosts/namespace.ts";
import { type Finished, run } from "../hosts/run_program.ts";
import { jsonOf, NETWORK, openProgram, type Program } from "./program.ts";

/** The program in a network namespace that stays until the end of the test. */
interface Host extends AsyncDisposable {
  readonly program: Program;
  bridgewall(line: string): Promise<Finished>;
  nft(line: string): Promise<string>;
}

async function openHost(): Promise<Host> {
  const program = await openProgram();
  const namespace = await makeNamespace("publish");
  program.write("networks/lan.xml", NETWORK);
  return {
    program,
    bridgewall: (line) => run(program.argv(line.split(" ")), { namespace }),
    nft: async (line) => (await run(["nft", ...line.split(" ")], { namespace })).stdout,
    [Symbol.asyncDispose]: async () => {
      await removeNamespace(namespace);
      await program[Symbol.asyncDispose]();
    },
  };
}

const TOOLS = ["nft", "conntrack"];

hostTest({
  name: "a port is published, sent elsewhere, counted, checked and taken back",
  tools: TOOLS,
  body: async () => {
    await using host = await openHost();
    const run = async (line: string, code = 0): Promise<Finished> => {
      const finished = await host.bridgewall(`--backend nftables ${line}`);
      assertEquals(finished.code, code, `${line}\n${finished.stderr}`);
      return finished;
    };
    await run("up lan");
    const before = await host.nft("list ruleset");
    const { stderr } = await run("publish lan 8080:203.0.113.2:80/tcp 5000-5999:203.0.113.3/udp");
    assertStringIncludes(stderr, 'Port 8080/tcp leads to 203.0.113.2:80 of network "lan"\n');
    const sent = await run("publish --json lan 8080:203.0.113.4:80/tcp");
    assertEquals(jsonOf(sent.stdout), {
      network: "lan",
      published: ["8080:203.0.113.4:80/tcp"],
      replaced: ["8080:203.0.113.2:80/tcp"],
    });
    assertStringIncludes(
      await host.nft("list map inet bridgewall publish_any_ipv4"),
      "tcp . 8080 : 203.0.113.4 . 80 }",
    );
    const { stdout } = await run("status");
    assertStringIncludes(stdout, "lan      8080/tcp       203.0.113.4:80         0 packets, 0 B\n");
    await run("check");
    await host.nft("flush set inet bridgewall published_ipv4");
    assertStringIncludes(
      (await run("check", 3)).stdout,
      'Element tcp . 203.0.113.4 . 80 of set "published_ipv4" is missing',
    );
    await run("reload");
    await run("check");
    await run("unpublish lan 8080/tcp 5000-5999/udp");
    assertEquals(await host.nft("list ruleset"), before);
    await run("publish lan 8080:203.0.113.2:80/tcp");
    await run("down lan");
    assertEquals(await host.nft("list ruleset"), "");
  },
});

hostTest({
  name: "a port that cannot be published exits with what is wrong, and changes nothing",
  tools: TOOLS,
  body: async () => {
    await using host = await openHost();
    const other = NETWORK.replace("lan", "lab").replace("bwtest0", "bwtest1")
      .replace("203.0.113.1", "198.51.100.1");
    host.program.write("networks/lab.xml", other);
    await host.bridgewall("--backend nftables up lan lab");
    await host.bridgewall("publish lan 8080:203.0.113.2:80/tcp");
    const before = await host.nft("-j list ruleset");
    const refusals: Readonly<Record<string, readonly [number, string]>> = {
      "publish lan 8080": [2, 'Cannot read "8080" as a published port'],
      "publish lan 81:10.0.0.1/tcp": [2, 'Guest "10.0.0.1" is not inside the network'],
      "publish lab 8080:198.51.100.2/tcp": [1, 'network "lan" publishes 8080/tcp'],
      "publish none 8080:198.51.100.2/tcp": [1, 'Network "none" is not active'],
      "unpublish lan 8080:203.0.113.3:80/tcp": [1, "the port leads to 203.0.113.2:80"],
      "--backend iptables publish lan 81:203.0.113.2/tcp": [1, 'the rules are in "nftables"'],
      "--backend pf publish none 81:203.0.113.2/tcp": [1, 'Network "none" is not active'],
      "--backend ipfw publish lan 81:203.0.113.2/tcp": [4, 'Cannot use the backend "ipfw"'],
      "masquerade add 0.0.0.0/0": [2, `Cannot masquerade "0.0.0.0/0"`],
      "masquerade": [2, "Cannot guess what to do with masqueraded prefixes"],
    };
    for (const [line, [code, message]] of Object.entries(refusals)) {
      const finished = await host.bridgewall(line);
      assertEquals([finished.code, finished.stdout], [code, ""], finished.stderr);
      assertStringIncludes(finished.stderr, message);
      assert(finished.stderr.startsWith("error: "), finished.stderr);
      assertEquals(await host.nft("-j list ruleset"), before);
    }
  },
});

hostTest({
  name: "prefixes are masqueraded, listed and removed, beside networks and alone",
  tools: TOOLS,
  body: async () => {
    await using host = await openHost();
    const run = async (line: string, code = 0): Promise<Finished> => {
      const finished = await host.bridgewall(`--backend nftables ${line}`);
      assertEquals(finished.code, code, `${line}\n${finished.stderr}`);
      return finished;
    };
    await run("masquerade add 10.8.0.0/16 10.8.1.0/24 fd09::/64");
    assertStringIncludes(await host.nft("list set inet bridgewall masquerade_ipv4"), "10.8.0.0/16");
    await run("up lan");
    await run("check");
    const { stdout } = await run("masquerade list --json");
    const { prefixes } = jsonOf(stdout) as { readonly prefixes: readonly unknown[] };
    assertEquals(prefixes[0], {
      prefix: "10.8.0.0/16",
      backend: "nftables",
      translated: { packets: 0, bytes: 0 },
    });
    await host.nft("flush set inet bridgewall masquerade_ipv6");
    assertStringIncludes(
      (await run("check", 3)).stdout,
      'Masqueraded prefixes: Element fd09::/64 of set "masquerade_ipv6" is missing',
    );
    await run("reload");
    await run("check");
    await run("masquerade remove 10.8.0.0/16");
    await run("check");
    await run("down --all");
    await run("check");
    assertStringIncludes((await run("status")).stdout, "10.8.1.0/24  nftables  0 packets, 0 B\n");
    await run("masquerade remove 10.8.1.0/24 fd09::/64");
    assertEquals(await host.nft("list ruleset"), "");
    assertEquals((await run("masquerade list")).stdout, "");
  },
});
