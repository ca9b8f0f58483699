/** Whose files root may follow: what they say ends up in rules, and programs are run because of it. */
import { dirname } from "@std/path";
import { printable } from "../core/quoted.ts";

/** Write permission for group and others. */
const WRITABLE_BY_OTHERS = 0o022;

/** Why a file or a directory is not to be trusted, and what to do about it. */
export interface Distrust {
  /** The end of "Cannot trust …: ". */
  readonly problem: string;
  /** Something to type; undefined when there is no one thing to say. */
  readonly hint?: string;
}

/** In such a directory nobody takes another's file away (sticky(7) of FreeBSD, chmod(2)). */
const STICKY = 0o1000;

/** What is wrong with something that others may write; undefined: nothing. */
export function openToOthers(path: string, { mode }: Deno.FileInfo): Distrust | undefined {
  if (mode === null || (mode & WRITABLE_BY_OTHERS) === 0) return undefined;
  return {
    problem: "others may write it",
    hint: `If nobody did, run \`chmod go-w ${printable(path)}\``,
  };
}

/**
 * What is wrong with a file that root is about to follow, or with the directory that it stands in:
 * whoever may write one of them is as good as root then. Links are followed to what they name, as
 * NixOS has them in /etc. Others than root follow what they like.
 *
 * @returns The path and what is wrong with it; undefined: nothing, or there is no such file.
 */
export function distrustOf(
  path: string,
  user: number | null,
): (Distrust & { readonly path: string }) | undefined {
  if (user !== 0) return undefined;
  for (const one of [dirname(path), path]) {
    const info = statIfThere(one);
    if (info === undefined) continue;
    const isShared = info.isDirectory && ((info.mode ?? 0) & STICKY) !== 0;
    const distrust = info.uid === 0 ? isShared ? undefined : openToOthers(one, info) : {
      problem: `it belongs to user ${info.uid}`,
      hint: `If it is yours, run \`chown root ${printable(one)}\``,
    };
    if (distrust !== undefined) return { ...distrust, path: one };
  }
  return undefined;
}

/** What cannot be looked at cannot be read either, and reading tells why. */
function statIfThere(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch (error) {
    if (error instanceof Error) return undefined;
    throw error;
  }
}
