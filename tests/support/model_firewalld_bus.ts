/** What busctl(1) shows of firewalld in memory: calls and answers as with `--json=short`. */
import type { LoadedObject, Settings } from "./firewalld_objects.ts";
import { objectsIn } from "./firewalld_objects.ts";
import {
  type Firewalld,
  type FirewalldRun,
  load,
  permanentZone,
  problemOfFiles,
} from "./model_firewalld.ts";

const NAME = "org.fedoraproject.FirewallD1";

/** Runs busctl with these words. */
export function runBusctl(firewalld: Firewalld, args: readonly string[]): FirewalldRun {
  const [verb = "", name = "", , part = "", method = "", , ...words] = args
    .filter((arg) => !/^--(json|auto-start|timeout)=/.test(arg));
  if (name !== NAME || !part.startsWith(NAME)) throw new Error(`No model for ${args.join(" ")}`);
  if (!firewalld.running) return { firewalld, result: failure(absence(verb, method, part)) };
  if (verb === "get-property") {
    const value = PROPERTIES[method];
    if (value === undefined) throw new Error(`No model for ${args.join(" ")}`);
    return printed(firewalld, "s", value);
  }
  const run = CALLS[`${part.slice(NAME.length)}.${method}`];
  if (run === undefined) throw new Error(`No model for ${args.join(" ")}`);
  return run(firewalld, words);
}

const PROPERTIES: Readonly<Record<string, string>> = {
  state: "RUNNING",
  version: "1.3.3",
  FirewallBackend: "nftables",
};

/** busctl 252 words it in two ways. */
function absence(verb: string, method: string, part: string): string {
  return verb === "call"
    ? `Call failed: Name "${NAME}" does not exist`
    : `Failed to get property ${method} on interface ${part}: ` +
      `The name ${NAME} was not provided by any .service files`;
}

function failure(stderr: string): FirewalldRun["result"] {
  return { status: 1, stdout: "", stderr: `${stderr}\n` };
}

function refused(firewalld: Firewalld, why: string): FirewalldRun {
  return { firewalld, result: failure(`Call failed: ${why}`) };
}

function printed(firewalld: Firewalld, type: string, data: unknown): FirewalldRun {
  const stdout = `${JSON.stringify({ type, data })}\n`;
  return { firewalld, result: { status: 0, stdout, stderr: "" } };
}

/** A method answers with a list of values, a property with its value. */
function answer(firewalld: Firewalld, type: string, value: unknown): FirewalldRun {
  return printed(firewalld, type, [value]);
}

function text(firewalld: Firewalld, value: string): FirewalldRun {
  return answer(firewalld, "s", value);
}

function nothing(firewalld: Firewalld): FirewalldRun {
  return { firewalld, result: { status: 0, stdout: "", stderr: "" } };
}

type Call = (firewalld: Firewalld, words: readonly string[]) => FirewalldRun;

