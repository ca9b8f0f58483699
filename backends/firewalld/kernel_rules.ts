/**
 * Whether what firewalld believes to have made is there. `nft flush ruleset` empties its table without its
 * knowing, and it goes on telling of zones and policies.
 */
import type { Command } from "../../core/command.ts";
import type { Answers } from "../../core/firewall_backend.ts";
import { answerOf, BACKEND_QUESTION } from "./bus.ts";

/** All that firewalld has in nft. */
const NFT_QUESTION: Command = {
  program: "nft",
  args: ["list", "table", "inet", "firewalld"],
};

/** All that is forwarded or for the host, where firewalld makes its rules of iptables. */
const IPTABLES_QUESTION: Command = { program: "iptables-save", args: ["-t", "filter"] };

/** The questions for {@linkcode isInKernel}. */
export const KERNEL_QUESTIONS: readonly Command[] = [
  BACKEND_QUESTION,
  NFT_QUESTION,
  IPTABLES_QUESTION,
];

/**
 * Whether any chain is called after the zone or policy, however firewalld's version calls its chains; true
 * also where nobody asked.
 */
export function isInKernel(name: string, answers: Answers): boolean {
  const backend = answerOf(answers.to(BACKEND_QUESTION));
  if (backend !== "nftables" && backend !== "iptables") return true;
  const listing = answers.to(backend === "nftables" ? NFT_QUESTION : IPTABLES_QUESTION);
  // Without the program nobody can tell; firewalld speaks with the kernel by a library.
  if (listing === undefined || listing.status === 127 || listing.status === 126) return true;
  return new RegExp(`_${name}(?![\\w-])`).test(listing.stdout);
}
