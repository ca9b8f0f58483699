/** Whether this host has an nftables that can do what the scripts ask for. */
import { firstLine } from "../../core/command.ts";
import type { Detection } from "../../core/firewall_backend.ts";
import type { Host } from "../../core/host.ts";

/** Verdict maps, comments on objects and NAT in `inet` tables work from here on. */
const MINIMUM_NFT = "1.0.2";

/**
 * The oldest kernel that is kept up to date and has all of it. Below 5.7 translation would fail in
 * silence: postrouting does not know the incoming interface there.
 */
const MINIMUM_KERNEL = "5.15";

/** Asks nft for its version and the kernel for its tables; changes nothing. */
export async function detectNftables(host: Host): Promise<Detection> {
  if (host.platform !== "linux") return { usable: false, evidence: "nftables is part of Linux" };
  const version = await host.run({ program: "nft", args: ["--version"] });
  if (version.status === 127) {
    return {
      usable: false,
      evidence: "nft is not installed",
      hint: "Install the package nftables",
    };
  }
  const found = /v?(\d+(?:\.\d+)+)/.exec(version.stdout)?.[1];
  if (version.status !== 0 || found === undefined) {
    return {
      usable: false,
      evidence: `nft does not tell its version: ${firstLine(version.stderr)}`,
    };
  }
  const old = [
    ...(isOlder(found, MINIMUM_NFT) ? [`nft ${found} is older than ${MINIMUM_NFT}`] : []),
    ...oldKernel(host.kernel),
  ];
  if (old.length > 0) return { usable: false, evidence: old.join("; ") };
  return await askKernel(host, `nft ${found}, kernel ${host.kernel}`);
}

/** What is wrong with this release of the kernel: one sentence, or none. */
export function oldKernel(release: string): readonly string[] {
  const version = /^\d+(?:\.\d+)*/.exec(release)?.[0] ?? "0";
  return isOlder(version, MINIMUM_KERNEL)
    ? [`kernel ${version} is older than ${MINIMUM_KERNEL}`]
    : [];
}

/** Only a privileged user gets an answer from the kernel. */
async function askKernel(host: Host, versions: string): Promise<Detection> {
  if (!host.privileged) {
    return { usable: true, evidence: `${versions}; the kernel answers only root` };
  }
  const tables = await host.run({ program: "nft", args: ["list", "tables", "inet"] });
  return tables.status === 0
    ? { usable: true, evidence: `${versions}; the kernel lists its tables` }
    : {
      usable: false,
      evidence: `${versions}; the kernel refuses to list its tables: ${firstLine(tables.stderr)}`,
    };
}

function isOlder(version: string, minimum: string): boolean {
  const [one, other] = [version, minimum].map((text) => text.split(".").map(Number));
  for (let index = 0; index < 3; index++) {
    const difference = (one?.[index] ?? 0) - (other?.[index] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}
