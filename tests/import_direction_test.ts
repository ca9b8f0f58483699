/** Imports point one way: main.ts → backends, platform, core; backends → core; platform → core. */
import { assertEquals } from "@std/assert";
import { fromFileUrl, relative } from "@std/path";

const PROJECT = fromFileUrl(new URL("..", import.meta.url));

/** Where the program's modules are; tests and what is shipped may import what they like. */
const PROGRAM = ["main.ts", "core", "backends", "platform"];

/** One module of the program. */
interface Module {
  /** The path below the project, such as `core/address.ts`. */
  readonly path: string;
  /** Paths below the project, or packages with their scheme, such as `npm:ipaddr.js`. */
  readonly imports: readonly string[];
  readonly text: string;
}

/** Who alone may import a package of somebody else. */
const PACKAGE_OWNERS: Readonly<Record<string, RegExp>> = {
  "npm:@rgrove/parse-xml": /^core\/network\/(read_xml|xml_\w+)\.ts$/,
  "npm:ipaddr.js": /^core\/address\.ts$/,
};

/** The part of the program that a path belongs to: each backend's directory is a part of its own. */
function partOf(path: string): string {
  const [top = "", below = ""] = path.split("/");
  return top === "backends" ? `${top}/${below}` : top;
}

function mayImport(from: string, to: string): boolean {
  const [importer, imported] = [partOf(from), partOf(to)];
  if (imported === "core" || importer === imported) return true;
  if (importer === "backends/mod.ts") return imported.startsWith("backends/");
  return importer === "main.ts" &&
    (imported.startsWith("backends/") || imported === "platform");
}

/** Each breach of the rules as a sentence; empty: there is none. */
function findBreaches(modules: readonly Module[]): readonly string[] {
  return modules.flatMap(({ path, imports, text }) => [
    ...imports.filter((to) => isPackage(to) ? !mayUse(path, to) : !mayImport(path, to))
      .map((to) => `${path} imports ${to}`),
    ...(mayTouchDeno(path) || !touchesDeno(text) ? [] : [`${path} touches Deno.*`]),
  ]);
}

function isPackage(specifier: string): boolean {
  return specifier.includes(":");
}

function mayUse(path: string, name: string): boolean {
  return PACKAGE_OWNERS[name]?.test(path) ?? true;
}

function mayTouchDeno(path: string): boolean {
  return ["main.ts", "platform"].includes(partOf(path));
}

function touchesDeno(text: string): boolean {
  const code = text.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/(^|\s)\/\/.*$/gm, "");
  return /\bDeno\s*[.[]/.test(code);
}

/** Reads the modules below the directory, with their imports as deno resolves them. */
async function readModules(directory: string): Promise<readonly Module[]> {
  const paths = await Promise.all(PROGRAM.map((name) => listModules(directory, name)));
  const files = paths.flat();
  const everything = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    const lines = files.map((path) => `import "file://${directory}/${path}";\n`);
    await Deno.writeTextFile(everything, lines.join(""));
    const graph = await readGraph(directory, everything);
    return await Promise.all(files.map(async (path) => ({
      path,
      imports: importsOf(graph, directory, path),
      text: await Deno.readTextFile(`${directory}/${path}`),
    })));
  } finally {
    await Deno.remove(everything);
  }
}

async function listModules(directory: string, path: string): Promise<readonly string[]> {
  const found = await Deno.stat(`${directory}/${path}`).catch(() => undefined);
  if (found === undefined) return [];
  if (found.isFile) return /\.ts$/.test(path) && !path.endsWith(".d.ts") ? [path] : [];
  const below: (readonly string[])[] = [];
  for await (const { name } of Deno.readDir(`${directory}/${path}`)) {
    below.push(await listModules(directory, `${path}/${name}`));
  }
  return below.flat().sort();
}

