/** What a compiled binary would be: its base cannot be had everywhere, so another program stands in for it. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { bundle } from "../../dist/bundle.ts";
import { checksumLine, compile, problemOfBase } from "../../dist/compile.ts";
import { PROGRAMS } from "../../core/command.ts";
import { candidatePaths } from "../../platform/run_command.ts";
import { mustRun } from "../hosts/run_program.ts";

const TARGET = "x86_64-unknown-linux-gnu";

/** A program of ELF; what it does is never asked. */
const STAND_IN = { DENORT_BIN: "/bin/true" };

/** What Deno embeds behind this mark, as JSON: how the program is to be run. */
const MARK = new TextEncoder().encode("d3n0l4nd");

interface Embedded {
  readonly permissions: Readonly<Record<string, unknown>>;
  readonly v8_flags: readonly string[];
  readonly code_cache_key: string | null;
  readonly argv: readonly string[];
}

function embeddedIn(binary: Uint8Array): Embedded {
  const text = new TextDecoder("latin1").decode(binary);
  const start = text.indexOf("{", text.indexOf(new TextDecoder().decode(MARK)));
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    if (text[at] === "{") depth++;
    if (text[at] === "}" && --depth === 0) return JSON.parse(text.slice(start, at + 1));
  }
  throw new Error("nothing is embedded");
}

async function compiled(body: (directory: string, name: string) => Promise<void>): Promise<void> {
  const directory = `${await Deno.makeTempDir()}/`;
  try {
    await bundle(directory);
    await body(directory, await compile(TARGET, directory, STAND_IN));
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("a compiled binary may do what the program needs, and nothing else", async () => {
  await compiled(async (directory, name) => {
    const { permissions, v8_flags, code_cache_key } = embeddedIn(
      await Deno.readFile(directory + name),
    );
    // Hosts that Deno trusts with modules by itself; all of them are denied.
    const { allow_run, allow_import: _, ...others } = permissions;
    assertEquals(allow_run, PROGRAMS.linux.flatMap(candidatePaths));
    assertEquals(Object.fromEntries(Object.entries(others).filter(([, value]) => value !== null)), {
      // Everything: definitions may be anywhere.
      allow_read: [],
      allow_write: ["/run/bridgewall", "/etc/firewalld/zones", "/etc/firewalld/policies"],
      allow_env: ["NO_COLOR"],
      allow_sys: ["uid", "osRelease"],
      deny_import: [],
      prompt: false,
    });
    assertEquals(code_cache_key, null);
    assertEquals(v8_flags.filter((flag) => flag.startsWith("--max")), ["--max-semi-space-size=2"]);
  });
});

Deno.test("the same sources are the same binary, whose checksum sha256sum takes", async () => {
  await compiled(async (directory, name) => {
    const line = await checksumLine(directory, name);
    await Deno.writeTextFile(`${directory}SHA256SUMS`, line);
    await mustRun(["sh", "-c", 'cd "$0" && sha256sum --check --quiet SHA256SUMS', directory]);
    await bundle(directory);
    await compile(TARGET, directory, STAND_IN);
    assertEquals(await checksumLine(directory, name), line);
  });
});

Deno.test("where the base cannot be had, what to do is said; where it can, nothing", async () => {
  const cache = await Deno.makeTempDir();
  const never = (): Promise<boolean> => Promise.resolve(false);
  try {
    const found = { denort: undefined, cache, canConnect: never };
    const problem = await problemOfBase(TARGET, found);
    assertStringIncludes(problem ?? "", `no denort for Deno ${Deno.version.deno} ${TARGET} (set `);
    assertEquals(await problemOfBase(TARGET, { ...found, denort: "/x" }), undefined);
    const canConnect = (): Promise<boolean> => Promise.resolve(true);
    assertEquals(await problemOfBase(TARGET, { ...found, canConnect }), undefined);
    const directory = `${cache}/dl/release/v${Deno.version.deno}`;
    await Deno.mkdir(directory, { recursive: true });
    await Deno.writeTextFile(`${directory}/denort-${TARGET}.zip`, "");
    assertEquals(await problemOfBase(TARGET, found), undefined);
  } finally {
    await Deno.remove(cache, { recursive: true });
  }
});
