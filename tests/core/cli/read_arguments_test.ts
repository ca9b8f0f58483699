import { assert, assertEquals, assertThrows } from "@std/assert";
import { COMMANDS, GLOBAL_OPTIONS } from "../../../core/cli/command_table.ts";
import { readArguments, readManner, type Request } from "../../../core/cli/read_arguments.ts";
import { UsageError } from "../../../core/commands/context.ts";

function wordsOf(line: string): readonly string[] {
  return line === "" ? [] : line.split(" ");
}

function request(line: string): Request {
  const wish = readArguments(wordsOf(line));
  assert(wish.kind === "run", `${line}: ${wish.kind}`);
  return wish.request;
}

function refused(line: string, message: string, hint?: string): void {
  const error = assertThrows(() => readArguments(wordsOf(line)), UsageError, message, line);
  if (hint !== undefined) assertEquals(error.hint, hint, line);
}

const PLAIN = {
  operands: [],
  all: false,
  localhost: false,
  plan: { explain: false },
  noSysctl: false,
} as const;

Deno.test("every command is understood by its name", () => {
  for (const { name } of COMMANDS) {
    assertEquals<unknown>(request(name), { ...PLAIN, command: name });
  }
});

Deno.test("operands come after the command, in their order", () => {
  assertEquals(request("up default lab.xml ./a/b").operands, ["default", "lab.xml", "./a/b"]);
});

Deno.test("operands that look like numbers stay as they were written", () => {
  assertEquals(request("up 007 1e3 0x10").operands, ["007", "1e3", "0x10"]);
});

Deno.test("ports and prefixes are operands as they were written", () => {
  const ports = ["default", "0x50:10.0.0.2:80/tcp", "[fd00::1]:8080/udp", "080/tcp"];
  assertEquals(request(`publish ${ports.join(" ")}`).operands, ports);
  assertEquals(request(`unpublish ${ports.join(" ")}`).operands, ports);
  assertEquals(request("masquerade add 10.0.0.0/8 ::/3").operands, ["add", "10.0.0.0/8", "::/3"]);
});

Deno.test("a lone - is an operand, and so is everything after --", () => {
  assertEquals(request("up - x").operands, ["-", "x"]);
  assertEquals(request("up -- --all -h").operands, ["--all", "-h"]);
  assertEquals(request("up -- --all").all, false);
  assertEquals<unknown>(request("-- down x"), { ...PLAIN, command: "down", operands: ["x"] });
});

Deno.test("every option is understood, before and after the command", () => {
  for (const [option, part] of Object.entries(OPTIONS)) {
    const command = option === "--localhost" ? "publish" : "plan";
    const expected = { ...PLAIN, command, operands: ["x"], ...part };
    assertEquals<unknown>(request(`${option} ${command} x`), expected);
    assertEquals<unknown>(request(`${command} ${option} x`), expected);
    assertEquals<unknown>(request(`${command} x ${option}`), expected);
  }
});

const OPTIONS: Readonly<Record<string, Partial<Request>>> = {
  "--backend nftables": { backend: "nftables" },
  "--backend=nftables": { backend: "nftables" },
  "--config /etc/x.conf": { config: "/etc/x.conf" },
  "--config=/etc/a=b": { config: "/etc/a=b" },
  "--state-dir /tmp/x": { stateDirectory: "/tmp/x" },
  "--state-dir=/tmp/x": { stateDirectory: "/tmp/x" },
  "--wait 0": { wait: 0 },
  "--wait 2.5": { wait: 2.5 },
  "--wait=999999": { wait: 999_999 },
  "--no-sysctl": { noSysctl: true },
  "--all": { all: true },
  "--localhost": { localhost: true },
  "--explain": { plan: { explain: true } },
  "--platform freebsd": { plan: { explain: false, platform: "freebsd" } },
  "--default-interface=em0": { plan: { explain: false, defaultInterface: "em0" } },
  "--json": {},
  "--quiet": {},
  "--verbose": {},
  "--no-color": {},
};

Deno.test("no option of the table is left out here", () => {
  const known = [...GLOBAL_OPTIONS, ...COMMANDS.flatMap(({ options }) => options)]
    .map(({ name }) => name).filter((name) => !["help", "version"].includes(name));
  const tested = Object.keys(OPTIONS).map((option) => option.replace(/^--([a-z-]+).*$/, "$1"));
  assertEquals([...new Set(tested)].toSorted(), [...new Set(known)].toSorted());
});

Deno.test("of an option given twice the last one counts", () => {
  assertEquals(request("up --wait 5 --wait=6").wait, 6);
});

Deno.test("an unknown option is refused with the one that was meant", () => {
  const message = (name: string): string =>
    `Cannot use the option "${name}": there is none of that name`;
  refused("up --jsno x", message("--jsno"), "Did you mean `--json`?");
  refused("up --back=pf", message("--back"), "Did you mean `--backend`?");
  refused("up --no-colour x", message("--no-colour"), "Did you mean `--no-color`?");
  refused("up --zzz x", message("--zzz"), "See `bridgewall --help`");
  refused("up -x", message("-x"), "See `bridgewall --help`");
  refused("--bogus", message("--bogus"));
  refused("help --bogus", message("--bogus"));
  refused("up --_=3 x", message("--_"));
  refused("up -_ x", message("-_"));
  assertEquals(request("up -- --_ x").operands, ["--_", "x"]);
});

