/** What is remembered of an active network. */
import type { XmlElement } from "@std/xml";
import type { RemovalGroup } from "../change/change.ts";

/** How far a change has come. */
export type RecordState =
  /** The rules stand as the record says. */
  | "active"
  /** The rules are being installed: they may stand, or those of `previous` may. */
  | "applying"
  /** The rules are being removed: they may stand, or be gone. */
  | "removing";

/** Rules of a backend that this host could no longer run when the network moved away from it. */
export interface Leftover {
  /** The backend that made them. */
  readonly backend: string;
  /** Tried again with each change of the network. */
  readonly removal: readonly RemovalGroup[];
}

/** The definition and the way back of one installation. */
export interface Installation {
  /**
   * The live `<network>`, with the name of its bridge filled in; or `<masquerade>`, for the prefixes of no
   * network.
   */
  readonly network: XmlElement;
  /** The backend that holds the rules; absent when the network has none (mode `open`). */
  readonly backend?: string;
  /** The way back as it was compiled; empty when the network has no rules. */
  readonly removal: readonly RemovalGroup[];
  /** What an earlier installation left behind; absent: nothing. */
  readonly left?: readonly Leftover[];
}

/** The status of one network. */
export interface Record extends Installation {
  /** The network's name: one record for each. That of the prefixes is no network's. */
  readonly name: string;
  /** With the lock held, anything but `active` means that a command was interrupted. */
  readonly state: RecordState;
  /** What stood before, while `state` is `applying` and something did. */
  readonly previous?: Installation;
}

/** What may stand of a network, or a part of each: an interrupted change leaves two. */
export function installationsOf(record: Record): readonly Installation[] {
  return record.previous === undefined ? [record] : [record, record.previous];
}

/** A record that cannot be trusted or understood. Exit code 1. */
export class RecordError extends Error {
  /** Shown before the message when nobody catches the error. */
  override readonly name = "RecordError";
  /** What to do about the record; undefined when there is no one thing to say. */
  readonly hint: string | undefined;

  /** Takes the message as it is printed: capital first letter, no final period. */
  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}
