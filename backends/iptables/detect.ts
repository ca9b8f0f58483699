/** Whether this host has an iptables, and which one it is. */
import { firstLine } from "../../core/command.ts";
import type { Detection } from "../../core/firewall_backend.ts";
import type { Host } from "../../core/host.ts";
import { hiddenTables } from "./saved.ts";
import { programsOf, readVersion, VERSION_QUESTION } from "./variant.ts";

/** The variants have names of their own since this version, which the records need. */
const MINIMUM = "1.8";

/** Asks iptables for its version and what it can list; changes nothing, and loads nothing. */
export async function detectIptables(host: Host): Promise<Detection> {
  if (host.platform !== "linux") return { usable: false, evidence: "iptables is part of Linux" };
  const answer = await host.run(VERSION_QUESTION);
  if (answer.status === 127) {
    return {
      usable: false,
      evidence: "iptables is not installed",
      hint: "Install the package iptables",
    };
  }
  const found = readVersion(answer);
  if (found === undefined) {
    const said = firstLine(answer.stdout) || firstLine(answer.stderr);
    return {
      usable: false,
      evidence: `iptables does not tell which variant it is, as it does since ${MINIMUM}: ${said}`,
    };
  }
  const { version, variant } = found;
  const name = `iptables-${variant} ${version}`;
  const [ipv4, ipv6] = await Promise.all(
    (["ipv4", "ipv6"] as const).map(async (family) => {
      return host.privileged ? await host.run(programsOf(variant, family).save) : undefined;
    }),
  );
  if (ipv4 === undefined) {
    return { usable: true, evidence: `${name}; the kernel answers only root` };
  }
  if (ipv4.status !== 0) {
    const why = ipv4.status === 127
      ? `its iptables-${variant}-save is not installed`
      : `it cannot list its tables: ${firstLine(ipv4.stderr)}`;
    return { usable: false, evidence: `${name}; ${why}` };
  }
  const without = ipv6?.status === 0 ? "" : ", but ip6tables does not: IPv6 cannot be filtered";
  const [hidden] = [ipv4, ipv6].flatMap((answer) => hiddenTables(answer?.stdout ?? ""));
  const but = hidden === undefined ? "" : `, but not "${hidden}": others have rules of nft there`;
  return { usable: true, evidence: `${name} lists its tables${but}${without}` };
}
