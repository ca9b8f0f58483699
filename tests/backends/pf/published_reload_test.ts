/** Published ports that come, go and lead elsewhere while their network is up. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { UnsupportedNetworkError } from "../../../core/firewall_backend.ts";
import { publish } from "../../../core/commands/publish.ts";
import { unpublish } from "../../../core/commands/unpublish.ts";
import type { Context } from "../../../core/commands/context.ts";
import { definitionOf } from "../../support/golden.ts";
import { describeWorld, type World } from "../../support/model_host.ts";
import {
  bringUp,
  type Fault,
  freebsdWorld,
  type Ran,
  reloadAll,
  run,
  takeDownAll,
} from "./host.ts";
import { publishing } from "./scene.ts";

const PLAIN = definitionOf("bsd-default");
const DEFINITIONS = {
  default: PLAIN,
  natnet: definitionOf("bsd-natnet"),
  web: publishing(PLAIN, "proto='tcp' port='8080' to='192.168.122.10:80'"),
  sctp: publishing(PLAIN, "proto='sctp' port='8080' to='192.168.122.10:80'"),
  locally: publishing(PLAIN, "proto='tcp' port='8080' to='192.168.122.10:80' localhost='yes'"),
  loopback: publishing(PLAIN, "proto='tcp' address='127.0.0.1' port='80' to='192.168.122.10'"),
};

const WEB = "8080:192.168.122.10:80/tcp";
const PATHS = [
  "bridgewall/default",
  "bridgewall/+default",
  "bridgewall/~default",
  "bridgewall/default/=rdr",
];
const ENDS = "-k label -k published tcp 192.168.122.10:80";

/** On a host where pf sees what it takes for itself. */
const SEES_LOCAL: Fault = ({ program }) =>
  program === "sysctl" ? { status: 0, stderr: "", stdout: "net.pf.filter_local: 1\n" } : undefined;

function leading(...specs: readonly string[]): (context: Context) => Promise<unknown> {
  return (context) => publish(context, { operands: ["default", ...specs], localhost: false });
}

function taking(...specs: readonly string[]): (context: Context) => Promise<unknown> {
  return (context) => unpublish(context, ["default", ...specs]);
}

async function worldWith(...names: readonly (keyof typeof DEFINITIONS)[]): Promise<World> {
  const world = freebsdWorld();
  assertEquals((await run(world, DEFINITIONS, bringUp(...names))).error, undefined);
  return world;
}

async function done(
  world: World,
  work: (context: Context) => Promise<unknown>,
  fault?: Fault,
): Promise<Ran> {
  const ran = await run(world, DEFINITIONS, work, fault);
  assertEquals(ran.error, undefined);
  return ran;
}

Deno.test("a network with published ports comes up, and nothing is redirected before it would be let in", async () => {
  const { changes } = await done(freebsdWorld(), bringUp("web"));
  assertEquals(changes.slice(0, 4), PATHS.map((path) => `-a ${path} -f -`));
  assertEquals(changes.filter((line) => line.includes("label")), []);
});

Deno.test("a port that is published ends no connection, and other networks are not touched", async () => {
  const world = await worldWith("default", "natnet");
  const { changes } = await done(world, leading(WEB));
  assertEquals(changes, PATHS.map((path) => `-a ${path} -f -`));
  assertEquals((await done(world, leading(WEB))).changes, [], "what stands is not loaded");
  assertEquals((await done(world, reloadAll)).changes, []);
});

Deno.test("what came up with its definition and what was published is the same", async () => {
  const world = await worldWith("default");
  await done(world, leading(WEB));
  assertEquals(world.anchors, (await worldWith("web")).anchors);
});

Deno.test("one more port loads what differs", async () => {
  const world = await worldWith("web");
  const { changes } = await done(world, leading("8081:192.168.122.10:80/tcp"));
  assertEquals(changes, ["-a bridgewall/default/=rdr -f -"], "it leads where another one leads");
  const more = await done(world, leading("53:192.168.122.11/udp"));
  assertEquals(
    more.changes,
    PATHS.filter((path) => !path.includes("+")).map((path) => `-a ${path} -f -`),
  );
});

Deno.test("a port that is taken back takes its connections along, and no others", async () => {
  const world = await worldWith("default");
  const before = world.anchors;
  await done(world, leading(WEB, "53:192.168.122.11/udp"));
  const { changes } = await done(world, taking("53/udp"));
  assertEquals(changes.filter((line) => line.includes("-k")), [
    "-k label -k published udp 192.168.122.11:53",
  ]);
  const last = await done(world, taking("8080/tcp"));
  assertEquals(last.changes.filter((line) => line.includes("-k")), [ENDS]);
  assert(last.changes.includes("-a bridgewall/default/=rdr -F all"), last.changes.join("\n"));
  assertEquals(world.anchors, before);
});

Deno.test("a port that leads elsewhere ends the connections to where it led", async () => {
  const world = await worldWith("web");
  const { changes } = await done(world, leading("8080:192.168.122.11:80/tcp"));
  assertEquals(changes.filter((line) => line.includes("-k")), [ENDS]);
  assertMatch(
    world.anchors.get("bridgewall/default/=rdr") ?? "",
    /-> 192\.168\.122\.11 port 80\n$/,
  );
});

Deno.test("of two ports to one place the connections end when one of them goes", async () => {
  const world = await worldWith("web");
  await done(world, leading("8081:192.168.122.10:80/tcp"));
  const { changes } = await done(world, taking("8081/tcp"));
  assertEquals(changes, ["-a bridgewall/default/=rdr -f -", ENDS]);
});

