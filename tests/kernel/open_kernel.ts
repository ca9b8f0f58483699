/** A kernel's tables of its own: a network namespace in which programs are run, and removed at the end. */
import { assertEquals } from "@std/assert";
import type { Command } from "../../core/command.ts";
import type { Host } from "../../core/host.ts";
import { makeNamespace, removeNamespace } from "../hosts/namespace.ts";
import { run } from "../hosts/run_program.ts";
import { emptyWorld, startProcess } from "../support/model_host.ts";

const { host: MODEL } = startProcess(emptyWorld(), {}).context;

/** A host that runs programs inside a namespace. */
export interface Kernel extends Host, AsyncDisposable {
  readonly namespace: string;
}

/** Makes the namespace. */
export async function openKernel(): Promise<Kernel> {
  const namespace = await makeNamespace("kernel");
  return {
    ...MODEL,
    namespace,
    run: async ({ program, args, stdin }) => {
      const { code, ...texts } = await run([program, ...args], { namespace, stdin });
      return { status: code, ...texts };
    },
    [Symbol.asyncDispose]: () => removeNamespace(namespace),
  };
}

/** Runs commands that must all be taken. */
export async function runAll(host: Host, commands: readonly Command[]): Promise<void> {
  for (const command of commands) {
    const { status, stderr } = await host.run(command);
    assertEquals(status, 0, `${stderr}\n${command.stdin}`);
  }
}
