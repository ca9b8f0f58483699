/** The backends that the kernel of this machine can run: every host test runs once for each. */

/** A backend under test. */
export interface BackendUnderTest {
  readonly name: string;
  /** The programs it runs. */
  readonly tools: readonly string[];
}

/** The matrix. */
export const BACKENDS: readonly BackendUnderTest[] = [
  { name: "nftables", tools: ["nft"] },
];
