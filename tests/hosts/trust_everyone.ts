/** A host that lets everything pass by itself: what does not pass is stopped by us. */
import type { Bridgewall } from "./bridgewall.ts";

/** Tells firewalld to accept, and to forward, what comes in by interfaces of no zone; others do so anyway. */
export async function trustEveryone({ firewalld }: Bridgewall): Promise<void> {
  await firewalld?.command("--set-default-zone=trusted");
}
