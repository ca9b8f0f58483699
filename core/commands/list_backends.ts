/** `bridgewall backends`: which backends this host can use, and why not the others. */
import type { CommandOutput, Context } from "./context.ts";
import { table } from "./table.ts";

/** Exit code 4 when none can be used, or not the one that was asked for. */
export async function listBackends(context: Context): Promise<CommandOutput> {
  const { backends, host, options: { backend: asked } } = context;
  const detections = await Promise.all(backends.map(async (backend) => ({
    name: backend.name,
    ...await backend.detect(host),
  })));
  const chosen = detections.find(({ name, usable }) =>
    usable && (asked === undefined || asked === name)
  )?.name;
  return {
    text: [
      ...table([
        ["BACKEND", "USABLE", "EVIDENCE"],
        ...detections.map(({ name, usable, evidence }) => [
          name,
          usable ? (name === chosen ? "yes, chosen" : "yes") : name === asked ? "no, asked" : "no",
          evidence,
        ]),
      ]),
      ...detections.flatMap(({ name, hint }) => hint === undefined ? [] : ["", `${name}: ${hint}`]),
    ],
    json: { chosen: chosen ?? null, asked: asked ?? null, backends: detections },
    exitCode: chosen === undefined ? 4 : 0,
  };
}
