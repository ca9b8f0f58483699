import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { hostTest } from "../hosts/requirements.ts";
import { run } from "../hosts/run_program.ts";
import { scenarios } from "../support/golden.ts";
import { jsonOf, NETWORK, openProgram } from "./program.ts";

const NETWORKS = fromFileUrl(new URL("../networks", import.meta.url));

hostTest({
  name: "the plan of every scenario is a script that nft takes as it is",
  tools: ["unshare"],
  body: async (t) => {
    await using program = await openProgram();
    for (const scenario of scenarios()) {
      await t.step(scenario, async () => {
        const file = `${NETWORKS}/${scenario}/network.xml`;
        const { code, stdout, stderr } = await program.runApart(["plan", file]);
        assertEquals(code, 0, stderr);
        const check = ["unshare", "--net", "nft", "--check", "-f", "-"];
        const checked = await run(check, { stdin: stdout });
        assertEquals(checked.code, 0, checked.stderr);
      });
    }
  },
});

hostTest({
  name: "nft refuses the same script once a line of it is broken",
  tools: ["unshare"],
  body: async () => {
    await using program = await openProgram();
    const { stdout } = await program.runApart(["plan", `${NETWORKS}/nat-default/network.xml`]);
    const check = ["unshare", "--net", "nft", "--check", "-f", "-"];
    const broken = stdout.replace("vmap @from_bridge", "vmap @from_nowhere");
    assert(broken !== stdout);
    assertEquals((await run(check, { stdin: broken })).code, 1);
  },
});

hostTest({
  name: "a plan is made where the host cannot be asked, with a warning",
  tools: ["unshare", "mount"],
  body: async () => {
    await using program = await openProgram();
    const ip = ["/usr/sbin/ip", "/sbin/ip", "/usr/bin/ip", "/bin/ip"];
    // A directory in the place of each program, seen in this mount namespace alone.
    const hide = 'for p in $0; do [ -e "$p" ] && mount --bind /dev/null "$p"; done; exec "$@"';
    const wrapped = (words: readonly string[]): readonly string[] => [
      ...["unshare", "--net", "--mount", "sh", "-c", hide, ip.join(" ")],
      ...program.argv(words),
    ];
    const { code, stdout, stderr } = await run(wrapped(["plan", "-"]), { stdin: NETWORK });
    assertEquals(code, 0, stderr);
    assertStringIncludes(stderr, "warning: Cannot ask the host about its network");
    assertStringIncludes(stderr, "The plan is for a host with nothing on it");
    assertStringIncludes(stdout, "add table inet bridgewall\n");
    const asJson = await run(wrapped(["plan", "--json", "-"]), { stdin: NETWORK });
    assertEquals(jsonOf(asJson.stdout)["backend"], "nftables");
  },
});

Deno.test("a plan changes nothing, and leaves no trace", async () => {
  await using program = await openProgram();
  program.write("networks/lan.xml", NETWORK);
  for (const words of [["plan", "lan"], ["plan", "--all"], ["plan", "--explain", "lan"]]) {
    assertEquals((await program.run(words)).code, 0, words.join(" "));
  }
  assertEquals([...Deno.readDirSync(program.directory)].map(({ name }) => name).toSorted(), [
    "bridgewall.conf",
    "networks",
  ]);
});

Deno.test("a plan explains each network in sentences", async () => {
  await using program = await openProgram();
  program.write("networks/a.xml", NETWORK);
  program.write(
    "networks/b.xml",
    "<network><name>tap</name><forward mode='private' dev='eth0'/></network>",
  );
  const { stdout } = await program.run(["plan", "--explain", "--all"]);
  const [first, second] = stdout.split("\n\n");
  assertStringIncludes(first ?? "", 'Network "lan" is in mode route, on bridge "bwtest0".');
  assertStringIncludes(second ?? "", 'Network "tap" is in mode private');
});

Deno.test("the same table name stands in the plan as in the configuration", async () => {
  await using program = await openProgram();
  program.write("bridgewall.conf", 'table = "guests"\n');
  const { stdout } = await program.run(["plan", "-"], { stdin: NETWORK });
  const lines = stdout.trimEnd().split("\n").filter((line) => !line.startsWith("#"));
  assert(lines.length > 5);
  for (const line of lines) assertStringIncludes(line, " inet guests");
});

/** A script of the plan, by the line that stands above it. */
interface Section {
  readonly argv: readonly string[];
  readonly script: string;
}

function sectionsOf(plan: string): readonly Section[] {
  return plan.split(/^# /m).slice(1).map((section) => {
    const [command = "", ...lines] = section.split("\n");
    return { argv: command.split(" "), script: lines.join("\n") };
  });
}

hostTest({
  name: "the plan of every scenario for iptables is scripts that their programs take as they are",
  tools: ["unshare", "iptables-nft-restore", "ip6tables-nft-restore"],
  body: async (t) => {
    await using program = await openProgram();
    for (const scenario of scenarios()) {
      await t.step(scenario, async () => {
        const file = `${NETWORKS}/${scenario}/network.xml`;
        const words = ["plan", "--backend=iptables", file];
        const { code, stdout, stderr } = await program.runApart(words);
        assertEquals(code, 0, stderr);
        assertEquals(/^(?!# )/.test(stdout), stdout === "", stdout);
        for (const { argv: [name = "", ...args], script } of sectionsOf(stdout)) {
          if (!name.includes("tables")) continue;
          const argv = ["unshare", "--net", name, ...args];
          const taken = await run(argv, { stdin: script });
          assertEquals([taken.code, taken.stderr], [0, ""], script);
        }
      });
    }
  },
});

hostTest({
  name: "a plan for iptables has a comment for each command, and its script below",
  tools: ["unshare", "iptables-nft-restore"],
  body: async () => {
    await using program = await openProgram();
    const { stdout } = await program.runApart(["plan", "--backend=iptables", "-"], {
      stdin: NETWORK,
    });
    const sections = sectionsOf(stdout);
    assertEquals(
      sections.map(({ argv }) => argv.join(" ")).filter((line) => line.includes("tables")),
      [
        "iptables-nft-restore --noflush --wait=60",
        "ip6tables-nft-restore --noflush --wait=60",
      ],
    );
    const [first] = sections;
    assertStringIncludes(first?.script ?? "", "*filter\n-N BRIDGEWALL_POSE\n");
    assert(first?.script.endsWith("COMMIT\n"));
  },
});

hostTest({
  name: "a plan for FreeBSD is made on Linux, and a network that pf cannot express exits with 4",
  tools: [],
  body: async () => {
    await using program = await openProgram();
    const freebsd = ["--platform", "freebsd", "--default-interface", "re0"];
    const lan = await program.runApart(["plan", ...freebsd, `${NETWORKS}/bsd-default/network.xml`]);
    assertEquals(lan.code, 0, lan.stderr);
    assertEquals(
      lan.stdout,
      await Deno.readTextFile(`${NETWORKS}/bsd-default/pf.up.conf`),
    );
    const dual = `${NETWORKS}/nat-dual-stack/network.xml`;
    const { code, stderr, stdout } = await program.runApart(["plan", "--backend", "pf", dual]);
    assertEquals([code, stdout], [4, ""]);
    assertStringIncludes(stderr, `${dual}:7:3: FreeBSD's pf backend supports IPv4 only\n`);
    const up = await program.runApart(["up", "--backend", "pf", dual]);
    assertEquals(up.code, 4);
    assertStringIncludes(up.stderr, "it works on FreeBSD, and this is Linux");
  },
});
