/** Records as files: one for each active network, in a directory that only root may write. */
import { join } from "@std/path";
import { HostError, type RecordStore } from "../core/host.ts";
import { printable, quoted, quotedPath } from "../core/quoted.ts";
import { type Record, RecordError } from "../core/record/record.ts";
import { formatRecord, parseRecord } from "../core/record/record_xml.ts";
import { lockFile } from "./lock.ts";
import { recordChanges } from "./record_changes.ts";
import { SCRIPT_PREFIX } from "./run_command.ts";
import { openToOthers } from "./trusted.ts";

/** File names of ext4 and most others end here; the ending takes four. */
const LONGEST_NAME = 200;

/** The ending of a record that is being written. */
const UNFINISHED = ".xml.new";

const AS_ROOT = "Run it as root";

/**
 * A {@linkcode RecordStore} in a directory. What it holds is run as root, so a directory or a record
 * that belongs to somebody else, or that somebody else may write, is refused.
 *
 * @param user Who runs the program: the one that everything must belong to.
 */
export function recordDirectory(
  directory: string,
  user: number | null = Deno.uid(),
): RecordStore {
  return {
    directory,
    readAll: () => refuseProblems("read records in", directory, () => readAll(directory, user)),
    write: (record) =>
      refuseProblems("write a record in", directory, () => writeRecord(directory, record)),
    changes: (end) => tellingProblems(directory, recordChanges(directory, end)),
    remove: (network) =>
      refuseProblems("remove a record in", directory, () => removeRecord(directory, network)),
    lock: (seconds, onWait) =>
      refuseProblems("lock", directory, () => lockDirectory(directory, user, seconds, onWait)),
  };
}

/** What the file system refuses, in words that say what was tried and where. */
async function refuseProblems<Result>(
  attempt: string,
  directory: string,
  work: () => Result | Promise<Result>,
): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Error) || error instanceof HostError || error instanceof RecordError) {
      throw error;
    }
    if (error instanceof Deno.errors.NotCapable) {
      throw new RecordError(
        `Cannot ${attempt} ${quotedPath(directory)}: this program was not made to write there`,
        "Leave out `--state-dir`, or name a directory below the one that it has by itself",
      );
    }
    throw new RecordError(
      `Cannot ${attempt} ${quotedPath(directory)}: ${printable(error.message)}`,
      error instanceof Deno.errors.PermissionDenied ? AS_ROOT : undefined,
    );
  }
}

async function* tellingProblems(
  directory: string,
  changes: AsyncIterable<true>,
): AsyncIterable<true> {
  const each = changes[Symbol.asyncIterator]();
  const next = (): Promise<IteratorResult<true>> =>
    refuseProblems("watch the records in", directory, () => each.next());
  for (let one = await next(); one.done !== true; one = await next()) yield one.value;
}

async function lockDirectory(
  directory: string,
  user: number | null,
  seconds: number,
  onWait: () => void,
): Promise<Disposable> {
  const make = (): void => makeDirectory(directory, user);
  const lock = await lockFile(join(directory, "lock"), seconds, onWait, make);
  try {
    removeUnfinished(directory);
    return lock;
  } catch (error) {
    lock[Symbol.dispose]();
    throw error;
  }
}

/** What interrupted commands left: with the lock held, nobody is writing. */
function removeUnfinished(directory: string): void {
  for (const { name, isDirectory } of Deno.readDirSync(directory)) {
    const left = name.endsWith(UNFINISHED) || name.startsWith(SCRIPT_PREFIX);
    if (left && !isDirectory) removeIfThere(join(directory, name));
  }
}

function readAll(directory: string, user: number | null): readonly Record[] {
  const info = statIfThere(directory);
  if (info === undefined) return [];
  refuseForeign(directory, info, user);
  const files = [...ifThere(() => Deno.readDirSync(directory)) ?? []].map(({ name }) => name)
    .filter((name) => name.endsWith(".xml") && !name.startsWith("."));
  return files.flatMap((name) => readRecord(directory, name, user) ?? [])
    .toSorted((one, other) => one.name < other.name ? -1 : 1);
}

