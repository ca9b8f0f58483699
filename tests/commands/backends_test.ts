import { assertEquals, assertStringIncludes } from "@std/assert";
import { hostTest } from "../hosts/requirements.ts";
import { jsonOf, NETWORK, openProgram } from "./program.ts";

const TOOLS = ["unshare", "mount", "sh", "iptables", "iptables-nft-restore"];

/** What is not installed, what is asked for, and what is used then. */
const CHOICES: readonly {
  readonly says: string;
  readonly without: readonly string[];
  readonly asked?: string;
  readonly used: string;
}[] = [
  { says: "nftables comes first", without: [], used: "nftables" },
  { says: "without nft, iptables is used", without: ["nft"], used: "iptables" },
  { says: "without iptables, nftables is used", without: ["iptables"], used: "nftables" },
  {
    says: "iptables is used where it is asked for",
    without: [],
    asked: "iptables",
    used: "iptables",
  },
];

for (const { says, without, asked, used } of CHOICES) {
  hostTest({
    name: `${says}, by every command that installs or plans`,
    tools: TOOLS,
    body: async () => {
      await using program = await openProgram();
      const path = program.write("x.xml", NETWORK);
      const option = asked === undefined ? [] : [`--backend=${asked}`];
      const up = await program.runWithout(without, ["up", path, ...option, "--json"]);
      assertEquals(up.code, 0, up.stderr);
      const [lan] = jsonOf(up.stdout)["networks"] as readonly Readonly<Record<string, unknown>>[];
      assertEquals(lan?.["backend"], used);
      const plan = await program.runWithout(without, ["plan", path, ...option, "--json"]);
      assertEquals(jsonOf(plan.stdout)["backend"], used, plan.stderr);
      const list = await program.runWithout(without, ["backends", ...option, "--json"]);
      assertEquals(list.code, 0, list.stderr);
      assertEquals([jsonOf(list.stdout)["chosen"], jsonOf(list.stdout)["asked"]], [
        used,
        asked ?? null,
      ]);
    },
  });
}

hostTest({
  name: "where no backend can be used, `up` exits with 4 and the evidence of all",
  tools: TOOLS,
  body: async () => {
    await using program = await openProgram();
    const path = program.write("x.xml", NETWORK);
    const without = ["nft", "iptables"];
    const up = await program.runWithout(without, ["up", path]);
    assertEquals([up.code, up.stdout], [4, ""], up.stderr);
    assertEquals(
      up.stderr,
      "error: Cannot use any backend on this host\n" +
        "  firewalld: firewalld is not running\n" +
        "  nftables: nft is not installed\n" +
        "  iptables: iptables is not installed\n" +
        "\nhint: Install the package nftables\n",
    );
    const backends = await program.runWithout(without, ["backends"]);
    assertEquals(backends.code, 4, backends.stderr);
    assertEquals(backends.stdout.trimEnd().split("\n"), [
      "BACKEND    USABLE  EVIDENCE",
      "firewalld  no      firewalld is not running",
      "nftables   no      nft is not installed",
      "iptables   no      iptables is not installed",
      "pf         no      pf is a firewall of FreeBSD, and this host is none",
      "",
      "nftables: Install the package nftables",
      "",
      "iptables: Install the package iptables",
    ]);
    const down = await program.runWithout(without, ["down", "--all"]);
    assertEquals(down.code, 0, down.stderr);
  },
});

hostTest({
  name: "a program that no network needs is not missed by status and check",
  tools: TOOLS,
  body: async () => {
    await using program = await openProgram();
    for (const without of [["nft"], ["iptables"], ["nft", "iptables"]]) {
      for (const command of ["status", "check"]) {
        const { code, stderr } = await program.runWithout(without, [command]);
        assertEquals(
          [code, stderr],
          [0, "No network is active\n"],
          `${command} without ${without}`,
        );
      }
    }
  },
});