Deno.test("a network that goes takes its published ports and their connections along", async () => {
  const world = await worldWith("web", "natnet");
  const { changes } = await done(world, takeDownAll);
  assertEquals(changes.filter((line) => line.includes("=rdr")), [
    "-a bridgewall/default/=rdr -F all",
  ]);
  assertEquals(changes.filter((line) => line.includes("label")), [ENDS]);
  assertEquals([world.anchors.size, world.files.size], [0, 0]);
});

Deno.test("rules of others among the redirections are loaded away, and what they let through ends", async () => {
  const world = await worldWith("web");
  const text = world.anchors.get("bridgewall/default/=rdr") ?? "";
  const foreign = "rdr inet proto tcp from any to any port = 22 -> 192.168.122.10 port 22\n";
  world.anchors = new Map([...world.anchors, ["bridgewall/default/=rdr", text + foreign]]);
  const { changes } = await done(world, reloadAll);
  assertEquals(changes, [
    "-a bridgewall/default/=rdr -f -",
    "-M -k 192.168.122.0/24",
    "-M -k 0.0.0.0/0 -k 192.168.122.0/24",
    ENDS,
  ]);
});

Deno.test("sctp is refused with what can be published: exit code 4", async () => {
  const world = freebsdWorld();
  const { error } = await run(world, DEFINITIONS, bringUp("sctp"));
  assert(error instanceof UnsupportedNetworkError, String(error));
  assertMatch(error.message, /^Network "default" publishes 8080:192\.168\.122\.10:80\/sctp: /);
  assertEquals([error.hint, describeWorld(world)], ["Publish ports of tcp and udp", ""]);
});

Deno.test("127.0.0.1 is refused where pf does not see the answers, with what would change that", async () => {
  for (const name of ["locally", "loopback"]) {
    const world = freebsdWorld();
    const { error } = await run(world, DEFINITIONS, bringUp(name));
    assert(error instanceof UnsupportedNetworkError, String(error));
    assertMatch(error.message, / at 127\.0\.0\.1: pf does not see the answers/);
    assertMatch(error.hint ?? "", /^Run `sysctl net\.pf\.filter_local=1` \(since FreeBSD 13\.3\)/);
    assertEquals(describeWorld(world), "");
    await done(world, bringUp(name), SEES_LOCAL);
    assertMatch(
      world.anchors.get("bridgewall/default/=rdr") ?? "",
      /^rdr on lo0 inet proto tcp from any to 127\.0\.0\.1 port = /m,
    );
  }
});

Deno.test("a network that stands is not refused when the setting is gone: the host is told what is lost", async () => {
  const world = freebsdWorld();
  await done(world, bringUp("locally"), SEES_LOCAL);
  const { said } = await done(world, reloadAll);
  assertMatch(
    said.join("\n"),
    /does not reach the ports that network "default" publishes at its own addresses, 127\.0\.0\.1 as well/,
  );
  assert(!(world.anchors.get("bridgewall/default/=rdr") ?? "").includes("127.0.0.1 port"));
  assertEquals((await done(world, reloadAll)).said, ['Network "default" is up again']);
});

Deno.test("that the host itself does not reach its ports is said once, with what to do", async () => {
  const world = await worldWith("default");
  const { said } = await done(world, leading(WEB));
  assertMatch(said.join("\n"), /The host itself does not reach the ports/);
  assertMatch(
    said.join("\n"),
    /Use the guest's address there, such as 192\.168\.122\.10:80, or run `sysctl net\.pf\.filter_local=1`/,
  );
  assert(!(await done(world, reloadAll)).said.join("\n").includes("does not reach"));
  const seen = await done(freebsdWorld(), bringUp("web"), SEES_LOCAL);
  assertMatch(seen.said.join("\n"), /pf leaves interface "lo0" alone/, "it has `set skip on lo0`");
});

Deno.test("that guests do not reach ports where pf sees members first is said", async () => {
  const members: Fault = ({ program }) =>
    program !== "sysctl" ? undefined : {
      status: 0,
      stderr: "",
      stdout: "net.link.bridge.pfil_member: 1\nnet.link.bridge.pfil_local_phys: 1\n",
    };
  const { said } = await done(freebsdWorld(), bringUp("web"), members);
  assertMatch(
    said.join("\n"),
    /Guests do not reach the ports .*\nRun `sysctl net\.link\.bridge\.pfil_local_phys=0`/,
  );
});

Deno.test("below a long anchor a network that publishes is refused with what to shorten", async () => {
  const { compileChange } = await import("../../../backends/pf/compile.ts");
  const { filtered, FRESH_FACTS } = await import("../../support/definitions.ts");
  const name = "n".repeat(21);
  const policy = filtered(
    "<metadata><bridgewall:network xmlns:bridgewall='urn:bridgewall:network:1'>" +
      "<bridgewall:publish proto='tcp' port='1' to='10.44.0.9'/></bridgewall:network></metadata>" +
      "<ip address='10.44.0.1' prefix='24'/>",
    name,
  );
  const compile = (root: string): unknown => compileChange(root, [policy], FRESH_FACTS);
  compile("r".repeat(36));
  let error: unknown;
  try {
    compile("r".repeat(37));
  } catch (thrown) {
    error = thrown;
  }
  assert(error instanceof UnsupportedNetworkError, String(error));
  assertMatch(error.message, /pfctl takes 63 bytes at most$/);
});
