/** What a machine says on its serial console, and what follows from it. */

/** How the machine ended. */
export interface Ended {
  /** Everything from its console. */
  readonly text: string;
  /** The exit status of qemu. */
  readonly code: number;
  /** Whether it was killed because its time was over. */
  readonly late: boolean;
}

const CLAIM = /^(?:not )?ok - /;
const CLOSING = /^(\d+) passed, (\d+) failed$/;

/** Whether the line is meant for whoever runs the task. The firmware and the kernel speak there too. */
export function isOfScript(line: string): boolean {
  return CLAIM.test(line) || CLOSING.test(line) || line.startsWith("#") || isPanic(line);
}

function isPanic(line: string): boolean {
  return /Kernel panic|^panic:/.test(line);
}

/** The lines, as a serial console separates them. */
export function linesOf(text: string): readonly string[] {
  return text.split(/\r*\n/);
}

/**
 * Why the run shows nothing, or what it shows to be wrong; undefined: the machine has come to its own closing
 * line, every claim that it counts there was read here, and all of them hold.
 */
export function problemOf({ text, code, late }: Ended): string | undefined {
  const lines = linesOf(text);
  const panic = lines.find(isPanic);
  if (panic !== undefined) return `the kernel has ended: ${panic}`;
  const closing = lines.map((line) => CLOSING.exec(line)).find((match) => match !== null);
  if (closing === undefined) {
    return late ? "its time was over before its closing line" : `no closing line (qemu: ${code})`;
  }
  const [passed, failed] = [Number(closing[1]), Number(closing[2])];
  if (failed > 0) return `${failed} of its claims do not hold`;
  const read = lines.filter((line) => line.startsWith("ok - ")).length;
  if (passed === 0 || read !== passed) return `it counts ${passed} claims, ${read} were read`;
  if (lines.some((line) => line.startsWith("not ok - "))) return "a claim does not hold";
  if (late) return "it did not end after its closing line";
  return code === 0 ? undefined : `qemu exited with ${code}`;
}
