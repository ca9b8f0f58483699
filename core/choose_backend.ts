/** Which backend makes the policies true. */
import { type FirewallBackend, NoBackendError } from "./firewall_backend.ts";
import type { Host } from "./host.ts";
import { quoted } from "./quoted.ts";

/**
 * The backend that was asked for, else the most preferred one.
 *
 * Nothing is asked of the host here: a backend that cannot be used says so when it is, and then
 * {@linkcode explainUnusable} tells why. That saves every command a question.
 *
 * @throws {NoBackendError} When there is no backend of that name.
 */
export function chooseBackend(
  backends: readonly FirewallBackend[],
  asked: string | undefined,
): FirewallBackend {
  const chosen = asked === undefined ? backends[0] : backends.find(({ name }) => name === asked);
  if (chosen !== undefined) return chosen;
  const names = backends.map(({ name }) => `\`${name}\``).join(", ");
  throw new NoBackendError(
    `Cannot use the backend ${quoted(asked ?? "")}: this program has no such backend`,
    `Choose one of ${names}`,
  );
}

/**
 * Asks all backends whether they could be used, after the chosen one has failed.
 *
 * @returns The error to show instead, when the reason is that this host cannot use the backend.
 */
export async function explainUnusable(
  backends: readonly FirewallBackend[],
  chosen: FirewallBackend,
  host: Host,
): Promise<NoBackendError | undefined> {
  const detection = await chosen.detect(host);
  if (detection.usable) return undefined;
  const evidence = await Promise.all(
    backends.map(async (backend) => `  ${backend.name}: ${(await backend.detect(host)).evidence}`),
  );
  return new NoBackendError(
    [`Cannot use the backend "${chosen.name}" on this host`, ...evidence].join("\n"),
    detection.hint ?? "See `bridgewall backends`",
  );
}
