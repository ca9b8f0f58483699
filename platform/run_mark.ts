/** What tells one run of this program from all others. */

/** Of this run; its programs have it in their environment. */
export const RUN: string = crypto.randomUUID();

/** The variable that holds it. */
export const RUN_VARIABLE = "BRIDGEWALL_RUN";

/** Whether a text can be a mark: what no run has is of no program. */
export function isMark(text: string): boolean {
  return /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/.test(text);
}
