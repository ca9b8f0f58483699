/** Errors that are told to the user, and what the program exits with because of them. */
import { UsageError } from "./commands/context.ts";
import { ConfigurationError } from "./configuration.ts";
import { NoBackendError, UnsupportedNetworkError } from "./firewall_backend.ts";
import { HostError } from "./host.ts";
import { NetworkDefinitionError } from "./network/network_error.ts";
import { RecordError } from "./record/record.ts";

/** The exit code for an error of ours; undefined for a defect of the program. */
export function exitCodeOf(error: unknown): number | undefined {
  if (
    error instanceof UsageError || error instanceof NetworkDefinitionError ||
    error instanceof ConfigurationError
  ) return 2;
  if (error instanceof NoBackendError || error instanceof UnsupportedNetworkError) return 4;
  if (error instanceof HostError || error instanceof RecordError) return 1;
  return undefined;
}

/** Whether the error is one that is told to the user. */
export function isOwnError(error: unknown): error is Error {
  return exitCodeOf(error) !== undefined;
}
