import { assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { hostTest } from "../hosts/requirements.ts";
import { run } from "../hosts/run_program.ts";
import { PROGRAMS } from "./initramfs.ts";
import { QEMU } from "./smoke.ts";

const SMOKE = fromFileUrl(new URL("smoke.ts", import.meta.url));

hostTest({
  name: "the packaged program does its work in a kernel of its own, with nftables and iptables",
  tools: [QEMU, "cpio", "depmod", "dpkg-deb", "apt-get", ...PROGRAMS],
  body: async (t) => {
    const { code, stdout, stderr } = await run([Deno.execPath(), "run", "--allow-all", SMOKE], {
      environment: { SMOKE_IMAGE: "" },
      timeout: 25 * 60_000,
    });
    // The kernel comes from a mirror, which a machine without a network does not have.
    const skipped = code === 3 && (Deno.env.get("CI") ?? "") === "";
    await t.step({
      name: "every claim holds",
      ignore: skipped,
      fn: () => assertEquals(code, 0, stdout + stderr),
    });
  },
});
