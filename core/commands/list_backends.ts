/** `bridgewall backends`: which backends this host can use, and why not the others. */
import type { CommandOutput, Context } from "./context.ts";
import { table } from "./status.ts";

/** Exit code 4 when there is none. */
export async function listBackends({ backends, host }: Context): Promise<CommandOutput> {
  const detections = await Promise.all(backends.map(async (backend) => ({
    name: backend.name,
    ...await backend.detect(host),
  })));
  const chosen = detections.find(({ usable }) => usable)?.name;
  return {
    text: table([
      ["BACKEND", "USABLE", "EVIDENCE"],
      ...detections.map(({ name, usable, evidence }) => [
        name,
        usable ? (name === chosen ? "yes, chosen" : "yes") : "no",
        evidence,
      ]),
    ]),
    json: { chosen: chosen ?? null, backends: detections },
    exitCode: chosen === undefined ? 4 : 0,
  };
}