hostTest({
  name: "where no backend can be used, a plan is made for a host that can use the first",
  tools: TOOLS,
  body: async () => {
    await using program = await openProgram();
    const path = program.write("x.xml", NETWORK);
    const { code, stdout, stderr } = await program.runWithout(["nft", "iptables"], ["plan", path]);
    assertEquals(code, 0, stderr);
    assertStringIncludes(stdout, "add table inet bridgewall\n");
    assertStringIncludes(
      stderr,
      "warning: Cannot use any backend on this host\n  firewalld: firewalld is not running\n" +
        "  nftables: nft is",
    );
    assertStringIncludes(stderr, "The plan is for a host that can use nftables\n");
  },
});

/** Ways to ask for a backend. */
const WAYS: readonly { readonly says: string; readonly option: boolean }[] = [
  { says: "by an option", option: true },
  { says: "in the configuration", option: false },
];

for (const { says, option } of WAYS) {
  for (const [name, missing] of [["nftables", "nft"], ["iptables", "iptables"]] as const) {
    hostTest({
      name: `${name} that is asked for ${says} and cannot be used is replaced by no other`,
      tools: TOOLS,
      body: async () => {
        await using program = await openProgram();
        const path = program.write("x.xml", NETWORK);
        if (!option) program.write("bridgewall.conf", `firewall_backend = "${name}"\n`);
        const words = option ? ["--backend", name] : [];
        // Its rules cannot be loaded either.
        const programs = name === "nftables" ? [missing] : [missing, "iptables-nft-restore"];
        const up = await program.runWithout(programs, ["up", path, ...words]);
        assertEquals([up.code, up.stdout], [4, ""], up.stderr);
        assertStringIncludes(up.stderr, `error: Cannot use the backend "${name}" on this host\n`);
        assertStringIncludes(up.stderr, "\n  nftables: ");
        assertStringIncludes(up.stderr, "\n  iptables: ");
        assertStringIncludes(up.stderr, `\nhint: Install the package ${name}\n`);
        const status = await program.runApart(["status", "--json"]);
        assertEquals(jsonOf(status.stdout), { networks: [], masquerade: [] }, status.stderr);
        const backends = await program.runWithout(programs, ["backends", "--json", ...words]);
        assertEquals(backends.code, 4, backends.stderr);
        const { chosen, asked } = jsonOf(backends.stdout) as { chosen: unknown; asked: unknown };
        assertEquals([chosen, asked], [null, name]);
      },
    });
  }
}

hostTest({
  name: "`backends` shows which is chosen, which was asked for, and why",
  tools: TOOLS,
  body: async () => {
    await using program = await openProgram();
    const rows = async (
      without: readonly string[],
      ...words: readonly string[]
    ): Promise<string> => {
      const { stdout } = await program.runWithout(without, ["backends", ...words]);
      return stdout.replaceAll(/\d+(\.\d+)+\S*/g, "X").replaceAll(/ +/g, " ")
        .replaceAll(/iptables-(nft|legacy)/g, "iptables-V");
    };
    assertEquals(
      await rows([]),
      "BACKEND USABLE EVIDENCE\n" +
        "firewalld no firewalld is not running\n" +
        "nftables yes, chosen nft X kernel X the kernel lists its tables\n" +
        "iptables yes iptables-V X lists its tables\n" +
        "pf no pf is a firewall of FreeBSD, and this host is none\n",
    );
    assertStringIncludes(await rows([], "--backend=iptables"), "nftables yes nft");
    assertStringIncludes(await rows([], "--backend=iptables"), "iptables yes, chosen iptables-V");
    assertStringIncludes(
      await rows(["nft"]),
      "nftables no nft is not installed\niptables yes, chosen",
    );
    assertStringIncludes(
      await rows(["nft"], "--backend=nftables"),
      "nftables no, asked nft is not installed\niptables yes iptables-V",
    );
  },
});
