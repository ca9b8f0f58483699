/** The plug that every firewall fits. Its shape belongs to the wall, so it stands in `core/`. */
import type { Family } from "./address.ts";
import type { Change } from "./change/change.ts";
import type { Command, CommandResult } from "./command.ts";
import type { Host, HostFacts, Platform } from "./host.ts";
import type { CompiledPolicy, FilteredPolicy } from "./policy/policy.ts";
import { quoted } from "./quoted.ts";
import type { Installation, Record } from "./record/record.ts";
import type { Sign } from "./sign.ts";

/** The backends there are, in libvirt's words where libvirt has them. */
export const BACKEND_NAMES = ["firewalld", "nftables", "iptables", "pf"] as const;

/** One of {@linkcode BACKEND_NAMES}. */
export type BackendName = (typeof BACKEND_NAMES)[number];

/** What programs said that a backend had asked, see {@linkcode FirewallBackend.questions}. */
export interface Answers {
  /** Undefined when nobody asked: a host that is only imagined. */
  to(question: Command): CommandResult | undefined;
}

/** What is known of a network before there is a policy: enough to ask about it. */
export interface WantedNetwork {
  /** The network's name. */
  readonly name: string;
  /** Absent when its name is still to be found. */
  readonly bridge?: string;
  /** The firewalld zone that the definition asks for. */
  readonly zone?: string;
  /** Families whose destinations are translated, or (for prefixes of no network) whose sources. */
  readonly publishes?: readonly Family[];
}

/** What a backend may know while it compiles. */
export interface Facts {
  /** Only what the command asked for is filled in. */
  readonly host: HostFacts;
  /** The networks that are active now and, where all is made anew, whatever else may stand in part. */
  readonly records: readonly Installation[];
  /** What is installed already when the commands run: nothing when all is made anew. */
  readonly standing: readonly Installation[];
  /** To the backend's own questions. */
  readonly answers: Answers;
  /**
   * By network: installations to be made once more as they were, by the same programs, whatever the
   * host would use now. Absent: none.
   */
  readonly again?: ReadonlyMap<string, Installation>;
  /** By network: what is true for it now, where it could be adjusted instead of made anew. Absent: none. */
  readonly before?: ReadonlyMap<string, CompiledPolicy>;
}

/** A network whose rules a backend holds, or the prefixes of no network. */
export interface InstalledPolicy {
  /** What must be true for it. */
  readonly policy: CompiledPolicy;
  /** The way back as it was recorded: it tells which parts were installed, and by which program. */
  readonly removal: Installation["removal"];
}

/** Whether this host can use a backend, and how we know. */
export interface Detection {
  /** True when policies can be made true with it as the host is now. */
  readonly usable: boolean;
  /** One line: what was asked and what it answered. */
  readonly evidence: string;
  /** What to type to make it usable, when there is one thing to say. */
  readonly hint?: string;
}

/** One difference between the live ruleset and what the records promise. */
export interface Drift {
  /** The network it concerns; absent when it concerns all of them. */
  readonly network?: string;
  /** A sentence without a period: `Rule 2 of chain "from-virbr0" is missing: …`. */
  readonly difference: string;
}

/** Packets and bytes since the network was brought up. */
export interface Traffic {
  /** IPv4 and IPv6 together. */
  readonly packets: number;
  /** With the IP headers, without those of the link. */
  readonly bytes: number;
}

/** Both together. */
export function addTraffic(one: Traffic, other: Traffic): Traffic {
  return { packets: one.packets + other.packets, bytes: one.bytes + other.bytes };
}

/** What is live for one network. */
export interface NetworkInspection {
  /** The network's name, as in its policy. */
  readonly network: string;
  /** From guests to beyond their bridge, the other way, and what was rejected. */
  readonly traffic?: { readonly out: Traffic; readonly in: Traffic; readonly rejected: Traffic };
  /**
   * What each published port (by `formatSpec`) or prefix (by `formatSubnet`) has carried; absent, or
   * without an entry: not counted.
   */
  readonly counted?: ReadonlyMap<string, Traffic>;
}

/** What is live, compared with what should be. */
export interface Inspection {
  /** One for each network, in the order given, also when none of its rules is left. */
  readonly networks: readonly NetworkInspection[];
  /** Empty when all is as it should be. */
  readonly drift: readonly Drift[];
}

/** One way of making policies true. */
export interface FirewallBackend {
  /** What `--backend`, `firewall_backend` and the records call it. */
  readonly name: BackendName;
  /** The only one it works on: a plan for another machine begins with it. */
  readonly platform: Platform;
  /** Asks only for itself; who else could do the job is no concern of a backend. */
  detect(host: Host): Promise<Detection>;
  /**
   * What `compile` has to know beyond the host's facts, as commands that change nothing.
   *
   * @param records Networks on record; they matter only where all is made anew.
   * @param rebuilding True when everything that is there will have to be taken away unseen.
   * @param networks Those that will be compiled; absent: all on record.
   */
  questions(
    records: readonly Record[],
    rebuilding: boolean,
    networks?: readonly WantedNetwork[],
  ): readonly Command[];
  /**
   * Pure: the same policies and facts give the same change.
   *
   * @throws {UnsupportedNetworkError} When this firewall cannot say what a policy asks for.
   */
  compile(policies: readonly CompiledPolicy[], facts: Facts): Change;
  /**
   * Compares what is live with what these networks should have; changes nothing.
   *
   * @throws {HostError} When the firewall does not answer.
   */
  inspect(host: Host, installed: readonly InstalledPolicy[]): Promise<Inspection>;
  /**
   * How to notice, without asking all the time, that what stands for these networks may have changed.
   *
   * @param records Those that this backend holds: one at least.
   */
  signs(records: readonly Record[]): readonly Sign[];
}

/** Zones are firewalld's; what it does with the bridge decides there, whatever is said here. */
export function zoneWarnings(
  { network, zone }: FilteredPolicy,
  backend: BackendName,
): readonly string[] {
  return zone === undefined ? [] : [
    `The zone ${quoted(zone)} of network ${quoted(network)} means nothing to the ${backend} ` +
    "backend: no zone is set",
  ];
}

/** A network that a backend cannot express. Exit code 4. */
export class UnsupportedNetworkError extends RangeError {
  /** Shown before the message when nobody catches the error. */
  override readonly name = "UnsupportedNetworkError";
  /** What to write in the definition instead; undefined when nothing would do. */
  readonly hint: string | undefined;

  /** Takes the message as it is printed: capital first letter, no final period. */
  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}

/** No backend can be used, or not the one that was asked for. Exit code 4. */
export class NoBackendError extends Error {
  /** Shown before the message when nobody catches the error. */
  override readonly name = "NoBackendError";
  /** What to choose or to install, or which command tells. */
  readonly hint: string | undefined;

  /** Takes the message as it is printed: capital first letter, no final period. */
  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}
