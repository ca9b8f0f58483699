import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { memberProblems } from "../../../backends/pf/bridge_members.ts";
import { findProblems, type Problem, readStatus } from "../../../backends/pf/main_ruleset.ts";
import {
  COMPLAINTS,
  DISABLED,
  ENABLED,
  FILTER,
  type Recorded,
  recordedAnswers,
} from "./recorded.ts";

function problems(recorded: Recorded, devices = ["virbr0", "em0"]): readonly Problem[] {
  return findProblems("bridgewall", devices, recordedAnswers(recorded));
}

function sentences(recorded: Recorded): readonly string[] {
  return problems(recorded).map(({ sentence }) => sentence);
}

const FIX = "Put these lines into /etc/pf.conf, in this order, before its filter rules, and run " +
  '`service pf reload`:\n  nat-anchor "bridgewall/*"\n  rdr-anchor "bridgewall/*"\n' +
  '  anchor "bridgewall/*"';

Deno.test("a host on which packets get to the rules has no problem", () => {
  assertEquals(problems({}), []);
  assertEquals(problems({ filter: 'anchor "bridgewall/*" quick all\n' }), []);
});

Deno.test("a host that was not asked has none that is known", () => {
  assertEquals(findProblems("bridgewall", ["virbr0"], { to: () => undefined }), []);
});

Deno.test("a disabled pf is a problem, with the way to start it", () => {
  const [disabled, ...more] = problems({ status: { stdout: DISABLED } });
  assertEquals(disabled, {
    sentence: "pf is disabled, so no packet meets a rule",
    fix: "Run `sysrc pf_enable=YES` and `service pf start`",
  });
  assertEquals(more, []);
});

Deno.test("pf that was never loaded, or that only root may ask, is told from one that is disabled", () => {
  const absent = (result: { readonly status: number; readonly stderr: string }): string => {
    const status = readStatus({ stdout: "", ...result });
    return status.kind === "absent"
      ? `${status.problem.sentence} / ${status.problem.fix}`
      : status.kind;
  };
  assertMatch(absent(COMPLAINTS.noModule), /there is no \/dev\/pf: .*`kldload pf`/);
  assertMatch(absent(COMPLAINTS.notRoot), /only root may ask pf \/ Run it again as root/);
  assertMatch(absent({ status: 127, stderr: "pfctl: not found" }), /pfctl is not installed/);
  const altq = "No ALTQ support in kernel\nALTQ related functions disabled\npfctl: warning: a\n" +
    "pfctl: DIOCGETSTATUS: x\n";
  assertMatch(
    absent({ status: 1, stderr: altq }),
    /^pfctl does not answer: pfctl: DIOCGETSTATUS: x/,
  );
  assertEquals(readStatus({ status: 0, stdout: ENABLED, stderr: altq }).kind, "enabled");
});

Deno.test("each anchor that is missing is named, with all lines in their order", () => {
  const [all] = problems({ translation: "", filter: "pass all flags S/SA keep state\n" });
  assertEquals(all?.fix, FIX);
  assertEquals(
    all?.sentence,
    "No packet gets to all of the rules: the main ruleset of pf has no " +
      '`nat-anchor "bridgewall/*"`, `rdr-anchor "bridgewall/*"`, `anchor "bridgewall/*"`',
  );
  assertStringIncludes(sentences({ filter: "" })[0] ?? "", 'has no `anchor "bridgewall/*"`');
  const [rdr] = sentences({ translation: 'nat-anchor "bridgewall/*" all\n' });
  assertStringIncludes(rdr ?? "", 'has no `rdr-anchor "bridgewall/*"`');
});

Deno.test("anchors of others, and ours without the star, are not taken for it", () => {
  for (const name of ["bridgewall", "bridgewall/default", "libvirt/*", "*", "bridgewall/**"]) {
    const [sentence = ""] = sentences({ filter: `anchor "${name}" all\n` });
    assertStringIncludes(sentence, 'no `anchor "bridgewall/*"`', name);
  }
});

Deno.test("the useless spelling with a backslash is recognised", () => {
  const misspelt = {
    translation: 'nat-anchor "bridgewall\\*" all\n',
    filter: 'anchor "bridgewall\\*" all\npass all flags S/SA keep state\n',
  };
  assertEquals(problems(misspelt), [{
    sentence:
      'No packet gets to all of the rules: the main ruleset of pf has "bridgewall\\\\*", in ' +
      "which the backslash makes the star an ordinary character",
    fix: FIX,
  }]);
});

Deno.test("an anchor that lets in only some packets is shown as it is", () => {
  const [sentence = ""] = sentences({ filter: 'anchor "bridgewall/*" on em0 all\n' });
  assertStringIncludes(
    sentence,
    'has `anchor "bridgewall/*"` for some packets only: on em0 all',
  );
});

Deno.test("an interface of ours that pf leaves alone is named, others are not", () => {
  const interfaces = "all\nem0 (skip)\nlo0 (skip)\nvirbr0 (skip)\nvirbr1 (skip)\n";
  assertEquals(
    sentences({ interfaces }).map((one) => /"(\w+)"/.exec(one)?.[1]),
    ["virbr0", "em0"],
  );
});

Deno.test("states of the main ruleset that float from member to bridge are warned of", () => {
  const settings = "net.link.bridge.pfil_member: 1\nnet.link.bridge.pfil_local_phys: 1\n";
  const said = (filter: string): readonly string[] =>
    memberProblems(recordedAnswers({ settings, filter })).map(({ fix }) => fix);
  const fix = (key: string): string =>
    `Run \`sysctl net.link.bridge.${key}=0\`, or write \`set state-policy if-bound\` into /etc/pf.conf`;
  assertEquals(said(FILTER), [fix("pfil_member"), fix("pfil_local_phys")]);
  assertEquals(
    said("pass in on em0 proto tcp from any to any port = ssh flags S/SA keep state\n"),
    [],
  );
  const alone = "net.link.bridge.pfil_member: 0\nnet.link.bridge.pfil_local_phys: 1\n";
  assertEquals(memberProblems(recordedAnswers({ settings: alone, filter: FILTER })), []);
  assertEquals(said('block drop all\nanchor "bridgewall/*" all\n'), []);
  assertEquals(said("pass all flags S/SA keep state (if-bound)\n"), []);
  assertEquals(memberProblems(recordedAnswers({})), []);
  assertEquals(memberProblems(recordedAnswers({ settings: "" })), []);
});
