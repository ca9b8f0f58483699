/** Which programs a test needs, and what happens where one is missing. */
import { fail } from "@std/assert";

/** Programs that every test with network namespaces runs. */
const ALWAYS: readonly string[] = ["ip", "nft", "sysctl", "socat", "ping"];

/** A test that puts packets through a kernel. */
export interface HostTest {
  /** What the user gets, as a sentence. */
  readonly name: string;
  /** Programs beyond those that every such test runs. */
  readonly tools?: readonly string[];
  readonly body: (t: Deno.TestContext) => Promise<void>;
}

/** What this machine lacks for the tools named: programs, and root. Empty: nothing. */
export function missingRequirements(tools: readonly string[]): readonly string[] {
  const missing = [...ALWAYS, ...tools].filter((tool) => !isInstalled(tool));
  return Deno.uid() === 0 ? missing : ["root", ...missing];
}

/**
 * Registers a test that needs root and programs. Where they are missing it is ignored, so that a
 * laptop can run the rest; with `CI` set it fails, so that a machine meant to test cannot skip.
 */
export function hostTest(test: HostTest): void {
  const missing = missingRequirements(test.tools ?? []);
  Deno.test({
    name: test.name,
    ignore: missing.length > 0 && !isCi(),
    fn: async (t) => {
      if (missing.length > 0) fail(`this machine lacks: ${missing.join(", ")}`);
      await test.body(t);
    },
  });
}

function isCi(): boolean {
  return (Deno.env.get("CI") ?? "") !== "";
}

function isInstalled(tool: string): boolean {
  // Debian's default PATH of an ordinary user lacks sbin, where these programs live.
  const directories = [...(Deno.env.get("PATH") ?? "").split(":"), "/usr/sbin", "/sbin"];
  return directories.some((directory) => {
    try {
      return Deno.statSync(`${directory}/${tool}`).isFile;
    } catch {
      return false;
    }
  });
}