/** By interface, without the name that all of them begin with, and method. */
const CALLS: Readonly<Record<string, Call>> = {
  ".getDefaultZone": (firewalld) => text(firewalld, "public"),
  ".zone.getZones": (firewalld) => answer(firewalld, "as", zonesOf(firewalld)),
  ".policy.getPolicies": (firewalld) =>
    answer(firewalld, "as", loadedOf(firewalld, "policy").map(({ name }) => name).toSorted()),
  ".zone.getActiveZones": (firewalld) => {
    const active = zonesOf(firewalld).map((zone) => [zone, membersOf(firewalld, zone)] as const)
      .filter(([, interfaces]) => interfaces.length > 0)
      .map(([zone, interfaces]) => [zone, { interfaces }] as const);
    return answer(firewalld, "a{sa{sas}}", Object.fromEntries(active));
  },
  ".zone.getZoneSettings2": (firewalld, [zone = ""]) =>
    zonesOf(firewalld).includes(zone)
      ? answer(firewalld, "a{sv}", zoneSettings(firewalld, zone))
      : refused(firewalld, `INVALID_ZONE: ${zone}`),
  ".policy.getPolicySettings": (firewalld, [policy = ""]) => {
    const found = loadedOf(firewalld, "policy").find(({ name }) => name === policy);
    return found === undefined
      ? refused(firewalld, `INVALID_POLICY: ${policy}`)
      : answer(firewalld, "a{sv}", found.settings);
  },
  ".checkPermanentConfig": (firewalld) => {
    const problem = problemOfFiles(firewalld);
    return problem === undefined ? nothing(firewalld) : refused(firewalld, problem);
  },
  ".reload": (firewalld) => {
    const problem = problemOfFiles(firewalld);
    return problem === undefined ? nothing(load(firewalld)) : refused(firewalld, problem);
  },
  ".zone.changeZoneOfInterface": (firewalld, [zone = "", name = ""]) =>
    zonesOf(firewalld).includes(zone)
      ? text(bind(firewalld, [name], zone), zone)
      : refused(firewalld, `INVALID_ZONE: ${zone}`),
  ".zone.removeInterface": (firewalld, [zone = "", name = ""]) => {
    const found = firewalld.bindings.get(name);
    if (found === undefined) {
      return refused(firewalld, `UNKNOWN_INTERFACE: '${name}' is not in any zone`);
    }
    if (zone !== "" && found !== zone) {
      const what = `remove_interface(${zone}, ${name}): zoi='${found}'`;
      return refused(firewalld, `ZONE_CONFLICT: ${what}`);
    }
    return text(bind(firewalld, [name], undefined), found);
  },
  ".zone.setZoneSettings2": setZoneSettings,
  ".config.getZoneOfInterface": (firewalld, [name = ""]) =>
    text(firewalld, permanentZone(firewalld, name) ?? ""),
};

/** Of what can be set, interfaces: `ZONE 1 interfaces as COUNT NAME…`. */
function setZoneSettings(firewalld: Firewalld, words: readonly string[]): FirewalldRun {
  const [zone = "", count, key, type, length, ...names] = words;
  if (count !== "1" || key !== "interfaces" || type !== "as" || Number(length) !== names.length) {
    throw new Error(`No model for setZoneSettings2 ${words.join(" ")}`);
  }
  if (!zonesOf(firewalld).includes(zone)) return refused(firewalld, `INVALID_ZONE: ${zone}`);
  for (const name of names) {
    const other = firewalld.bindings.get(name);
    if (other !== undefined && other !== zone) {
      const what = `Zone '${zone}': interface '${name}' already bound to zone '${other}'`;
      return refused(firewalld, `INVALID_INTERFACE: ${what}`);
    }
  }
  return nothing(bind(bind(firewalld, membersOf(firewalld, zone), undefined), names, zone));
}

function bind(
  firewalld: Firewalld,
  names: readonly string[],
  zone: string | undefined,
): Firewalld {
  const others = [...firewalld.bindings].filter(([one]) => !names.includes(one));
  const bound = zone === undefined ? [] : names.map((name) => [name, zone] as const);
  return { ...firewalld, bindings: new Map([...others, ...bound]) };
}

function loadedOf({ loaded }: Firewalld, kind: LoadedObject["kind"]): readonly LoadedObject[] {
  return objectsIn(loaded).filter((one) => one.kind === kind);
}

/** The zones at run time, by name. */
function zonesOf(firewalld: Firewalld): readonly string[] {
  return [...firewalld.stock, ...loadedOf(firewalld, "zone").map(({ name }) => name)].toSorted();
}

function membersOf({ bindings }: Firewalld, zone: string): readonly string[] {
  return [...bindings].filter(([, one]) => one === zone).map(([name]) => name);
}

function zoneSettings(firewalld: Firewalld, zone: string): Settings {
  const own = loadedOf(firewalld, "zone").find(({ name }) => name === zone);
  const target = ["libvirt", "libvirt-routed", "trusted"].includes(zone) ? "ACCEPT" : "default";
  const settings: Settings = own?.settings ?? {
    short: { type: "s", data: zone },
    description: { type: "s", data: "One that came with firewalld" },
    target: { type: "s", data: target },
    masquerade: { type: "b", data: false },
    icmp_block_inversion: { type: "b", data: false },
    forward: { type: "b", data: !zone.startsWith("libvirt") },
  };
  const interfaces = membersOf(firewalld, zone);
  return interfaces.length === 0
    ? settings
    : { ...settings, interfaces: { type: "as", data: interfaces } };
}
