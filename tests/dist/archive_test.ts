/** The archive that distributions unpack. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { VERSION } from "../../core/version.ts";
import { archive } from "../../dist/archive.ts";
import { checksumLine } from "../../dist/compile.ts";
import { hostTest } from "../hosts/requirements.ts";
import { mustRun } from "../hosts/run_program.ts";

/** Little, but quickly. */
const LEVEL = 1;

hostTest({
  name:
    "an archive has all that a package installs, runs where it is unpacked, and is always the same",
  tools: ["tar", "gzip"],
  body: async () => {
    const directory = `${await Deno.makeTempDir({ prefix: "bridgewall-archive-" })}/`;
    try {
      const name = await archive(directory, LEVEL);
      const sum = await checksumLine(directory, name);
      const listed = await mustRun(["tar", "--list", "--verbose", "--file", directory + name]);
      for (const line of listed.trimEnd().split("\n")) {
        assertEquals(
          line.slice(0, 10).replace(/[dl-]([rwx-]{9})/, "$1").includes("w", 4),
          false,
          line,
        );
        assertStringIncludes(line, " 0/0 ");
      }
      await mustRun(["tar", "--extract", "--directory", directory, "--file", directory + name]);
      const root = `${directory}${name.replace(".tar.gz", "")}/`;
      const files = [
        ...[
          "lib/bridgewall/deno",
          "lib/systemd/system/bridgewall.service",
          "share/man/man8/bridgewall.8",
        ],
        ...["lib/systemd/system/bridgewall-watch.service", "share/doc/bridgewall/LICENSE"],
        ...["share/zsh/site-functions/_bridgewall", "share/bash-completion/completions/bridgewall"],
        "share/fish/vendor_completions.d/bridgewall.fish",
        "share/doc/bridgewall/dist/docs/picture.svg",
        "share/doc/bridgewall/examples/nat.xml",
        "lib/bridgewall/libvirt/hooks/network.d/bridgewall",
      ];
      const licenses = await Deno.readTextFile(`${root}share/doc/bridgewall/LICENSES`);
      for (const holder of ["Ryan Grove", "whitequark", "Squirrel Chat", "the Deno authors"]) {
        assertStringIncludes(licenses, holder);
      }
      for (const file of files) assertEquals((await Deno.stat(root + file)).isFile, true, file);
      const environment = { HOME: directory };
      const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
      await mustRun(["chmod", "755", directory]);
      const printed = await mustRun([...nobody, `${root}bin/bridgewall`, "--version"], {
        environment,
      });
      assertEquals(printed, `bridgewall ${VERSION}\n`);
      assertEquals(await checksumLine(directory, await archive(directory, LEVEL)), sum);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});
