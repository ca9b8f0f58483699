/** Definitions in files, in the configuration directory, and on standard input. */
import { join } from "@std/path";
import {
  type DefinitionSource,
  type DefinitionText,
  UsageError,
} from "../core/commands/context.ts";
import { isPath } from "../core/commands/read_definitions.ts";
import { NetworkDefinitionError } from "../core/network/network_error.ts";
import { printable, quoted, quotedPath } from "../core/quoted.ts";
import { isNamedPipe } from "./named_pipe.ts";
import { distrustOf } from "./trusted.ts";

/** Far more than any definition has; whatever is longer is not one. */
const MAXIMUM_BYTES = 4 * 1024 * 1024;

/** Where libvirt keeps its networks, and the status of those that are active. */
const LIBVIRT = { definitions: "/etc/libvirt/qemu/networks", status: "/run/libvirt/network" };

/**
 * Looks definitions up as files, each time anew. Needs `--allow-read`.
 *
 * @param directory Where `NAME.xml` stands for the name `NAME`. Nobody but root may write there what root
 * brings up by its name; a file that is named by its path is whoever's it is.
 * @param user Who runs the program.
 * @param libvirt As `directory`, for what libvirt keeps.
 */
export function definitionFiles(
  directory: string,
  user: number | null = Deno.uid(),
  libvirt: Readonly<Record<"definitions" | "status", string>> = LIBVIRT,
): DefinitionSource {
  return {
    read: async (argument) => await readDefinition(directory, argument, user),
    readAll: async () => await readDirectory(directory, user),
    readLibvirt: async (kept) => await readDirectory(libvirt[kept], user),
  };
}

function readDirectory(directory: string, user: number | null): readonly DefinitionText[] {
  return listDefinitions(directory).map((file) => {
    const path = join(directory, file);
    refuseUntrusted(path, user);
    return readExisting(path);
  });
}

function readDefinition(
  directory: string,
  argument: string,
  user: number | null,
): DefinitionText {
  // Deno opens the second of them to nobody who may do less than everything.
  if (["-", "/dev/stdin"].includes(argument)) {
    return { text: readText(Deno.stdin, argument), file: argument };
  }
  const path = isPath(argument) ? argument : join(directory, `${argument}.xml`);
  if (!isPath(argument)) refuseUntrusted(path, user);
  try {
    return readFile(path);
  } catch (error) {
    throw error instanceof Deno.errors.NotFound
      ? missing(directory, argument, path)
      : unreadable(path, error);
  }
}

function refuseUntrusted(file: string, user: number | null): void {
  const distrust = distrustOf(file, user);
  if (distrust === undefined) return;
  const { path, problem, hint } = distrust;
  throw new UsageError(`Cannot trust ${quotedPath(path)}: ${problem}`, hint);
}

function readExisting(path: string): DefinitionText {
  try {
    return readFile(path);
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** What the system says, in words that name the file; an error that does so already as it is. */
function unreadable(path: string, error: unknown): unknown {
  if (error instanceof UsageError || error instanceof NetworkDefinitionError) return error;
  const reason = error instanceof Deno.errors.PermissionDenied
    ? "permission denied"
    : printable(`${error}`);
  return new UsageError(`Cannot read ${quoted(path)}: ${reason}`);
}

function missing(directory: string, argument: string, path: string): UsageError {
  if (isPath(argument)) return new UsageError(`Cannot read ${quoted(path)}: no such file`);
  const known = listDefinitions(directory).map((file) => file.slice(0, -".xml".length));
  return new UsageError(
    `Cannot find a definition of network ${quoted(argument)}: there is no ${quoted(path)}`,
    known.length === 0
      ? `Put definitions into ${quoted(directory)}, or name a file that ends in .xml`
      : `Known are ${known.map(quoted).join(", ")}`,
  );
}

function listDefinitions(directory: string): readonly string[] {
  try {
    return [...Deno.readDirSync(directory)].map(({ name }) => name)
      .filter((name) => name.endsWith(".xml") && !name.startsWith(".")).toSorted();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw unreadable(directory, error);
  }
}

function readFile(path: string): DefinitionText {
  if (isNamedPipe(path)) {
    throw new UsageError(
      `Cannot read ${quoted(path)}: it is a FIFO, which may have no writer`,
      "Give its content to standard input, and write `-` instead",
    );
  }
  using file = Deno.openSync(path);
  if (file.statSync().isDirectory) {
    throw new UsageError(`Cannot read ${quoted(path)}: it is a directory`);
  }
  return { text: readText(file, path), file: path };
}

/** Synchronous, because the streams of the platform take longer to load than a definition to read. */
function readText(source: { readSync(buffer: Uint8Array): number | null }, file: string): string {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const buffer = new Uint8Array(65_536);
  let text = "";
  let size = 0;
  for (let length = source.readSync(buffer); length !== null; length = source.readSync(buffer)) {
    size += length;
    if (size > MAXIMUM_BYTES) {
      throw new NetworkDefinitionError("This is too long to be a definition", file, START);
    }
    text += decode(decoder, buffer.subarray(0, length), file);
  }
  return text + decode(decoder, undefined, file);
}

const START = { line: 1, column: 1 };

function decode(decoder: TextDecoder, chunk: Uint8Array | undefined, file: string): string {
  try {
    return chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true });
  } catch {
    const hint = "Save the definition as UTF-8";
    throw new NetworkDefinitionError("This is not UTF-8 text", file, START, hint);
  }
}
