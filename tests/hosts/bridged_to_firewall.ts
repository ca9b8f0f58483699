/** Whether the kernel shows packets that stay on a bridge to the firewall of IP (br_netfilter). */
import { changeSetting } from "./namespace.ts";
import { run } from "./run_program.ts";

const SETTINGS = [
  "net.bridge.bridge-nf-call-iptables",
  "net.bridge.bridge-nf-call-ip6tables",
] as const;

/** Kernels before 5.3 had one switch for the whole machine, and show none in a namespace. */
export async function canShowBridged(): Promise<boolean> {
  return (await run(["unshare", "-n", "sysctl", "-n", ...SETTINGS])).code === 0;
}

/** Says it for one host; where there is no such switch, nothing is shown anyway. */
export async function showBridged(host: string, shown: boolean): Promise<void> {
  if (!await canShowBridged()) return;
  for (const name of SETTINGS) await changeSetting(host, name, shown ? 1 : 0);
}
