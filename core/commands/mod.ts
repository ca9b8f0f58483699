/** The table of contents: which command does what. */
import { namedBackend } from "../choose_backend.ts";
import type { Request } from "../cli/read_arguments.ts";
import { check } from "./check.ts";
import { completions } from "./completions.ts";
import type { CommandOutput } from "./context.ts";
import { down } from "./down.ts";
import { hook } from "./hook.ts";
import { importLibvirt } from "./import_libvirt.ts";
import { listBackends } from "./list_backends.ts";
import { masquerade } from "./masquerade.ts";
import { plan } from "./plan.ts";
import { publish } from "./publish.ts";
import { reload } from "./reload.ts";
import { status } from "./status.ts";
import { unpublish } from "./unpublish.ts";
import { up } from "./up.ts";
import { type OpenContext, watch, type Wishes } from "./watch.ts";

/** What a command has that does not end by itself. */
export interface Staying {
  /** Asked for only by such a command: from then on signals do not end the program. */
  wishes(): Wishes;
  /** As in {@linkcode watch}. */
  configure(): Promise<OpenContext>;
}

/**
 * Runs the command that was asked for.
 *
 * @throws {NoBackendError} When a backend was asked for that this program does not have, also by
 * commands that have no use for it.
 */
export async function runCommandOf(
  request: Request,
  open: OpenContext,
  { wishes, configure }: Staying,
): Promise<CommandOutput> {
  const context = open();
  const { backends, options } = context;
  if (options.backend !== undefined) namedBackend(backends, options.backend);
  const { operands, localhost } = request;
  const names = { names: operands, all: request.all };
  switch (request.command) {
    case "up":
      return await up(context, names);
    case "down":
      return await down(context, names);
    case "reload":
      return await reload(context, names);
    case "plan":
      return await plan(context, { ...names, ...request.plan });
    case "status":
      return await status(context, names);
    case "check":
      return await check(context, names);
    case "watch":
      return await watch(open, wishes(), configure);
    case "publish":
      return await publish(context, { operands, localhost });
    case "unpublish":
      return await unpublish(context, operands);
    case "masquerade":
      return await masquerade(context, operands);
    case "backends":
      return await listBackends(context);
    case "import":
      return await importLibvirt(context, operands);
    case "hook":
      return await hook(context, operands);
    case "completions":
      return completions(operands);
  }
}
