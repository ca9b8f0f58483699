/**
 * What `deno task test` runs: installs the programs that tests need (Debian and Ubuntu, as root), checks
 * the types, runs the pure tests without permissions and then the rest, as many files at once as there are
 * processors, and ends with a table of what the host tests showed for each backend and one line that
 * counts.
 *
 *     deno task test [--no-install] [tests/PATH...] [--filter NAME] [more arguments of deno test]
 */
import { fromFileUrl } from "@std/path";
import { BACKENDS } from "./hosts/backends.ts";
import { resultsTable } from "./hosts/results_table.ts";
import { installPackages, say, succeeds } from "./install_packages.ts";

/** Run with no permission but reading the examples: Deno itself proves that these are pure. */
const PURE = ["tests/core", "tests/backends"];

/** How many tests ended how. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/**
 * The counts of a `deno test` that ended with this exit code. One that died before its closing line
 * counts as one failure, as does one that failed without naming a failed test.
 */
export function readCounts(output: string, exitCode: number): Counts {
  const closing = /^(?:ok|FAILED) \| (\d+) passed.*? \| (\d+) failed(.*)$/gm;
  const last = [...output.matchAll(closing)].at(-1);
  const [passed, failed] = [Number(last?.[1] ?? 0), Number(last?.[2] ?? 0)];
  const skipped = Number(last?.[3]?.match(/(\d+) ignored/)?.[1] ?? 0);
  return { passed, failed: exitCode === 0 ? failed : Math.max(1, failed), skipped };
}

/** `7 passed, 0 failed`, with the skipped ones when there are any. */
export function closingLine({ passed, failed, skipped }: Counts): string {
  const counted = `${passed} passed, ${failed} failed`;
  return skipped === 0 ? counted : `${counted}, ${skipped} skipped`;
}

/** The test files at the path; none when it does not exist. */
function testFiles(path: string): readonly string[] {
  try {
    return [...Deno.readDirSync(path)].flatMap(({ name, isDirectory }) => {
      if (isDirectory) return testFiles(`${path}/${name}`);
      return name.endsWith("_test.ts") ? [`${path}/${name}`] : [];
    }).sort();
  } catch {
    return [];
  }
}

/** A `deno test` that ended. */
interface Ended {
  readonly output: string;
  readonly counts: Counts;
}

const NOTHING: Ended = { output: "", counts: { passed: 0, failed: 0, skipped: 0 } };

/** All of them as one. */
function join(all: readonly Ended[]): Ended {
  return all.reduce((sum, { output, counts }) => ({
    output: sum.output + output,
    counts: {
      passed: sum.counts.passed + counts.passed,
      failed: sum.counts.failed + counts.failed,
      skipped: sum.counts.skipped + counts.skipped,
    },
  }), NOTHING);
}

/**
 * Runs some files, and counts.
 *
 * @param show Gets the output as it comes.
 */
async function runTests(
  args: readonly string[],
  files: readonly string[],
  show: (piece: Uint8Array) => Promise<unknown>,
): Promise<Ended> {
  if (files.length === 0) return NOTHING;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "--no-prompt", "--no-check", ...args, ...files],
    env: { NO_COLOR: "1" },
    stdout: "piped",
  }).spawn();
  const text = new TextDecoder();
  let output = "";
  for await (const piece of child.stdout) {
    await show(piece);
    output += text.decode(piece, { stream: true });
  }
  return { output, counts: readCounts(output, (await child.status).code) };
}

/**
 * Each file by a process of its own, several at once: namespaces are named by the process. What a file
 * printed is shown when it has ended, so that it stands together.
 */
async function runApart(args: readonly string[], files: readonly string[]): Promise<Ended> {
  const waiting = [...files];
  const ended: Ended[] = [];
  const work = async (): Promise<void> => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const one = await runTests(args, [file], () => Promise.resolve());
      await say(one.output.trimEnd());
      ended.push(one);
    }
  };
  await Promise.all(Array.from({ length: navigator.hardwareConcurrency }, work));
  return join(ended);
}

/** Checked once, so that no `deno test` has to; an error is one failure. */
async function checkTypes(files: readonly string[]): Promise<Ended> {
  if (files.length === 0 || await succeeds(Deno.execPath(), ["check", "--quiet", ...files])) {
    return NOTHING;
  }
  return { ...NOTHING, counts: { ...NOTHING.counts, failed: 1 } };
}

async function main(): Promise<void> {
  Deno.chdir(fromFileUrl(new URL("..", import.meta.url)));
  const paths = Deno.args.filter((argument) => argument.startsWith("tests/"));
  const extra = Deno.args.filter((argument) =>
    argument !== "--no-install" && !paths.includes(argument)
  );
  const isWanted = (file: string): boolean =>
    paths.length === 0 || paths.some((path) => file.startsWith(path));
  if (!Deno.args.includes("--no-install")) await installPackages();
  const pure = PURE.flatMap(testFiles);
  const rest = testFiles("tests").filter((file) => !pure.includes(file));
  const show = (piece: Uint8Array): Promise<number> => Deno.stdout.write(piece);
  const { output, counts } = join([
    await checkTypes([...pure, ...rest].filter(isWanted)),
    await runTests(
      ["--parallel", "--allow-read=tests/networks", ...extra],
      pure.filter(isWanted),
      show,
    ),
    await runApart(["--allow-all", ...extra], rest.filter(isWanted)),
  ]);
  const table = resultsTable(output, BACKENDS.map(({ name }) => name));
  await say(["", ...table, ...(table.length === 0 ? [] : [""]), closingLine(counts)].join("\n"));
  Deno.exit(counts.failed === 0 ? 0 : 1);
}

if (import.meta.main) await main();
