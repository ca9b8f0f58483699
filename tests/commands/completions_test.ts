/** What shells offer to who asks for more, asked of the shells themselves. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { COMMANDS, SHELLS } from "../../core/cli/command_table.ts";
import { hostTest } from "../hosts/requirements.ts";
import { mustRun } from "../hosts/run_program.ts";
import { openProgram, type Program } from "./program.ts";

/** Definitions of the machine; a shell that expands the last one leaves a file behind. */
const NETWORKS = ["lan", "lab", "office two", "$(touch $PWNED)"];

/** The directory of configurations, which nobody else sees. */
const APART = `mount -t tmpfs none /usr/local/etc && mkdir -p /usr/local/etc/bridgewall/networks &&
cd /usr/local/etc/bridgewall/networks && for name in lan lab "office two" '$(touch $PWNED)'; do
: > "$name.xml"; done && cd "$DIRECTORY" && exec "$@"`;

type Shell = (typeof SHELLS)[number];

/** What is typed, and all that is offered; undefined: that it is offered as well. */
const OFFERS: readonly (readonly [typed: string, offered: readonly string[]])[] = [
  ["", COMMANDS.map(({ name }) => name)],
  ["un", ["unpublish"]],
  ["up --ba", ["--backend"]],
  ["--backend n", ["nftables"]],
  ["up --backend=i", ["iptables"]],
  ["plan --platform ", ["linux", "freebsd"]],
  ["--quiet masquerade ", ["add", "remove", "list"]],
  ["masquerade a", ["add"]],
  ["completions ", SHELLS],
  ["publish lan --loc", ["--localhost"]],
  ["down --loc", []],
  ["down la", ["lan", "lab"]],
  ["reload --json la", ["lan", "lab"]],
  ["publish la", ["lan", "lab"]],
  ["up la", ["lan", "lab"]],
  ["up defini", ["definition.xml"]],
  ["backends x", []],
];

/** Words as bash parts them, for its own variable. */
function bashWords(typed: string): readonly string[] {
  return ["bridgewall", ...typed.split(/ |(=)/).filter((word) => word !== undefined)];
}

const ASK: Readonly<Record<Shell, (script: string, typed: string) => readonly string[]>> = {
  bash: (script, typed) => {
    const ask = 'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _bridgewall; ' +
      '(( ! ${#COMPREPLY[@]} )) || printf "%s\\n" "${COMPREPLY[@]}"';
    return ["bash", "-c", ask, script, ...bashWords(typed)];
  },
  fish: (script, typed) => [
    ...["fish", "--no-config", "-c", 'source $argv[1]; complete -C "$argv[2]"'],
    ...[script, `bridgewall ${typed}`],
  ],
  zsh: (script) => [
    ...["python3", fromFileUrl(new URL("zsh_matches.py", import.meta.url)), script],
  ],
};

/** Asks where the definitions are, in a directory with one more. */
async function offered(program: Program, shell: Shell, typed: string): Promise<readonly string[]> {
  const { directory } = program;
  const argv = ASK[shell](`${directory}/script`, typed);
  const stdout = await mustRun(
    ["unshare", "--mount", "--propagation", "private", "sh", "-c", APART, "sh", ...argv],
    {
      stdin: shell === "zsh" ? `bridgewall ${typed}\n` : "",
      environment: { DIRECTORY: directory, PWNED: `${directory}/pwned`, HOME: directory },
    },
  );
  if (shell === "zsh") return JSON.parse(stdout);
  // Behind a tab fish says what it is.
  return stdout.split("\n").filter((line) => line !== "").map((line) => line.split("\t")[0] ?? "");
}

for (const shell of SHELLS) {
  hostTest({
    name: `${shell} completes commands, options, their values, networks and definitions`,
    tools: [shell, "unshare", "mount", "python3"],
    body: async () => {
      await using program = await openProgram();
      const { stdout } = await program.run(["completions", shell]);
      program.write("script", stdout);
      program.write("definition.xml", "");
      for (const [typed, expected] of OFFERS) {
        const all = await offered(program, shell, typed);
        const plain = all.map((word) => word.replace(/^--\w+=/, ""));
        assertEquals([...new Set(plain)].toSorted(), expected.toSorted(), `${shell}: ${typed}`);
      }
      const names = await offered(program, shell, "down ");
      assertEquals(names.length, NETWORKS.length, names.join());
      assertEquals(
        [...Deno.readDirSync(program.directory)].some(({ name }) => name === "pwned"),
        false,
      );
    },
  });
}

Deno.test("who names no shell, or another one, is told which there are", async () => {
  await using program = await openProgram();
  for (const words of [["completions"], ["completions", "tcsh"], ["completions", "zsh", "fish"]]) {
    const { code, stdout, stderr } = await program.run(words);
    assertEquals([code, stdout], [2, ""]);
    assertStringIncludes(stderr, "hint: Choose one of `bash`, `zsh`, `fish`");
  }
});
