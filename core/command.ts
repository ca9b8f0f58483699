/** Programs that the host runs for us. */

/**
 * Programs that hold rules: what each is given it takes whole or not at all (iptables: each table
 * whole), so the scripts of many steps are joined into one (pf: of those for one anchor).
 */
export type RuleProgram =
  | "nft"
  | "iptables-nft-restore"
  | "iptables-legacy-restore"
  | "ip6tables-nft-restore"
  | "ip6tables-legacy-restore"
  | "pfctl";

/**
 * What is done to the files from which another program reads its configuration: `cat FILE`, `install -m
 * 0644 /dev/stdin FILE`, `rm -f FILE…`. The platform does it by itself, in the directories it knows.
 */
export type FileProgram = "cat" | "install" | "rm";

/** The programs that may be run on each system. The platform knows where each of them lives. */
export const PROGRAMS = {
  linux: [
    "nft",
    "iptables",
    "iptables-nft-save",
    "iptables-nft-restore",
    "iptables-legacy-save",
    "iptables-legacy-restore",
    "iptables-save",
    "iptables-restore",
    "ip6tables-nft-save",
    "ip6tables-nft-restore",
    "ip6tables-legacy-save",
    "ip6tables-legacy-restore",
    "ip6tables-save",
    "ip6tables-restore",
    "busctl",
    "firewall-cmd",
    "firewall-offline-cmd",
    "conntrack",
    "tc",
    "ip",
    "sysctl",
    "ps",
  ],
  freebsd: ["pfctl", "ifconfig", "netstat", "route", "sysctl", "ps"],
} as const;

/** One of {@linkcode PROGRAMS}, or what stands for one. */
export type Program = (typeof PROGRAMS)["linux" | "freebsd"][number] | FileProgram;

/** One run of a program: arguments and standard input, never a shell. */
export interface Command {
  /** A name, never a path. */
  readonly program: Program;
  /** One word each, without the program itself; nothing expands them. */
  readonly args: readonly string[];
  /** Text for standard input; absent: none. */
  readonly stdin?: string;
}

/** How a program ended. */
export interface CommandResult {
  /** The exit status; 127 when the program is not installed, 126 when it may not be run. */
  readonly status: number;
  /** Decoded as UTF-8; empty when the program was not run. */
  readonly stdout: string;
  /** In English whatever the locale: some failures are recognised by their text. */
  readonly stderr: string;
}

/** Runs programs. Never throws for a program that fails: the result says so. */
export interface CommandRunner {
  /** Resolves when the program has ended and all that it printed is read. */
  run(command: Command): Promise<CommandResult>;
}

/**
 * The first line of what a program said: for messages that have room for one. One that ends in a colon
 * (iptables-nft begins so) goes on in the next.
 */
export function firstLine(output: string): string {
  const [first = "", second = ""] = linesOf(output.trim());
  return /:\s*$/.test(first) && second !== "" ? `${first.trimEnd()} ${second.trim()}` : first;
}

/**
 * What a program said, line by line, without what is no reason for anything: pfctl speaks of ALTQ whatever
 * it is asked, and since FreeBSD 15 of tables whose name another anchor has too, also when all is well.
 */
export function linesOf(output: string): readonly string[] {
  return output.split("\n").filter((line) => !/^(No )?ALTQ |^pfctl: warning: /.test(line));
}
