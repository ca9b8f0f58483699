/** What the programs of a host in memory answer, and what they keep. */
import type { Command, CommandResult, Program } from "../../core/command.ts";
import { runRestore, saveTables, type Tables, type Variant } from "./model_iptables.ts";
import { listFirewalldTable } from "./firewalld_listing.ts";
import { type Firewalld, runFirewalldProgram } from "./model_firewalld.ts";
import { ADDRESS_LIST, type Connections, runConntrack } from "./model_conntrack.ts";
import { type Ruleset, runScript } from "./model_nft.ts";
import { type Anchors, runPfctl } from "./model_pf.ts";

/** The rules of one host, and what it has to work with. */
export interface Machine {
  /** Those of nft. */
  ruleset: Ruleset;
  /** Those of each program of iptables, by the name of its restore. */
  tables: ReadonlyMap<Program, Tables>;
  /** Those of pf. */
  anchors: Anchors;
  /** Zones and policies of firewalld, and their files. */
  firewalld: Firewalld;
  /** Which variant `iptables` is. */
  variant: Variant;
  /** Programs that are not installed. */
  missing: ReadonlySet<Program>;
  /** False on a kernel without IPv6. */
  ipv6: boolean;
  /** Bridges that packets from and to 127.0.0.0/8 may use (`route_localnet`). */
  localRouting: ReadonlySet<string>;
  /** Interfaces with a queue of tc (`clsact`). */
  queues: ReadonlySet<string>;
  /** What the kernel tracks. */
  connections: Connections;
}

const DONE: CommandResult = { status: 0, stdout: "", stderr: "" };

/** Runs one program; what it knows nothing of works and says nothing. */
export function runProgram(machine: Machine, command: Command): CommandResult {
  const { program, args, stdin = "" } = command;
  if (machine.missing.has(program)) {
    return { ...DONE, status: 127, stderr: `${program}: not found` };
  }
  switch (program) {
    case "nft":
      return runNft(machine, args, stdin);
    case "iptables": {
      const variant = machine.variant === "nft" ? "nf_tables" : "legacy";
      return { ...DONE, stdout: `iptables v1.8.9 (${variant})\n` };
    }
    case "iptables-nft-restore":
    case "ip6tables-nft-restore":
      return restore(machine, command, "nft");
    case "iptables-legacy-restore":
    case "ip6tables-legacy-restore":
      return restore(machine, command, "legacy");
    case "iptables-nft-save":
      return save(machine, "iptables-nft-restore");
    case "ip6tables-nft-save":
      return save(machine, "ip6tables-nft-restore");
    case "iptables-legacy-save":
      return save(machine, "iptables-legacy-restore");
    case "ip6tables-legacy-save":
      return save(machine, "ip6tables-legacy-restore");
    case "iptables-save":
    case "ip6tables-save":
      return save(machine, programOf(machine, program));
    case "iptables-restore":
    case "ip6tables-restore":
      return restore(
        machine,
        { ...command, program: programOf(machine, program) },
        machine.variant,
      );
    case "ps":
      return DONE;
    case "sysctl":
      return runSysctl(machine, args);
    case "pfctl": {
      const { anchors, result } = runPfctl(machine.anchors, args, stdin);
      machine.anchors = anchors;
      return result;
    }
    case "busctl":
    case "firewall-cmd":
    case "firewall-offline-cmd":
    case "cat":
    case "install":
    case "rm": {
      const { firewalld, result } = runFirewalldProgram(machine.firewalld, command);
      machine.firewalld = firewalld;
      const reloads = program === "busctl" && args.at(-1) === "reload";
      if (reloads && result.status === 0) emptyTables(machine);
      return result;
    }
    case "conntrack": {
      const { connections, result } = runConntrack(machine.connections, args);
      machine.connections = connections;
      return result;
    }
    case "ip":
      return args.join(" ") === "-o address show" ? { ...DONE, stdout: ADDRESS_LIST } : DONE;
    case "tc":
      machine.queues = queuesAfter(machine.queues, stdin);
      return DONE;
    case "ifconfig":
    case "netstat":
    case "route":
      return DONE;
  }
}

/** `iptables-save` → the restore of the variant that it is. */
function programOf({ variant }: Machine, program: Program): Program {
  return program.startsWith("ip6") ? `ip6tables-${variant}-restore` : `iptables-${variant}-restore`;
}

/** Up to 1.3 a reload of firewalld empties all tables of iptables, whoever filled them. */
function emptyTables(machine: Machine): void {
  const emptied = [programOf(machine, "iptables"), programOf(machine, "ip6tables-save")];
  machine.tables = new Map([...machine.tables].filter(([program]) => !emptied.includes(program)));
}

function queuesAfter(queues: Machine["queues"], script: string): Machine["queues"] {
  const changed = new Set(queues);
  for (const [, verb, device = ""] of script.matchAll(/^qdisc (\w+) dev (\S+) clsact$/gm)) {
    if (verb === "del") changed.delete(device);
    else changed.add(device);
  }
  return changed;
}

function runSysctl(machine: Machine, args: readonly string[]): CommandResult {
  const [, bridge, value] =
    /^-q -w net\/ipv4\/conf\/(\S+)\/route_localnet=([01])$/.exec(args.join(" ")) ?? [];
  if (bridge !== undefined) {
    const others = [...machine.localRouting].filter((one) => one !== bridge);
    machine.localRouting = new Set(value === "1" ? [...others, bridge] : others);
  }
  const [, asked] = /^-n net\/ipv4\/conf\/(\S+)\/route_localnet$/.exec(args.join(" ")) ?? [];
  if (asked !== undefined) {
    return { ...DONE, stdout: machine.localRouting.has(asked) ? "1\n" : "0\n" };
  }
  return args.includes("-n") && machine.ipv6 ? { ...DONE, stdout: "1\n" } : DONE;
}

const NO_TABLE: CommandResult = {
  ...DONE,
  status: 1,
  stderr: "Error: No such file or directory\n",
};

function runNft(machine: Machine, args: readonly string[], script: string): CommandResult {
  if (args[0] === "--version") return { ...DONE, stdout: "nftables v1.0.6\n" };
  if (args.join(" ") === "list table inet firewalld") {
    const stdout = listFirewalldTable(machine.firewalld);
    return stdout === "" ? NO_TABLE : { ...DONE, stdout };
  }
  // What stands no model can list as nft does, but that nothing does.
  if (args.includes("list") && args.includes("table") && machine.ruleset.size === 0) {
    return NO_TABLE;
  }
  // firewalld's own table is what its model says of it.
  if (args[0] !== "-f" || script === "add table inet firewalld\n") return DONE;
  const { ruleset, error } = runScript(machine.ruleset, script);
  machine.ruleset = ruleset;
  return error === undefined ? DONE : { ...DONE, status: 1, stderr: `Error: ${error}` };
}

function restore(
  machine: Machine,
  { program, args, stdin = "" }: Command,
  variant: Variant,
): CommandResult {
  const before = machine.tables.get(program) ?? new Map();
  const { tables, error } = runRestore(before, stdin, variant, args.includes("--test"));
  machine.tables = new Map([...machine.tables, [program, tables]]);
  return error === undefined ? DONE : { ...DONE, status: 1, stderr: error };
}

function save({ tables }: Machine, program: Program): CommandResult {
  return { ...DONE, stdout: saveTables(tables.get(program) ?? new Map()) };
}
