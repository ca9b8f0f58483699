/** The change as a value: commands that install a policy, and beside them those that take it back. */
import type { Command, Program } from "../command.ts";

/** One command of an installation. */
export interface Step {
  /** What it does, as the end of "Cannot …": `load the nftables rules`. */
  readonly purpose: string;
  /** One that fails ends the operation, unless the step is `optional`. */
  readonly command: Command;
  /**
   * Present when the network works without this step: what is lost when it fails, as a sentence
   * without a period. The step is then taken back, where it could leave something, and the operation
   * goes on.
   */
  readonly optional?: { readonly loss: string; readonly undo?: Command };
  /**
   * True, of an adjustment: run once the connections have ended that lead elsewhere by now. It takes away
   * what lets them through: before, their clients would be refused.
   */
  readonly isLate?: boolean;
}

/**
 * Commands that belong together in a removal. Safe to repeat: what is gone already is no error.
 *
 * A group is run only when no network that stays has an equal one. So what several networks
 * share (the table itself) goes with the last of them, and what the next installation of the same
 * network would make again (its counters) is kept.
 */
export interface RemovalGroup {
  /** Recorded as they are, so that the rules can go when nobody remembers the policy. */
  readonly commands: readonly Command[];
  /** True: a command that fails is passed over, because there is no telling why it did. */
  readonly ignoreErrors: boolean;
}

/** How one network gets in and out. */
export interface NetworkChange {
  /** The network's name, as in its policy. */
  readonly network: string;
  /** Replaces whatever an earlier installation of the same shape left behind. */
  readonly install: readonly Step[];
  /**
   * Turns what stands into the same with less work, where the facts tell what stands and only elements
   * differ. It takes for granted that all of it stands as recorded, and fails where it sees that not.
   */
  readonly adjustment?: readonly Step[];
  /** What refers to something stands before it, so that nothing goes while in use. */
  readonly removal: readonly RemovalGroup[];
  /** Promises that cannot be kept on this host, as sentences without a period. */
  readonly warnings: readonly string[];
}

/** What a backend wants done for some networks. */
export interface Change {
  /** One for each policy, in the order given. */
  readonly networks: readonly NetworkChange[];
  /** True when what stands is seen not to be what was recorded: then all is made anew. */
  readonly drifted?: boolean;
  /** Takes everything of this backend away, whatever it looks like by the answers in the facts. */
  readonly reset: readonly Command[];
  /** Programs that are gone, so that what they hold can be neither seen nor reset. */
  readonly unseen: readonly Program[];
}

/** The commands of removals, in their order. */
export function commandsOf(
  installations: readonly { readonly removal: readonly RemovalGroup[] }[],
): readonly Command[] {
  return installations.flatMap(({ removal }) => removal).flatMap(({ commands }) => commands);
}

/** A text that is the same for equal groups only. */
export function groupKey({ commands }: RemovalGroup): string {
  return JSON.stringify(commands.map(commandKey));
}

/** A text that is the same for equal commands only. */
export function commandKey({ program, args, stdin }: Command): string {
  return JSON.stringify([program, args, stdin ?? null]);
}

/**
 * The removal of some networks while others stay: equal groups once, at the place of the last, and
 * none that a network that stays has too.
 */
export function removalOf(
  leaving: readonly (readonly RemovalGroup[])[],
  staying: readonly (readonly RemovalGroup[])[],
): readonly RemovalGroup[] {
  const kept = new Set(staying.flat().map(groupKey));
  const groups = new Map<string, RemovalGroup>();
  for (const group of leaving.flat()) {
    const key = groupKey(group);
    if (kept.has(key)) continue;
    groups.delete(key); // so that the group moves to the end
    groups.set(key, group);
  }
  return [...groups.values()];
}
