/** A zone of firewalld for an uplink alone, which a network with a forward device needs there. */
import type { Bridgewall } from "./bridgewall.ts";

/** Makes one and puts the uplink into it, as an administrator would; nothing where there is no firewalld. */
export async function giveZone({ firewalld }: Bridgewall, device: string): Promise<void> {
  if (firewalld === undefined) return;
  await firewalld.command("--permanent", "--new-zone=uplink");
  await firewalld.command("--permanent", "--zone=uplink", `--change-interface=${device}`);
  await firewalld.command("--reload");
}