/** The part of `deno info --json` that is read here. */
interface Graph {
  readonly modules: readonly {
    readonly specifier: string;
    readonly error?: string;
    readonly dependencies?: readonly {
      readonly specifier: string;
      readonly code?: { readonly specifier?: string };
      readonly type?: { readonly specifier?: string };
    }[];
  }[];
}

async function readGraph(directory: string, file: string): Promise<Graph> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "--no-lock", "--config", `${directory}/deno.json`, file],
  }).output();
  const text = new TextDecoder();
  if (code !== 0) throw new Error(`deno info exited with ${code}: ${text.decode(stderr)}`);
  return JSON.parse(text.decode(stdout)) as Graph;
}

function importsOf(graph: Graph, directory: string, path: string): readonly string[] {
  const module = graph.modules.find(({ specifier }) => specifier === `file://${directory}/${path}`);
  if (module === undefined || module.error !== undefined) {
    throw new Error(`${path} cannot be read: ${module?.error}`);
  }
  return (module.dependencies ?? []).map(({ specifier, code, type }) => {
    const resolved = code?.specifier ?? type?.specifier ?? specifier;
    if (resolved.startsWith("file://")) return relative(directory, fromFileUrl(resolved));
    return resolved.replace(/^npm:\/?(@[^/]+\/[^@/]+|[^@/]+).*$/, "npm:$1");
  });
}

Deno.test("imports of the program point one way", async () => {
  assertEquals(findBreaches(await readModules(PROJECT.replace(/\/$/, ""))), []);
});

Deno.test("a planted wrong import is found in real files", async () => {
  const directory = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${directory}/core`);
    await Deno.mkdir(`${directory}/platform`);
    await Deno.writeTextFile(`${directory}/deno.json`, "{}");
    await Deno.writeTextFile(
      `${directory}/platform/clock.ts`,
      "export type Clock = () => number;\n",
    );
    await Deno.writeTextFile(
      `${directory}/core/wrong.ts`,
      'import type { Clock } from "../platform/clock.ts";\nexport const now: Clock = Date.now;\n',
    );
    assertEquals(findBreaches(await readModules(directory)), [
      "core/wrong.ts imports platform/clock.ts",
    ]);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("each rule of the layout is checked", () => {
  const module = (path: string, ...imports: readonly string[]): Module => ({
    path,
    imports,
    text: "// Deno.exit is for main.ts\n/* Deno.cwd() */ export const answer = 42;\n",
  });
  const right = [
    module("main.ts", "core/up.ts", "backends/mod.ts", "platform/mod.ts"),
    module("backends/mod.ts", "backends/pf/mod.ts", "core/up.ts"),
    module("backends/pf/mod.ts", "backends/pf/script.ts", "core/up.ts"),
    module("platform/mod.ts", "platform/lock.ts", "core/host.ts"),
    module("core/network/read_xml.ts", "npm:@rgrove/parse-xml", "core/quoted.ts"),
    module("core/address.ts", "npm:ipaddr.js"),
  ];
  assertEquals(findBreaches(right), []);
  const wrong = [
    module("core/up.ts", "main.ts"),
    module("core/up.ts", "backends/mod.ts"),
    module("core/up.ts", "tests/support/golden.ts"),
    module("backends/pf/mod.ts", "backends/nftables/script.ts"),
    module("backends/pf/mod.ts", "backends/mod.ts"),
    module("backends/pf/mod.ts", "platform/mod.ts"),
    module("platform/mod.ts", "backends/mod.ts"),
    module("core/policy/policy.ts", "npm:@rgrove/parse-xml"),
    module("backends/pf/script.ts", "npm:ipaddr.js"),
  ];
  assertEquals(
    findBreaches(wrong),
    wrong.map(({ path, imports }) => `${path} imports ${imports[0]}`),
  );
  const touching = { path: "core/up.ts", imports: [], text: "await Deno.readTextFile(path);\n" };
  assertEquals(findBreaches([touching]), ["core/up.ts touches Deno.*"]);
});
