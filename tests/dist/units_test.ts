/** The units of systemd: what it says of them, and that what they leave of root's rights is enough. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { manPage } from "../../dist/man_page.ts";
import { PROJECT } from "../hosts/bundle.ts";
import { hostTest } from "../hosts/requirements.ts";
import { run } from "../hosts/run_program.ts";
import { ship } from "./shipped.ts";

const UNITS = ["bridgewall.service", "bridgewall-watch.service"] as const;

function read(name: string): string {
  return Deno.readTextFileSync(`${PROJECT}dist/systemd/${name}`);
}

/** The words behind `NAME=`, of all such lines. */
function valuesOf(unit: string, name: string): readonly string[] {
  return unit.split("\n").filter((line) => line.startsWith(`${name}=`))
    .flatMap((line) => line.slice(name.length + 1).split(" "));
}

hostTest({
  name: "systemd has nothing to say about the units",
  tools: ["systemd-analyze", "man", "groff"],
  body: async () => {
    const directory = await Deno.makeTempDir({ prefix: "bridgewall-units-" });
    try {
      await Deno.mkdir(`${directory}/man8`);
      await Deno.writeTextFile(`${directory}/man8/bridgewall.8`, manPage(0));
      for (const name of UNITS) {
        // The program is not installed; what it is called is looked at below.
        const unit = read(name).replaceAll("/usr/bin/bridgewall", "/bin/true");
        await Deno.writeTextFile(`${directory}/${name}`, unit);
      }
      const paths = UNITS.map((name) => `${directory}/${name}`);
      const environment = { MANPATH: directory };
      const { code, stderr } = await run(["systemd-analyze", "verify", ...paths], { environment });
      assertEquals([code, stderr], [0, ""]);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});

Deno.test("at boot networks come up after all that flushes rules, and before guests", () => {
  const unit = read("bridgewall.service");
  const after = valuesOf(unit, "After");
  for (const other of ["nftables", "firewalld", "docker", "ufw", "netfilter-persistent"]) {
    assertEquals(after.includes(`${other}.service`), true, other);
  }
  assertStringIncludes(valuesOf(unit, "Before").join(" "), "libvirt-guests.service");
  for (const name of UNITS) {
    const commands = [...valuesOf(read(name), "ExecStart"), ...valuesOf(read(name), "ExecStop")];
    assertEquals(commands[0], "/usr/bin/bridgewall", name);
  }
});

for (const backend of ["nftables", "iptables"]) {
  hostTest({
    name: `what the units leave of root's rights is enough for ${backend}`,
    tools: ["iptables", "setpriv", "unshare", "mount"],
    body: async () => {
      await using shipped = await ship();
      const { program, definition } = shipped;
      const kept = UNITS.map((name) => valuesOf(read(name), "CapabilityBoundingSet"));
      assertEquals(kept[0], kept[1]);
      const set = (kept[0] ?? []).map((name) => `,+${name.toLowerCase().replace("cap_", "")}`);
      const { code, stdout, stderr } = await shipped.run([
        `${program} up --backend=${backend} ${definition}`,
        `${program} publish default 8080:192.168.122.9:80/tcp`,
        `${program} check`,
        `{ timeout --signal=TERM 3 ${program} watch || [ $? = 124 ]; }`,
        `${program} down --all`,
      ], ["setpriv", "--no-new-privs", `--bounding-set=-all${set.join("")}`, "--inh-caps=-all"]);
      assertEquals(code, 0, stderr);
      assertStringIncludes(stdout, "Watching\n");
      assertStringIncludes(stderr, 'Network "default" is down\n');
    },
  });
}
