/** The one list of commands and options: it feeds the parser, the help and the completions. */
import { BACKEND_NAMES } from "../firewall_backend.ts";

/** An option, written `--name` or `--name VALUE`. */
export interface OptionEntry {
  /** Without the dashes, such as `state-dir`. */
  readonly name: string;
  /** What the value stands for; absent: the option has none. */
  readonly value?: string;
  /** All values that there are; absent: any. */
  readonly choices?: readonly string[];
  /** What it does, as a line of the help: no capital, no period. */
  readonly help: string;
}

/** A command. */
export interface CommandEntry {
  /** What is typed, and what the help lists. */
  readonly name: CommandName;
  /** What stands after the name, for the usage line. */
  readonly operands: string;
  /** What can stand there. */
  readonly operandKind: OperandKind;
  /** What it does, as a line of the help: no capital, no period. */
  readonly summary: string;
  /** Paragraphs for `bridgewall help COMMAND`. */
  readonly details: readonly string[];
  /** Its own; {@linkcode GLOBAL_OPTIONS} come on top. */
  readonly options: readonly OptionEntry[];
  /** Whole lines to type, for `bridgewall help COMMAND`. */
  readonly examples: readonly string[];
}

/**
 * Nothing; names and files of definitions; names of networks; one of those and then ports; or one of these
 * words, and then whatever it takes.
 */
export type OperandKind =
  | "nothing"
  | "definitions"
  | "networks"
  | "a network and ports"
  | readonly string[];

/** The words after `bridgewall`. */
export type CommandName =
  | "up"
  | "down"
  | "reload"
  | "plan"
  | "status"
  | "check"
  | "watch"
  | "publish"
  | "unpublish"
  | "masquerade"
  | "backends"
  | "import"
  | "hook"
  | "completions";

/** The shells that can be told what may be typed. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

const ALL: OptionEntry = { name: "all", help: "take all networks" };

/** Options that every command takes. */
export const GLOBAL_OPTIONS: readonly OptionEntry[] = [
  {
    name: "backend",
    value: "NAME",
    choices: BACKEND_NAMES,
    help: "firewalld, nftables, iptables or pf; without it the first usable one",
  },
  { name: "config", value: "FILE", help: "read this configuration; networks/ stands beside it" },
  {
    name: "state-dir",
    value: "DIR",
    help: "keep records here, not in /run or /var/run/bridgewall",
  },
  { name: "wait", value: "SECONDS", help: "wait so long for another command to finish (30)" },
  { name: "no-sysctl", help: "leave the kernel's forwarding settings alone" },
  { name: "json", help: "print the result as JSON" },
  { name: "quiet", help: "say nothing but errors and warnings" },
  { name: "verbose", help: "show every command that is run, with its script" },
  { name: "no-color", help: "print without colour, as NO_COLOR does" },
  { name: "version", help: "print the version" },
  { name: "help", help: "explain a command" },
];

const NETWORK_HELP = "A NETWORK is a name from the configuration directory (networks/NAME.xml), " +
  "a file that ends in .xml or has a slash in it, or - for standard input.";

const ACTIVE_HELP = "A NETWORK is the name of an active network, or the file of its definition.";

