/** Definitions in files, in the configuration directory, and on standard input. */
import { join } from "@std/path";
import {
  type DefinitionSource,
  type DefinitionText,
  UsageError,
} from "../core/commands/context.ts";
import { isPath } from "../core/commands/read_definitions.ts";
import { NetworkDefinitionError } from "../core/network/network_error.ts";
import { quoted } from "../core/quoted.ts";

/** Far more than any definition has; whatever is longer is not one. */
const MAXIMUM_BYTES = 4 * 1024 * 1024;

/** @param directory Where `NAME.xml` stands for the name `NAME`. */
export function definitionFiles(directory: string): DefinitionSource {
  return {
    read: (argument) => readDefinition(directory, argument),
    readAll: async () => {
      const files = listDefinitions(directory);
      return await Promise.all(files.map((file) => readFile(join(directory, file))));
    },
  };
}

async function readDefinition(directory: string, argument: string): Promise<DefinitionText> {
  if (argument === "-") return { text: await readText(Deno.stdin.readable, "-"), file: "-" };
  const path = isPath(argument) ? argument : join(directory, `${argument}.xml`);
  try {
    return await readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw missing(directory, argument, path);
    if (error instanceof Deno.errors.PermissionDenied) {
      throw new UsageError(`Cannot read ${quoted(path)}: permission denied`);
    }
    throw error;
  }
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
    throw error;
  }
}

async function readFile(path: string): Promise<DefinitionText> {
  const file = await Deno.open(path);
  if ((await file.stat()).isDirectory) {
    file.close();
    throw new UsageError(`Cannot read ${quoted(path)}: it is a directory`);
  }
  return { text: await readText(file.readable, path), file: path };
}

async function readText(stream: ReadableStream<Uint8Array>, file: string): Promise<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let size = 0;
  let text = "";
  const start = { line: 1, column: 1 };
  for await (const chunk of stream) {
    size += chunk.length;
    if (size > MAXIMUM_BYTES) {
      throw new NetworkDefinitionError("This is too long to be a definition", file, start);
    }
    text += decode(decoder, chunk, file);
  }
  return text + decode(decoder, undefined, file);
}

function decode(decoder: TextDecoder, chunk: Uint8Array | undefined, file: string): string {
  try {
    return chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true });
  } catch {
    throw new NetworkDefinitionError(
      "This is not UTF-8 text",
      file,
      { line: 1, column: 1 },
      "Save the definition as UTF-8",
    );
  }
}
