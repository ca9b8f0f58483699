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

/** The definition and the way back of one installation. */
export interface Installation {
  /** The live `<network>`, with the name of its bridge filled in. */
  readonly network: XmlElement;
  /** The backend that holds the rules; absent when the network has none (mode `open`). */
  readonly backend?: string;
  readonly removal: readonly RemovalGroup[];
}

/** The status of one network. */
export interface Record extends Installation {
  /** The network's name: one record for each. */
  readonly name: string;
  readonly state: RecordState;
  /** What stood before, while `state` is `applying` and something did. */
  readonly previous?: Installation;
}

/** A record that cannot be trusted or understood. Exit code 1. */
export class RecordError extends Error {
  override readonly name = "RecordError";
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}
