/** SCTP: the kernel translates it for others, and need not speak it itself. */
import { ASKING_TOOLS } from "./asking.ts";
import { run } from "./run_program.ts";
import type { TestHost } from "./topology.ts";

/** The programs that probes by SCTP run. */
export const SCTP_TOOLS = ASKING_TOOLS;

/** Whether the kernel can translate it at all (`CONFIG_NF_CT_PROTO_SCTP`); conntrack must be in use. */
export async function kernelTranslatesSctp({ host }: TestHost): Promise<boolean> {
  const name = "net.netfilter.nf_conntrack_sctp_timeout_established";
  return (await run(["sysctl", "-n", name], { namespace: host })).code === 0;
}
