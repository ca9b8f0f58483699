/** Memory that a program which goes on does not keep while it waits. */
/** Undefined before it is first needed. */
let collect: (() => void) | undefined;

/**
 * Gives back what is not needed any more. V8 would keep it, in case that as much is needed again soon: a
 * program that has looked at a thousand networks would hold 200 MB for hours.
 */
export async function releaseMemory(): Promise<void> {
  collect ??= await findCollector();
  collect();
}

/**
 * V8 shows its collector to scripts that begin after it was told to. What other commands would wait for
 * while they start is loaded here.
 */
async function findCollector(): Promise<() => void> {
  const [v8, vm] = await Promise.all([import("node:v8"), import("node:vm")]);
  v8.setFlagsFromString("--expose-gc");
  const found: unknown = vm.runInNewContext("gc");
  return typeof found === "function" ? () => void found() : () => {};
}
