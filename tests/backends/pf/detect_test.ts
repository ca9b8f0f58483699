import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { detectPf } from "../../../backends/pf/detect.ts";
import type { Detection } from "../../../core/firewall_backend.ts";
import type { Platform } from "../../../core/host.ts";
import { emptyWorld, startProcess } from "../../support/model_host.ts";
import { COMPLAINTS, DISABLED, type Recorded, recordedAnswers } from "./recorded.ts";

const { host: MODEL } = startProcess(emptyWorld(), {}).context;

async function detect(recorded: Recorded = {}, platform: Platform = "freebsd"): Promise<Detection> {
  const answers = recordedAnswers(recorded);
  return await detectPf("bridgewall", {
    ...MODEL,
    platform,
    run: (command) => {
      const answer = answers.to(command);
      assert(answer !== undefined, `asked ${command.args.join(" ")}`);
      return Promise.resolve(answer);
    },
  });
}

Deno.test("pf that runs and has the anchors can be used", async () => {
  assertEquals(await detect(), {
    usable: true,
    evidence: 'pf is enabled and has the anchors `nat-anchor "bridgewall/*"`, ' +
      '`rdr-anchor "bridgewall/*"`, `anchor "bridgewall/*"`',
  });
});

Deno.test("pf that is disabled, or lacks an anchor, can be used once it is put right", async () => {
  const disabled = await detect({ status: { stdout: DISABLED } });
  assertEquals([disabled.usable, disabled.evidence], [
    true,
    "pf is disabled, so no packet meets a rule",
  ]);
  const both = await detect({ status: { stdout: DISABLED }, filter: "" });
  assertStringIncludes(both.evidence, "pf is disabled, so no packet meets a rule; No packet gets");
  assertStringIncludes(both.hint ?? "", '\n  nat-anchor "bridgewall/*"\n  rdr-anchor');
});

Deno.test("pf that does not answer cannot be used", async () => {
  for (const status of [COMPLAINTS.noModule, COMPLAINTS.notRoot, { status: 127 }]) {
    const { usable, hint } = await detect({ status: { stdout: "", ...status } });
    assertEquals(usable, false);
    assert(hint !== undefined);
  }
});

Deno.test("other systems have no pf, and are asked nothing", async () => {
  for (const platform of ["linux", "other"] as const) {
    const answer = detectPf("bridgewall", {
      ...MODEL,
      platform,
      run: () => Promise.reject("asked"),
    });
    assertEquals(await answer, {
      usable: false,
      evidence: "pf is a firewall of FreeBSD, and this host is none",
    });
  }
});
