/** Which backend makes the policies true. */
import { type Detection, type FirewallBackend, NoBackendError } from "./firewall_backend.ts";
import type { Host, Platform } from "./host.ts";
import { quoted } from "./quoted.ts";

/**
 * The backend that was asked for, by an option or by the configuration.
 *
 * Nothing is asked of the host here: a backend that cannot be used says so when it is, and then
 * {@linkcode explainUnusable} tells why. It is never replaced by another one.
 *
 * @throws {NoBackendError} When there is no backend of that name.
 */
export function namedBackend(
  backends: readonly FirewallBackend[],
  asked: string,
): FirewallBackend {
  const chosen = backends.find(({ name }) => name === asked);
  if (chosen !== undefined) return chosen;
  throw new NoBackendError(
    `Cannot use the backend ${quoted(asked)}: this program has no such backend`,
    `Choose one of ${namesOf(backends)}`,
  );
}

/**
 * The backend that was asked for, else the most preferred one that this host can use.
 *
 * @throws {NoBackendError} When there is no backend of that name, or none that can be used: then
 * with the evidence of all of them.
 */
export async function chooseBackend(
  backends: readonly FirewallBackend[],
  asked: string | undefined,
  host: Host,
): Promise<FirewallBackend> {
  if (asked !== undefined) return refuseForeign(namedBackend(backends, asked), backends, host);
  const evidence: string[] = [];
  let hint: string | undefined;
  const candidates = backends.filter(({ platform }) => platform === host.platform);
  for (const backend of candidates) {
    const detection = await backend.detect(host);
    if (detection.usable) return backend;
    evidence.push(evidenceLine(backend, detection));
    hint ??= detection.hint;
  }
  throw new NoBackendError(
    ["Cannot use any backend on this host", ...evidence].join("\n"),
    hint ?? MORE,
  );
}

/** What belongs to another system need not be tried to be found missing. */
function refuseForeign(
  chosen: FirewallBackend,
  backends: readonly FirewallBackend[],
  { platform }: Host,
): FirewallBackend {
  if (chosen.platform === platform) return chosen;
  const names = namesOn(backends, platform);
  throw new NoBackendError(
    `Cannot use the backend "${chosen.name}" on this host: it works on ` +
      `${PLATFORM_NAMES[chosen.platform]}, and this is ${PLATFORM_NAMES[platform]}`,
    (names === "" ? "" : `Choose one of ${names}. `) + "`bridgewall plan` can use any",
  );
}

const PLATFORM_NAMES: Readonly<Record<Platform, string>> = {
  linux: "Linux",
  freebsd: "FreeBSD",
  other: "another system",
};

/** The names of the backends that work on such a machine, to be chosen from. */
export function namesOn(backends: readonly FirewallBackend[], wanted: Platform): string {
  return namesOf(backends.filter(({ platform }) => platform === wanted));
}

function namesOf(backends: readonly FirewallBackend[]): string {
  return backends.map(({ name }) => `\`${name}\``).join(", ");
}

const MORE = "See `bridgewall backends`";

function evidenceLine({ name }: FirewallBackend, { evidence }: Detection): string {
  return `  ${name}: ${evidence}`;
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
    backends.filter(({ platform }) => platform === host.platform)
      .map(async (backend) => evidenceLine(backend, await backend.detect(host))),
  );
  return new NoBackendError(
    [`Cannot use the backend "${chosen.name}" on this host`, ...evidence].join("\n"),
    detection.hint ?? MORE,
  );
}
