/** How the counters of a network are called. */
import { objectName } from "./script.ts";

/** The names of the counters that `status` reads. */
export function counterNames(
  bridge: string,
): Readonly<Record<"out" | "in" | "rejected", string>> {
  return {
    out: objectName("out", bridge),
    in: objectName("in", bridge),
    rejected: objectName("rejected", bridge),
  };
}