Deno.test("a plan for no known platform, or through no possible interface, is refused", () => {
  refused(
    "plan --platform openbsd x",
    'Cannot plan for "openbsd"',
    "Choose one of `linux`, `freebsd`",
  );
  refused("plan --default-interface a/b x", 'Interface name "a/b" contains');
  refused("plan --default-interface= x", 'Cannot use "--default-interface" without a value');
  refused("up --platform freebsd x", 'Cannot use the option "--platform" with `bridgewall up`');
  refused("up --default-interface=em0 x", 'option "--default-interface" with `bridgewall up`');
});

Deno.test("an unknown command is refused with the one that was meant", () => {
  const message = (name: string): string => `Cannot run "${name}": there is no such command`;
  refused("upp x", message("upp"), "Did you mean `bridgewall up`?");
  refused("relaod", message("relaod"), "Did you mean `bridgewall reload`?");
  refused("start x", message("start"), "Did you mean `bridgewall status`?");
  refused("Up x", message("Up"), "See `bridgewall --help`");
  refused("- x", message("-"));
  refused("help nothing", message("nothing"));
});

Deno.test("no command at all is refused", () => {
  for (const line of ["", "--", "--json", "--wait 3"]) {
    refused(line, "no command was given", "See `bridgewall --help`");
  }
});

Deno.test("options of other commands are refused", () => {
  const hint = (command: string): string => `See \`bridgewall ${command} --help\``;
  refused("up --explain x", 'Cannot use the option "--explain" with `bridgewall up`', hint("up"));
  refused("status --explain", 'the option "--explain" with `bridgewall status`');
  refused("backends --all", 'the option "--all" with `bridgewall backends`', hint("backends"));
  refused("publish --all x", 'the option "--all" with `bridgewall publish`', hint("publish"));
  refused("unpublish --localhost x", 'option "--localhost" with `bridgewall unpublish`');
  refused("masquerade --localhost list", 'option "--localhost" with `bridgewall masquerade`');
});

Deno.test("operands are refused where there are none", () => {
  refused("backends x", 'Cannot take "x": `bridgewall backends` has no operands');
});

Deno.test("an option without its value is refused", () => {
  for (const name of ["backend", "config", "state-dir", "wait"]) {
    for (const line of [`up --${name}`, `up --${name}= x`, `up --${name} --all`]) {
      refused(line, `Cannot use "--${name}" without a value`, `Write \`--${name}=VALUE\``);
    }
  }
});

Deno.test("seconds that are no number from 0 to 999999 are refused", () => {
  for (const value of ["-1", "1e3", "0x5", "five", "1000000", ".5", "5.", "5s", "Infinity", "１"]) {
    refused(`up --wait=${value} x`, `Cannot wait "${value}" seconds`, "Write `--wait 30`");
  }
});

Deno.test("help is shown for every way of asking", () => {
  for (const line of ["--help", "-h", "help", "--json --help"]) {
    assertEquals(readArguments(wordsOf(line)), { kind: "help" }, line);
  }
  for (const entry of COMMANDS) {
    const { name } = entry;
    for (const line of [`help ${name}`, `${name} --help`, `${name} -h`, `${name} x --help`]) {
      assertEquals(readArguments(wordsOf(line)), { kind: "help", entry }, line);
    }
  }
});

Deno.test("the version is shown whatever else is asked", () => {
  for (const line of ["--version", "up --version", "--version --help"]) {
    assertEquals(readArguments(wordsOf(line)), { kind: "version" }, line);
  }
});

Deno.test("how to print is known even when the rest makes no sense", () => {
  const usual = { json: false, quiet: false, verbose: false, color: true };
  assertEquals(readManner([]), usual);
  assertEquals(readManner(["--bogus", "--json", "up", "--quiet", "--verbose", "--no-color"]), {
    json: true,
    quiet: true,
    verbose: true,
    color: false,
  });
  assertEquals(readManner(["up", "--", "--json", "--quiet", "--verbose", "--no-color"]), usual);
});

Deno.test("an option without a value takes none", () => {
  for (const word of ["--json=true", "--quiet=false", "--no-color=false", "--all=1"]) {
    assertThrows(() => readArguments(["up", word, "x"]), UsageError, "it has none");
  }
  assertEquals(readArguments(["up", "--", "--json=true"]).kind, "run");
});

Deno.test("words are shown without what a terminal would act on", () => {
  const refusals: readonly (readonly [readonly string[], string])[] = [
    [["\x1b[2J"], 'Cannot run "\\u{1b}[2J"'],
    [["up", "--\x1b[2J"], 'Cannot use the option "--\\u{1b}[2J"'],
    [["backends", "\x1b[2J"], 'Cannot take "\\u{1b}[2J"'],
    [["up", "--wait=\x1b[2J", "x"], 'Cannot wait "\\u{1b}[2J" seconds'],
    [["--_\x1b"], 'Cannot use the option "--_\\u{1b}"'],
  ];
  for (const [words, message] of refusals) {
    assertThrows(() => readArguments(words), UsageError, message);
  }
});
