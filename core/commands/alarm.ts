/** Rings a bell after a while. */
import type { Host } from "../host.ts";
import type { Bell } from "./follow_signs.ts";

/** One time at which the bell rings; setting it again forgets the one before. */
export interface Alarm {
  /** In so many milliseconds. */
  in(milliseconds: number): void;
}

/**
 * An alarm that is not set.
 *
 * @param end Forgets it.
 */
export function makeAlarm(host: Host, bell: Bell, end: AbortSignal): Alarm {
  let forgetting = new AbortController();
  return {
    in: (milliseconds) => {
      forgetting.abort();
      forgetting = new AbortController();
      const { signal } = forgetting;
      const forget = (): void => forgetting.abort();
      end.addEventListener("abort", forget, { once: true });
      void host.pause(milliseconds, signal).then(() => {
        end.removeEventListener("abort", forget);
        if (!signal.aborted && !end.aborted) bell.ring();
      });
    },
  };
}

/** Pauses that become longer each time, in milliseconds. */
export interface Backoff {
  /** The next one. */
  next(): number;
  /** From now on they are short again. */
  reset(): void;
}

/** The first is `first`, each other one twice the one before, none longer than `longest`. */
export function makeBackoff(first: number, longest: number): Backoff {
  let pause = first;
  return {
    next: () => {
      const now = pause;
      pause = Math.min(2 * pause, longest);
      return now;
    },
    reset: () => {
      pause = first;
    },
  };
}
