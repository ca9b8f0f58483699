/** Every run of pfctl that can fail, with what FreeBSD's own says: nothing is left half-done. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { StepFailedError } from "../../../core/change/step_error.ts";
import type { Command } from "../../../core/command.ts";
import { NoBackendError } from "../../../core/firewall_backend.ts";
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
import { COMPLAINTS, DISABLED } from "./recorded.ts";

const DEFINITIONS = {
  default: definitionOf("bsd-default"),
  natnet: definitionOf("bsd-natnet"),
  six: "<network><name>six</name><forward mode='route'/>\n" +
    "  <ip address='10.9.0.1' prefix='24'/>\n" +
    "  <ip family='ipv6' address='fd00::1' prefix='64'/></network>",
};

/** What pfctl says where another program loads at the same time, at whatever point it notices. */
const BUSY = ["DIOCXCOMMIT", "DIOCADDRULENV", "DIOCXBEGIN"].map((call) => ({
  status: 1,
  stderr: `pfctl: ${call}: Device busy\n`,
}));

const SYNTAX = {
  status: 1,
  stderr: "stdin:3: syntax error\npfctl: Syntax error in config file: pf rules not loaded\n",
};

const ANCHORS = ["bridgewall/+default", "bridgewall/default", "bridgewall/~default"];

function line({ program, args }: Command): string {
  return [program, ...args].join(" ");
}

/** A fault of every command that the expression finds, or only of the first so many. */
function failing(
  found: RegExp | ((command: Command) => boolean),
  result: ReturnType<Fault>,
  times = Infinity,
): Fault {
  let left = times;
  const isMeant = typeof found === "function"
    ? found
    : (command: Command): boolean => found.test(line(command));
  return (command) => isMeant(command) && left-- > 0 ? result : undefined;
}

async function standing(): Promise<World> {
  const world = freebsdWorld();
  assertEquals((await run(world, DEFINITIONS, bringUp("natnet"))).error, undefined);
  return world;
}

