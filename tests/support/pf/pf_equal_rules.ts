/** Rules that pf takes for one. */

/**
 * The lines of a file for one anchor that say the same as one before them. Since FreeBSD 14 the kernel
 * refuses such a rule (`DIOCADDRULE: File exists`), and looks neither at what it writes on packets nor at
 * what they are translated to: pf_hash_rule() in sys/netpfil/pf/pf_ioctl.c.
 */
export function equalRules(text: string): readonly string[] {
  const seen = new Set<string>();
  return text.split("\n").filter((line) => {
    if (line === "" || line.startsWith("table ")) return false;
    const compared = line.replace(/ tag \S+/, "").replace(/ -> .*$/, "");
    const isAgain = seen.has(compared);
    seen.add(compared);
    return isAgain;
  });
}
