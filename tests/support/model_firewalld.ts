/**
 * A model of firewalld 1.3.3 with FlushAllOnReload=yes, as far as this project speaks with it: files that
 * are read at a start and at a reload, and what is at run time only until then.
 */
import type { Command, CommandResult } from "../../core/command.ts";
import { type ConfigurationFiles, objectsIn, refusalOf } from "./firewalld_objects.ts";
import { runBusctl } from "./model_firewalld_bus.ts";

/** firewalld of one host, and its configuration. */
export interface Firewalld {
  /** False: there are only files. */
  readonly running: boolean;
  /** Zones that came with firewalld. */
  readonly stock: readonly string[];
  /** Those of ours. */
  readonly files: ConfigurationFiles;
  /** The zones of interfaces that the files of zones in `stock` name. */
  readonly permanent: ReadonlyMap<string, string>;
  /** `files` as they were when they were read. */
  readonly loaded: ConfigurationFiles;
  /** The zones of interfaces at run time. */
  readonly bindings: ReadonlyMap<string, string>;
}

/** How a run of a program ends, and what it leaves. */
export interface FirewalldRun {
  readonly firewalld: Firewalld;
  readonly result: CommandResult;
}

/** Zones that every firewalld has; `public` is the default one. */
const STOCK: readonly string[] = ["block", "drop", "internal", "public", "trusted"];

/** Zones that libvirt installs. */
export const LIBVIRT_ZONES: readonly string[] = ["libvirt", "libvirt-routed"];

/** One that was installed, with zones beside its own, and not started yet. */
export function installedFirewalld(more: readonly string[] = LIBVIRT_ZONES): Firewalld {
  const nothing = new Map<string, string>();
  const stock = [...STOCK, ...more].toSorted();
  return {
    running: false,
    stock,
    files: nothing,
    permanent: nothing,
    loaded: nothing,
    bindings: nothing,
  };
}

/** One that reads its files. @throws {Error} Where it would leave them aside. */
export function startFirewalld(firewalld: Firewalld): Firewalld {
  if (firewalld.running) return firewalld;
  const refusal = problemOfFiles(firewalld);
  if (refusal !== undefined) throw new Error(`firewalld does not start with its files: ${refusal}`);
  return load({ ...firewalld, running: true });
}

/** What is at run time goes with it. */
export function stopFirewalld(firewalld: Firewalld): Firewalld {
  const { stock, files, permanent } = firewalld;
  return { ...installedFirewalld(), stock, files, permanent };
}

/** Why firewalld would not take its files if it read them now; undefined: it would. */
export function problemOfFiles({ files, stock, permanent }: Firewalld): string | undefined {
  return refusalOf(files, stock, permanent);
}

/** Forgets what is at run time only. */
export function load(firewalld: Firewalld): Firewalld {
  const { files, permanent } = firewalld;
  const named = objectsIn(files).flatMap(({ name, interfaces }) =>
    interfaces.map((one) => [one, name] as const)
  );
  return { ...firewalld, loaded: files, bindings: new Map([...permanent, ...named]) };
}

const DONE: CommandResult = { status: 0, stdout: "", stderr: "" };

/** Runs one of the programs that show firewalld and its files. */
export function runFirewalldProgram(firewalld: Firewalld, command: Command): FirewalldRun {
  const { program, args, stdin = "" } = command;
  const { files } = firewalld;
  const paths = args.filter((arg) => arg.startsWith("/etc/"));
  const [path = ""] = paths;
  switch (program) {
    case "busctl":
      return runBusctl(firewalld, args);
    // The files are the same; only firewall-cmd wants to be answered.
    case "firewall-offline-cmd": {
      const run = runFirewallCmd({ ...firewalld, running: true }, ["--permanent", ...args]);
      return { ...run, firewalld: { ...run.firewalld, running: firewalld.running } };
    }
    case "firewall-cmd":
      return runFirewallCmd(firewalld, args);
    case "cat": {
      const text = files.get(path);
      const missing = `cat: ${path}: No such file or directory\n`;
      const result = text === undefined
        ? { ...DONE, status: 1, stderr: missing }
        : { ...DONE, stdout: text };
      return { firewalld, result };
    }
    case "install":
      return {
        firewalld: { ...firewalld, files: new Map([...files, [path, stdin]]) },
        result: DONE,
      };
    case "rm": {
      const left = new Map([...files].filter(([one]) => !paths.includes(one)));
      return { firewalld: { ...firewalld, files: left }, result: DONE };
    }
    default:
      throw new Error(`No model for ${program}`);
  }
}

/** `--permanent --zone=ZONE --VERB-interface=NAME…`: files change, and nothing at run time. */
function runFirewallCmd(firewalld: Firewalld, args: readonly string[]): FirewalldRun {
  const refused = (status: number, stderr: string): FirewalldRun => ({
    firewalld,
    result: { status, stdout: "", stderr: `${stderr}\n` },
  });
  const [permanent = "", option = "", ...changes] = args;
  const zone = option.replace(/^--zone=/, "");
  const wanted = changes.map((change) => /^--(change|remove)-interface=(.+)$/.exec(change));
  if (permanent !== "--permanent" || zone === option || wanted.length === 0) {
    throw new Error(`No model for firewall-cmd ${args.join(" ")}`);
  }
  if (!firewalld.running) return refused(252, "FirewallD is not running");
  const isThere = firewalld.stock.includes(zone) || firewalld.files.has(pathOfZone(zone));
  if (!isThere) return refused(112, `Error: INVALID_ZONE: ${zone}`);
  let now = firewalld;
  let warnings = "";
  for (const change of wanted) {
    if (change === null) throw new Error(`No model for firewall-cmd ${args.join(" ")}`);
    const [, verb, name = ""] = change;
    if (verb === "change") now = withPermanent(withoutPermanent(now, name), name, zone);
    else if (permanentZone(now, name) === zone) now = withoutPermanent(now, name);
    else warnings += `Warning: NOT_ENABLED: ${name}\n`;
  }
  return { firewalld: now, result: { ...DONE, stdout: "success\n", stderr: warnings } };
}

function pathOfZone(zone: string): string {
  return `/etc/firewalld/zones/${zone}.xml`;
}

/** The zone that files put the interface into. */
export function permanentZone({ files, permanent }: Firewalld, name: string): string | undefined {
  return permanent.get(name) ??
    objectsIn(files).find(({ interfaces }) => interfaces.includes(name))?.name;
}

function withPermanent(firewalld: Firewalld, name: string, zone: string): Firewalld {
  const { files, permanent } = firewalld;
  const path = pathOfZone(zone);
  const text = files.get(path);
  if (text === undefined) return { ...firewalld, permanent: new Map([...permanent, [name, zone]]) };
  const line = `  <interface name="${name}"/>\n`;
  return {
    ...firewalld,
    files: new Map([...files, [path, text.replace("</zone>", `${line}</zone>`)]]),
  };
}

/** firewall-cmd takes an interface out of whatever zone has it, also where the file is ours. */
function withoutPermanent(firewalld: Firewalld, name: string): Firewalld {
  const line = `  <interface name="${name}"/>\n`;
  return {
    ...firewalld,
    permanent: new Map([...firewalld.permanent].filter(([one]) => one !== name)),
    files: new Map([...firewalld.files].map(([path, text]) => [path, text.replace(line, "")])),
  };
}