/** All commands, in the order of the help. */
export const COMMANDS: readonly CommandEntry[] = [
  {
    name: "up",
    operands: "NETWORK...",
    operandKind: "definitions",
    summary: "install the firewall of networks",
    details: [
      NETWORK_HELP,
      "All networks of one command come up in one transaction: all or none. A network that is " +
      "active already is refreshed, with no moment without rules. Nothing is changed when a " +
      "definition is wrong, or when its addresses are in use by another network or route.",
    ],
    options: [{ ...ALL, help: "all networks of the configuration directory" }],
    examples: ["bridgewall up default", "bridgewall up lan.xml lab.xml"],
  },
  {
    name: "down",
    operands: "NETWORK...",
    operandKind: "networks",
    summary: "take it back, from the record",
    details: [ACTIVE_HELP, "A network that is not active is no error."],
    options: [{ ...ALL, help: "all active networks" }],
    examples: ["bridgewall down default", "bridgewall down --all"],
  },
  {
    name: "reload",
    operands: "[NETWORK...]",
    operandKind: "networks",
    summary: "remove and install again in one step",
    details: [
      ACTIVE_HELP + " Without one, all active networks are meant.",
      "Works from the records. A definition that was edited takes effect with `bridgewall up`.",
      "Networks move to the backend that is chosen now: the new rules stand before the old ones " +
      "go, and connections go on.",
    ],
    options: [{ ...ALL, help: "all active networks" }],
    examples: ["bridgewall reload", "bridgewall reload --backend iptables"],
  },
  {
    name: "plan",
    operands: "NETWORK...",
    operandKind: "definitions",
    summary: "print what up would run; needs no root, changes nothing",
    details: [
      NETWORK_HELP,
      "Prints the scripts as they would be given to nft, iptables-restore or pfctl; other commands " +
      "stand in comments.",
      "With `--platform`, or a backend that does not work on this machine, the plan is for another " +
      "machine on which nothing has been done yet.",
    ],
    options: [
      { ...ALL, help: "all networks of the configuration directory" },
      { name: "explain", help: "say in sentences what the networks may do" },
      {
        name: "platform",
        value: "NAME",
        choices: ["linux", "freebsd"],
        help: "plan for a machine that runs linux or freebsd",
      },
      {
        name: "default-interface",
        value: "NAME",
        help: "take this for the interface of the default route",
      },
    ],
    examples: [
      "bridgewall plan lan.xml",
      "bridgewall plan --explain default",
      "bridgewall plan --platform freebsd --default-interface em0 lan.xml",
    ],
  },
  {
    name: "status",
    operands: "[NETWORK...]",
    operandKind: "networks",
    summary: "show the active networks and their traffic",
    details: [ACTIVE_HELP + " Without one, all are shown."],
    options: [{ ...ALL, help: "all active networks" }],
    examples: ["bridgewall status", "bridgewall status --json default"],
  },
  {
    name: "check",
    operands: "[NETWORK...]",
    operandKind: "networks",
    summary: "compare the live ruleset with the records; exit 3 on drift",
    details: [ACTIVE_HELP + " Without one, all are checked.", "Every difference is named."],
    options: [{ ...ALL, help: "all active networks" }],
    examples: ["bridgewall check", "bridgewall check default || bridgewall reload default"],
  },
  {
    name: "watch",
    operands: "",
    operandKind: "nothing",
    summary: "stay, and put back what somebody removes",
    details: [
      "Notices within a second that rules of active networks were removed or changed, and makes them " +
      "as the records say, in one step. Each event is a line, with `--json` an object in a line. " +
      "When somebody removes them again and again there are pauses of up to a second.",
      "SIGTERM and SIGINT end it, and the rules stay. SIGHUP makes it read the configuration again.",
    ],
    options: [],
    examples: ["bridgewall watch", "bridgewall watch --json"],
  },
  {
    name: "publish",
    operands: "NETWORK SPEC...",
    operandKind: "a network and ports",
    summary: "lead ports of the host to guests of an active network",
    details: [
      "A SPEC is [HOST-ADDRESS:]PORT[-PORT]:GUEST-ADDRESS[:PORT]/tcp, or /udp or /sctp: without " +
      "HOST-ADDRESS on every address of the host, without the last PORT the same as on the host. " +
      "IPv6 addresses stand in brackets.",
      "A port that leads to a guest already is sent to the new one in one step. It stays published " +
      "until `unpublish` or `down`; in the definition, <bridgewall:publish> does it for good.",
    ],
    options: [{ name: "localhost", help: "on 127.0.0.1 as well, for the host itself" }],
    examples: [
      "bridgewall publish default 8080:192.168.122.10:80/tcp",
      "bridgewall publish default 192.0.2.1:5000-5010:192.168.122.10/udp",
    ],
  },
  {
    name: "unpublish",
    operands: "NETWORK SPEC...",
    operandKind: "a network and ports",
    summary: "take published ports back",
    details: [
      "A SPEC is what `publish` takes, or its beginning: [HOST-ADDRESS:]PORT[-PORT]/tcp. " +
      "A port that is not published is no error.",
    ],
    options: [],
    examples: [
      "bridgewall unpublish default 8080:192.168.122.10:80/tcp",
      "bridgewall unpublish default 8080/tcp",
    ],
  },
  {
    name: "masquerade",
    operands: "add|remove|list [PREFIX...]",
    operandKind: ["add", "remove", "list"],
    summary: "translate what leaves prefixes that belong to no network",
    details: [
      "For containers, VPNs and whatever else is behind this host without a definition. Packets " +
      "that leave a PREFIX get the host's address; nothing is let through or stopped.",
      "Prefixes may lie inside one another: each stays until it is removed itself.",
    ],
    options: [],
    examples: [
      "bridgewall masquerade add 10.0.3.0/24 fd00:3::/64",
      "bridgewall masquerade remove 10.0.3.0/24",
      "bridgewall masquerade list --json",
    ],
  },
  {
    name: "backends",
    operands: "",
    operandKind: "nothing",
    summary: "list the backends this host can use, and why no others",
    details: [],
    options: [],
    examples: ["bridgewall backends --json"],
  },
  {
    name: "import",
    operands: "libvirt [NETWORK]",
    operandKind: ["libvirt"],
    summary: "show whose firewall libvirt's networks have",
    details: [
      "Without NETWORK lists the networks that libvirt defines. libvirt makes rules for those in modes " +
      "nat and route and for isolated ones, for those in mode open none.",
      "With one prints its definition in mode open: libvirt goes on to make the bridge, DHCP and DNS, and " +
      "<bridgewall:forward> in its <metadata> says what the firewall is to be. Changes nothing.",
    ],
    options: [],
    examples: [
      "bridgewall import libvirt",
      "bridgewall import libvirt default > default.xml && virsh net-define default.xml",
    ],
  },
  {
    name: "hook",
    operands: "network|daemon NAME OPERATION...",
    operandKind: ["network", "daemon"],
    summary: "do what libvirt's hooks are for; they call it, not you",
    details: [
      "For the hook of networks, which libvirt gives the definition on standard input: brings up the firewall " +
      "of a network in mode open that has <bridgewall:forward> in its <metadata> when it is started or " +
      "updated, and takes it back when it is stopped. For the hook of the daemon: brings up all that are " +
      "active when it starts. Whatever else happens to networks is not its business.",
    ],
    options: [],
    examples: ["bridgewall hook network default started begin - < hook-data.xml"],
  },
  {
    name: "completions",
    operands: "bash|zsh|fish",
    operandKind: SHELLS,
    summary: "print what makes a shell complete these words",
    details: [
      "Packages bring it along. By hand: for bash into /usr/share/bash-completion/completions/bridgewall, " +
      "for zsh into _bridgewall in a directory of $fpath, for fish into " +
      "~/.config/fish/completions/bridgewall.fish.",
    ],
    options: [],
    examples: ["bridgewall completions bash > /usr/share/bash-completion/completions/bridgewall"],
  },
];

/** Meaning of the exit codes, for the help. */
export const EXIT_CODES: readonly (readonly [code: number, meaning: string])[] = [
  [0, "done, or already so"],
  [1, "the operation failed; nothing is left half-done"],
  [2, "wrong use, or a definition that is not valid"],
  [3, "drift found (check)"],
  [4, "no usable backend, or this backend cannot express the network"],
];
