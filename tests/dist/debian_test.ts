/** The package of Debian: what lintian says, and what is left of it on a machine. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { VERSION } from "../../core/version.ts";
import { checksumLine } from "../../dist/compile.ts";
import { debianPackage } from "../../dist/debian.ts";
import { makeNamespace, removeNamespace } from "../hosts/namespace.ts";
import { hostTest } from "../hosts/requirements.ts";
import { run } from "../hosts/run_program.ts";

/** Little, but quickly. */
const LEVEL = 1;

/**
 * The machine's own files, and what is changed of them only in memory: `$1` is an empty directory, `$2` the
 * package, `$3` what is run there. Neither systemd nor other networks are there.
 */
const APART = `set -e
mount -t tmpfs none "$1"
mkdir "$1/changed" "$1/work" "$1/root"
mount -t overlay -o "lowerdir=/,upperdir=$1/changed,workdir=$1/work" overlay "$1/root"
mount -t tmpfs none "$1/root/run"
mount -t tmpfs none "$1/root/tmp"
mount --rbind /proc "$1/root/proc"
mount --rbind /sys "$1/root/sys"
mount --rbind /dev "$1/root/dev"
cp "$2" "$1/root/tmp/package.deb"
exec chroot "$1/root" sh -euc "$3"
`;

/** All files but those in which dpkg and man keep accounts. */
const FILES = "find / -xdev \\( -path /var/lib/dpkg -o -path /var/cache/man -o -path /var/log " +
  "-o -path /var/cache/ldconfig \\) -prune -o -print | sort";

/** What a user does with it. Each line that prints is looked at below. */
const LIFE = `
rm -rf /var/cache/bridgewall
${FILES} > /tmp/before
export DEBIAN_FRONTEND=noninteractive
dpkg --install /tmp/package.deb > /tmp/log 2>&1 || { cat /tmp/log; exit 1; }
bridgewall --version
ls -l /etc/libvirt/hooks/network.d/bridgewall | cut -c1-10
test -d /etc/bridgewall/networks
man --where bridgewall
man --warnings bridgewall 2>&1 > /dev/null
systemd-analyze verify /lib/systemd/system/bridgewall.service /lib/systemd/system/bridgewall-watch.service
ls /etc/systemd/system/multi-user.target.wants | grep bridgewall
bridgewall up --all
bridgewall --quiet up /usr/share/doc/bridgewall/examples/nat.xml
dpkg --install /tmp/package.deb > /tmp/log 2>&1 || { cat /tmp/log; exit 1; }
bridgewall check
dpkg --purge bridgewall > /tmp/log 2>&1 || { cat /tmp/log; exit 1; }
nft list ruleset
test ! -e /run/bridgewall
${FILES} > /tmp/after
diff /tmp/before /tmp/after
`;

hostTest({
  name:
    "a package of Debian is always the same, pleases lintian, and leaves nothing when it is purged",
  tools: ["dpkg-deb", "lintian", "systemd-analyze", "man", "groff", "unshare", "mount", "chroot"],
  body: async (t) => {
    const directory = `${await Deno.makeTempDir({ prefix: "bridgewall-debian-" })}/`;
    const namespace = await makeNamespace("debian");
    try {
      const name = await debianPackage(directory, LEVEL);
      assertStringIncludes(name, `bridgewall_${VERSION}-1_`);
      await t.step("the same each time", async () => {
        const sum = await checksumLine(directory, name);
        assertEquals(await checksumLine(directory, await debianPackage(directory, LEVEL)), sum);
      });
      await t.step("lintian has nothing to say", async () => {
        const flags = ["--allow-root", "--display-level=>=warning", "--fail-on=warning"];
        const { code, stdout } = await run(["lintian", ...flags, directory + name]);
        assertEquals([code, stdout], [0, ""]);
      });
      await t.step("installed, used, upgraded and purged", async () => {
        await Deno.mkdir(`${directory}machine`);
        const words = [`${directory}machine`, directory + name, LIFE];
        const shell = ["unshare", "--mount", "--propagation", "private", "sh", "-c", APART, "sh"];
        const { code, stdout, stderr } = await run([...shell, ...words], { namespace });
        assertEquals(code, 0, stdout + stderr);
        assertEquals(stdout.split("\n"), [
          `bridgewall ${VERSION}`,
          "-rwxr-xr-x",
          "/usr/share/man/man8/bridgewall.8.gz",
          "bridgewall.service",
          "",
        ]);
      });
    } finally {
      await removeNamespace(namespace);
      await Deno.remove(directory, { recursive: true });
    }
  },
});