for (const busy of BUSY) {
  Deno.test(`a load that meets another one (${busy.stderr.trim()}) is tried once more`, async () => {
    for (const anchor of ANCHORS) {
      const world = await standing();
      const fault = failing((command) => line(command) === `pfctl -a ${anchor} -f -`, busy, 1);
      const { error, said, changes } = await run(world, DEFINITIONS, bringUp("default"), fault);
      assertEquals(error, undefined);
      assertEquals(changes.filter((one) => one.startsWith("-M")).length, 2);
      assertMatch(
        said.join("\n"),
        /The rules were loaded at the second attempt \(pfctl: DIOC\w+: Dev/,
      );
      const wanted = await standing();
      await run(wanted, DEFINITIONS, bringUp("default"));
      assertEquals(describeWorld(world), describeWorld(wanted));
    }
  });
}

Deno.test("loads that fail for good leave the host as it was, and say what was loaded", async () => {
  for (const result of [...BUSY, SYNTAX]) {
    for (const anchor of ANCHORS) {
      const world = await standing();
      const before = describeWorld(world);
      const fault = failing((command) => line(command) === `pfctl -a ${anchor} -f -`, result);
      const { error } = await run(world, DEFINITIONS, bringUp("default"), fault);
      assert(error instanceof StepFailedError, String(error));
      assertMatch(
        error.message,
        /^Cannot load the pf rules of network "default": pfctl exited with/,
      );
      assert(error.message.includes(result.stderr.trim().split("\n")[0] ?? ""));
      assertMatch(error.message, /^ ?3 \| (table|block|pass) /m);
      assertEquals(describeWorld(world), before);
    }
  }
});

/** What FreeBSD 15 says of every load, before anything else. */
const WARNING = 'pfctl: warning: table <guests> already defined in anchor "bridgewall/+natnet"\n';

Deno.test("what FreeBSD 15 warns of whenever it loads is never given as the reason", async () => {
  const bringUpWith = async (stderr: string, times?: number): Promise<Ran> => {
    const fault = failing(/-a bridgewall\/default -f/, { status: 1, stderr }, times);
    return await run(await standing(), DEFINITIONS, bringUp("default"), fault);
  };
  for (const { stderr } of [...BUSY, SYNTAX]) {
    const [reason = ""] = stderr.split("\n");
    const { error } = await bringUpWith(WARNING + stderr);
    assert(error instanceof StepFailedError, String(error));
    assertMatch(error.message, new RegExp(`status 1\n {2}${RegExp.escape(reason)}\n`));
    const { said } = await bringUpWith(WARNING + stderr, 1);
    assert(said.join("\n").includes(`at the second attempt (${reason})`));
  }
  const { said } = await bringUpWith(WARNING, 1);
  assertMatch(said.join("\n"), /second attempt \(pfctl exited with status 1\)/);
});

Deno.test("of two networks none is up when the second cannot be loaded", async () => {
  const world = freebsdWorld();
  const fault = failing(/-a bridgewall\/~natnet -f/, SYNTAX);
  const { error } = await run(world, DEFINITIONS, bringUp("default", "natnet"), fault);
  assert(error instanceof StepFailedError);
  assertEquals(describeWorld(world), "");
});

Deno.test("connections that cannot be ended are a warning, on the way up and on the way down", async () => {
  const world = freebsdWorld();
  const fault = failing(/ -M -k 192/, { status: 1, stderr: "pfctl: illegal option -- M\n" });
  const upward = await run(world, DEFINITIONS, bringUp("default"), fault);
  assertEquals([upward.error, world.anchors.size], [undefined, 3]);
  assertMatch(
    upward.said.join("\n"),
    /Connections of network "default" may go on .*illegal option/,
  );
  const downward = await run(world, DEFINITIONS, takeDownAll, fault);
  assertEquals([downward.error, describeWorld(world)], [undefined, ""]);
  assertMatch(downward.said.join("\n"), /^Connections of guests may go on .*illegal option/m);
});

Deno.test("without /dev/pf nothing is changed, and it is said how to load it", async () => {
  const world = freebsdWorld();
  const fault = failing(/^pfctl/, COMPLAINTS.noModule);
  const { error } = await run(world, DEFINITIONS, bringUp("default"), fault);
  assert(error instanceof NoBackendError, String(error));
  assertMatch(error.message, /there is no \/dev\/pf: the module pf is not loaded/);
  assertMatch(error.hint ?? "", /sysrc pf_enable=YES/);
  assertEquals(describeWorld(world), "");
});

Deno.test("with pf disabled networks come up, and it is said that no packet meets a rule", async () => {
  const world = freebsdWorld();
  const { error, said } = await run(world, DEFINITIONS, async (context) => {
    const disabled = { status: 0, stdout: DISABLED, stderr: "" };
    const host: typeof context.host = {
      ...context.host,
      run: (command) =>
        line(command) === "pfctl -s info" ? Promise.resolve(disabled) : context.host.run(command),
    };
    return await bringUp("default", "natnet")({ ...context, host });
  });
  assertEquals([error, world.anchors.size], [undefined, 6]);
  const warned = said.filter((text) =>
    text.startsWith("pf is disabled, so no packet meets a rule")
  );
  assertEquals(warned, [
    "pf is disabled, so no packet meets a rule.\n" +
    "Run `sysrc pf_enable=YES` and `service pf start`",
  ]);
});

Deno.test("without the anchors in the main ruleset networks come up, with the lines to add", async () => {
  const world = freebsdWorld();
  const fault = failing(/^pfctl -s (nat|rules)$/, { status: 0, stderr: "" });
  const { error, said } = await run(world, DEFINITIONS, bringUp("default"), fault);
  assertEquals(error, undefined);
  assertMatch(
    said.join("\n"),
    /\n {2}nat-anchor "bridgewall\/\*"\n {2}rdr-anchor .*\n {2}anchor "/,
  );
});

Deno.test("a flush that fails leaves the network up", async () => {
  const world = await standing();
  const before = describeWorld(world);
  const denied = { status: 1, stderr: "pfctl: DIOCXBEGIN: Permission denied\n" };
  const { error } = await run(world, DEFINITIONS, takeDownAll, failing(/ -F all/, denied));
  assert(error instanceof StepFailedError, String(error));
  assertMatch(error.message, /^Cannot remove the rules: pfctl exited with status 1/);
  assertEquals(describeWorld(world), before);
});

Deno.test("anchors that are missing are removed, in the words of every FreeBSD", async () => {
  for (
    const stderr of [
      "rules cleared\nnat cleared\npfctl: Anchor or Ruleset does not exist.\n",
      "pfctl: Anchor does not exist\n",
    ]
  ) {
    const world = await standing();
    const fault = failing(/ -F all/, { status: 1, stderr });
    const { error } = await run(world, DEFINITIONS, takeDownAll, fault);
    assertEquals([error, world.files.size], [undefined, 0]);
  }
});

Deno.test("after pf was unloaded, with all that it held, networks go without a word", async () => {
  const world = await standing();
  const { error, said } = await run(
    world,
    DEFINITIONS,
    takeDownAll,
    failing(/^pfctl/, COMPLAINTS.noModule),
  );
  assertEquals([error, world.files.size, said], [undefined, 0, ['Network "natnet" is down']]);
});

Deno.test("a listing that fails costs one load, and nothing else", async () => {
  const world = await standing();
  const before = describeWorld(world);
  const fault = failing(/-a bridgewall\/natnet .*-s rules/, {
    status: 0,
    stderr: "pfctl: DIOCGETRULES: Invalid argument\n",
  });
  const { error, changes } = await run(world, DEFINITIONS, reloadAll, fault);
  assertEquals(error, undefined);
  assert(changes.includes("-a bridgewall/natnet -f -"), changes.join(", "));
  assertEquals(describeWorld(world), before);
});

Deno.test("IPv6 is refused with its line before anything is changed: exit code 4", async () => {
  const world = await standing();
  const before = describeWorld(world);
  const { error, changes } = await run(world, DEFINITIONS, bringUp("default", "six"));
  assert(error instanceof RangeError);
  assertEquals(error.message, "six:3:3: FreeBSD's pf backend supports IPv4 only");
  assertEquals([changes, describeWorld(world)], [[], before]);
});