/** Undefined: it went after the directory was read, by a command that has the lock while we have not. */
function readRecord(directory: string, name: string, user: number | null): Record | undefined {
  const path = join(directory, name);
  const info = statIfThere(path);
  if (info === undefined) return undefined;
  if (!info.isFile) {
    throw new RecordError(`Cannot read the record ${quotedPath(path)}: it is not a file`);
  }
  refuseForeign(path, info, user);
  const text = ifThere(() => Deno.readTextFileSync(path));
  if (text === undefined) return undefined;
  const record = parseRecord(text, path);
  if (fileName(record.name) !== name) {
    throw new RecordError(
      `Cannot read the record ${quotedPath(path)}: it is of the network ${quoted(record.name)}`,
    );
  }
  return record;
}

function refuseForeign(path: string, info: Deno.FileInfo, user: number | null): void {
  const { uid } = info;
  if (uid === 0 && user !== 0) {
    throw new RecordError(`Cannot use ${quotedPath(path)}: it belongs to root`, AS_ROOT);
  }
  if (uid !== user) {
    throw new RecordError(
      `Cannot trust ${quotedPath(path)}: it belongs to user ${uid}`,
      "Remove it, or name another directory with `--state-dir`",
    );
  }
  const distrust = openToOthers(path, info);
  if (distrust === undefined) return;
  throw new RecordError(`Cannot trust ${quotedPath(path)}: ${distrust.problem}`, distrust.hint);
}

/** The record is complete under another name before it gets its own, so it is old or new, never half. */
function writeRecord(directory: string, record: Record): void {
  const path = join(directory, fileName(record.name));
  const temporary = `${path}.new`;
  removeIfThere(temporary); // an interrupted write left it, and it is in the way of `createNew`
  using file = Deno.openSync(temporary, { createNew: true, write: true, mode: 0o600 });
  writeAll(file, new TextEncoder().encode(formatRecord(record)));
  file.syncSync();
  Deno.renameSync(temporary, path);
  syncDirectory(directory);
}

function writeAll(file: Deno.FsFile, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
}

function removeRecord(directory: string, network: string): void {
  removeIfThere(join(directory, fileName(network)));
  syncDirectory(directory);
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function syncDirectory(directory: string): void {
  using opened = Deno.openSync(directory);
  opened.syncSync();
}

function makeDirectory(directory: string, user: number | null): void {
  if (statIfThere(directory) === undefined) {
    Deno.mkdirSync(directory, { recursive: true, mode: 0o700 });
  }
  const info = Deno.lstatSync(directory);
  if (!info.isDirectory) {
    throw new RecordError(`Cannot use ${quotedPath(directory)}: it is not a directory`);
  }
  refuseForeign(directory, info, user);
}

/** Links are not followed: who may make one in a directory of ours could point root anywhere. */
function statIfThere(path: string): Deno.FileInfo | undefined {
  return ifThere(() => Deno.lstatSync(path));
}

function ifThere<Result>(look: () => Result): Result | undefined {
  try {
    return look();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/**
 * The file of a network: its name with every byte that is not a letter, digit, `-` or `_` as `%` and
 * two hex digits. A name too long for a file is cut, and told apart by a hash of the whole.
 */
export function fileName(network: string): string {
  const bytes = [...new TextEncoder().encode(network)];
  const escaped = bytes.map((byte) => {
    const character = String.fromCharCode(byte);
    return /[A-Za-z0-9_-]/.test(character) ? character : `%${byte.toString(16).padStart(2, "0")}`;
  }).join("");
  if (escaped.length <= LONGEST_NAME) return `${escaped}.xml`;
  return `${escaped.slice(0, LONGEST_NAME)}~${hash(bytes)}.xml`;
}

/** FNV-1a with 64 bits: it only has to tell names apart, nobody gains by making two meet. */
function hash(bytes: readonly number[]): string {
  const value = bytes.reduce(
    (sum, byte) => BigInt.asUintN(64, (sum ^ BigInt(byte)) * 0x100000001b3n),
    0xcbf29ce484222325n,
  );
  return value.toString(16).padStart(16, "0");
}
