/** Arguments → host → command → report → exit code. */
import { backends } from "./backends/mod.ts";
import { keepingRuntime } from "./backends/firewalld/kept_runtime.ts";
import { COMMANDS } from "./core/cli/command_table.ts";
import { commandHelp, generalHelp } from "./core/cli/help.ts";
import { readArguments, readManner, type Request } from "./core/cli/read_arguments.ts";
import { commandTrace, messages, reportError, reportOutput } from "./core/cli/report.ts";
import type { CommandOutput, Context } from "./core/commands/context.ts";
import { runCommandOf } from "./core/commands/mod.ts";
import { VERSION } from "./core/version.ts";
import { definitionFiles } from "./platform/definition_files.ts";
import { type FoundConfiguration, openConfiguration, openHost } from "./platform/mod.ts";
import { openTerminal } from "./platform/terminal.ts";
import { openWishes } from "./platform/wishes.ts";

const terminal = openTerminal();
const manner = readManner(Deno.args);

/** The context that a command gets, by the configuration as it is now. */
async function configure(request: Request): Promise<() => Context> {
  const configuration = await openConfiguration(request.config);
  return () => open(request, configuration);
}

function open(request: Request, configuration: FoundConfiguration): Context {
  const speak = messages(terminal, manner);
  const { stateDirectory } = request;
  const backend = request.backend ?? configuration.backend;
  const host = openHost({
    ...(stateDirectory === undefined ? {} : { stateDirectory }),
    stays: request.command === "watch",
    onCommand: (command) => speak.detail(commandTrace(command)),
  });
  return {
    host: { ...host, run: keepingRuntime(host, speak.note) },
    backends: backends({ table: configuration.table, anchor: configuration.anchor }),
    options: {
      sysctl: configuration.sysctl && !request.noSysctl,
      wait: request.wait ?? configuration.wait,
      insists: request.backend !== undefined,
      ...(backend === undefined ? {} : { backend }),
    },
    definitions: definitionFiles(configuration.networks),
    messages: speak,
  };
}

async function answer(): Promise<CommandOutput> {
  const wish = readArguments(Deno.args);
  switch (wish.kind) {
    case "version":
      return { text: [`bridgewall ${VERSION}`], json: { version: VERSION }, exitCode: 0 };
    case "help": {
      const { entry } = wish;
      const text = entry === undefined ? generalHelp() : commandHelp(entry);
      return { text, json: { commands: entry === undefined ? COMMANDS : [entry] }, exitCode: 0 };
    }
    case "run":
      return await runCommandOf(wish.request, await configure(wish.request), {
        wishes: openWishes,
        configure: () => configure(wish.request),
      });
  }
}

async function main(): Promise<void> {
  try {
    Deno.exitCode = reportOutput(terminal, manner, await answer());
  } catch (error) {
    Deno.exitCode = reportError(terminal, manner, error);
  }
}

// Not called, and not awaited, from here: with the top level of a module on the stack, the first error
// that is thrown makes V8 read the whole module again to know its lines (10 ms in a bundle).
if (import.meta.main) queueMicrotask(main);
