/** What the program asks of the machine it runs on. Every effect of a command comes through here. */
import type { Family, Subnet } from "./address.ts";
import type { Command, CommandRunner } from "./command.ts";
import type { Record } from "./record/record.ts";

/** Where the records of active networks live. Needs the lock for everything but `readAll`. */
export interface RecordStore {
  /** The directory, for messages. */
  readonly directory: string;
  /**
   * All records, sorted by network name.
   *
   * @throws {RecordError} When a record is damaged, or others may write where records live.
   */
  readAll(): Promise<readonly Record[]>;
  /** Writes one record and sees it on the disk before it returns. */
  write(record: Record): Promise<void>;
  /** Removes one record; one that is gone is no error. */
  remove(network: string): Promise<void>;
  /**
   * Waits until no other command changes this host.
   *
   * @param seconds How long to wait at most.
   * @param onWait Called once when the lock is not free.
   * @throws {LockError} When the time is over.
   */
  lock(seconds: number, onWait: () => void): Promise<Disposable>;
  /**
   * Gives something whenever a record was written or removed; ends when the signal is given.
   *
   * @throws {RecordError} When nobody can tell.
   */
  changes(end: AbortSignal): AsyncIterable<unknown>;
}

/** One entry of the host's main routing table. */
export interface HostRoute {
  /** `0.0.0.0/0` or `::/0` for a default route. */
  readonly destination: Subnet;
  /** The interface; absent for a route without one. */
  readonly device?: string;
}

/** An interface whose IPv6 routes came from a router's advertisement. */
export interface AdvertisedInterface {
  /** The interface name, such as `eth0`. */
  readonly device: string;
  /**
   * Linux's `accept_ra`: 1 means not while the host forwards. On FreeBSD 1 too, where
   * `net.inet6.ip6.rfc6204w3` is 0, else 2.
   */
  readonly acceptRa: number;
}

/** The kinds of machine. `other`: no firewall can be changed there, but a plan can be made. */
export type Platform = "linux" | "freebsd" | "other";

/** What the machine looks like before a change. */
export interface HostFacts extends AskedFacts {
  /** Decides how the kernel's own settings are called. */
  readonly platform: Platform;
  /** The kernel's release, such as `6.1.0-18-amd64`; absent when the host is only imagined. */
  readonly kernel?: string;
}

/** What a machine is asked for through its own programs. */
export interface AskedFacts {
  /** The names of all network interfaces. */
  readonly interfaces: readonly string[];
  /** Those that lead somewhere: no `blackhole`, no `unreachable`. */
  readonly routes: readonly HostRoute[];
  /** True where the kernel forwards packets of that family already. */
  readonly forwarding: Readonly<{ [family in Family]: boolean }>;
  /** Interfaces that may lose their routes once the host forwards IPv6. */
  readonly advertised: readonly AdvertisedInterface[];
  /** Interfaces that have the queueing discipline `clsact`. */
  readonly clsact: readonly string[];
}

/** Which facts are needed: asking costs a program each. What is not asked for is empty. */
export interface FactsWanted {
  /** Needed to generate bridge names, and to repair DHCP checksums. */
  readonly interfaces: boolean;
  /** Needed to repair DHCP checksums without taking somebody else's queue. */
  readonly clsact: boolean;
  /** Needed by every mode that lets guests out of their bridge. */
  readonly forwarding: boolean;
  /** The families whose routes are needed; IPv6 includes what routers advertised. */
  readonly routes: readonly Family[];
}

/** A machine. */
export interface Host extends CommandRunner {
  /** Decides which backends there are and where things stand. */
  readonly platform: Platform;
  /** The kernel's release, such as `6.1.0-18-amd64`. */
  readonly kernel: string;
  /** True when the user may change the firewall. */
  readonly privileged: boolean;
  /** What is remembered of the active networks; gone at boot, as the rules are. */
  readonly records: RecordStore;
  /**
   * Asks the machine, each time anew.
   *
   * @throws {HostError} When it does not answer.
   */
  facts(wanted: FactsWanted): Promise<HostFacts>;
  /**
   * Runs a program that goes on, and gives its lines as they come. Ends with the program, which ends when
   * the signal is given; also where there is no such program.
   */
  follow(command: Command, end: AbortSignal): AsyncIterable<string>;
  /** Lets so many milliseconds go by, in which others on the machine get on; fewer when the signal is given. */
  pause(milliseconds: number, end?: AbortSignal): Promise<void>;
  /** Milliseconds of a clock that nobody sets: they only tell how long something took. */
  now(): number;
  /** The time of day. */
  date(): Date;
  /** Nothing is to be done for a while: what is not needed any more is given back. */
  rest(): Promise<void>;
}

/** The machine, or the way it is asked, is not as it must be. Exit code 1. */
export class HostError extends Error {
  /** Shown before the message when nobody catches the error. */
  override readonly name = "HostError";
  /** What to type to put it right; undefined when there is no one thing to say. */
  readonly hint: string | undefined;

  /** Takes the message as it is printed: capital first letter, no final period. */
  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}

/** Another command holds the lock. Exit code 1. */
export class LockError extends HostError {}
