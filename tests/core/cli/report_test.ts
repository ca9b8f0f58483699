import { assertEquals, assertThrows } from "@std/assert";
import type { Manner } from "../../../core/cli/read_arguments.ts";
import {
  commandTrace,
  messages,
  reportError,
  reportOutput,
  type Terminal,
} from "../../../core/cli/report.ts";
import { StepFailedError } from "../../../core/change/step_error.ts";
import { NotRestoredError } from "../../../core/change/run_operation.ts";
import { UsageError } from "../../../core/commands/context.ts";
import { ConfigurationError } from "../../../core/configuration.ts";
import { NoBackendError, UnsupportedNetworkError } from "../../../core/firewall_backend.ts";
import { HostError, LockError } from "../../../core/host.ts";
import { NetworkDefinitionError } from "../../../core/network/network_error.ts";
import { RecordError } from "../../../core/record/record.ts";

const PLAIN: Manner = { json: false, quiet: false, verbose: false, color: true };

interface Recorder extends Terminal {
  data: string;
  said: string;
}

function recorder(colour = false): Recorder {
  const terminal: Recorder = {
    data: "",
    said: "",
    colour,
    writeData: (text) => void (terminal.data += text),
    writeMessage: (text) => void (terminal.said += text),
  };
  return terminal;
}

const NFT = { program: "nft", args: ["-f", "-"] } as const;
const FAILED = { status: 1, stdout: "", stderr: "" };

const EXIT_CODES: readonly (readonly [Error, number])[] = [
  [new HostError("x"), 1],
  [new LockError("x"), 1],
  [new RecordError("x"), 1],
  [new StepFailedError("x", NFT, FAILED), 1],
  [new NotRestoredError(new Error("x"), new Error("y")), 1],
  [new UsageError("x"), 2],
  [new ConfigurationError("x"), 2],
  [new NetworkDefinitionError("x", "a.xml", { line: 1, column: 1 }), 2],
  [new NoBackendError("x"), 4],
  [new UnsupportedNetworkError("x"), 4],
];

Deno.test("each kind of error has its exit code, for people and for programs", () => {
  for (const [error, code] of EXIT_CODES) {
    assertEquals(reportError(recorder(), PLAIN, error), code, error.name);
    const terminal = recorder();
    assertEquals(reportError(terminal, { ...PLAIN, json: true }, error), code, error.name);
    assertEquals((JSON.parse(terminal.said) as ErrorBody).error.exitCode, code);
    assertEquals(terminal.data, "");
  }
});

interface ErrorBody {
  readonly error: { readonly exitCode: number };
}

Deno.test("a defect of the program is not dressed up as an error of the user", () => {
  for (const defect of [new TypeError("x"), new Error("x"), new RangeError("x")]) {
    const terminal = recorder();
    assertThrows(() => reportError(terminal, PLAIN, defect), Error, "x");
    assertEquals(terminal.said, "");
  }
});

Deno.test("an error has its hint after an empty line", () => {
  const terminal = recorder();
  reportError(terminal, PLAIN, new HostError("Cannot do it", "Type `this`"));
  assertEquals(terminal.said, "error: Cannot do it\n\nhint: Type `this`\n");
  assertEquals(terminal.data, "");
});

Deno.test("an error without a hint is one line", () => {
  const terminal = recorder();
  reportError(terminal, PLAIN, new HostError("Cannot do it"));
  assertEquals(terminal.said, "error: Cannot do it\n");
});

Deno.test("programs get errors as JSON, with the hint where there is one", () => {
  const asJson = (error: Error): unknown => {
    const terminal = recorder(true);
    reportError(terminal, { ...PLAIN, json: true }, error);
    return JSON.parse(terminal.said);
  };
  assertEquals(asJson(new UsageError("Cannot do it", "Type `this`")), {
    error: { message: "Cannot do it", hint: "Type `this`", exitCode: 2 },
  });
  assertEquals(asJson(new RecordError("Cannot do it")), {
    error: { message: "Cannot do it", exitCode: 1 },
  });
});

Deno.test("labels are coloured on a terminal, unless the user wants none", () => {
  const error = new HostError("a", "b");
  const coloured = recorder(true);
  reportError(coloured, PLAIN, error);
  assertEquals(coloured.said, "\x1b[1;31merror\x1b[0m: a\n\n\x1b[1;36mhint\x1b[0m: b\n");
  const asked = recorder(true);
  reportError(asked, { ...PLAIN, color: false }, error);
  assertEquals(asked.said, "error: a\n\nhint: b\n");
});

Deno.test("results go to standard output, for people or as JSON", () => {
  const output = { text: ["one", "two"], json: { b: [1] }, exitCode: 3 };
  const terminal = recorder();
  assertEquals(reportOutput(terminal, PLAIN, output), 3);
  assertEquals(terminal.data, "one\ntwo\n");
  assertEquals(terminal.said, "");
  const json = recorder();
  assertEquals(reportOutput(json, { ...PLAIN, json: true, quiet: true }, output), 3);
  assertEquals(json.data, '{\n  "b": [\n    1\n  ]\n}\n');
  const silent = recorder();
  assertEquals(reportOutput(silent, PLAIN, { ...output, text: [], exitCode: 0 }), 0);
  assertEquals(silent.data, "");
});

Deno.test("what is said on the way depends on what the user wants to hear", () => {
  const heard = (manner: Partial<Manner>): string => {
    const terminal = recorder();
    const { note, warn, detail } = messages(terminal, { ...PLAIN, ...manner });
    note("done");
    warn("careful");
    detail("in detail");
    assertEquals(terminal.data, "");
    return terminal.said;
  };
  assertEquals(heard({}), "done\nwarning: careful\n");
  assertEquals(heard({ quiet: true }), "warning: careful\n");
  assertEquals(heard({ verbose: true }), "done\nwarning: careful\nin detail\n");
});

Deno.test("a command that is about to run is shown with its script", () => {
  assertEquals(commandTrace({ program: "sysctl", args: ["-w", "a=1"] }), "run: sysctl -w a=1");
  assertEquals(commandTrace({ ...NFT, stdin: "add x\nadd y\n" }), "run: nft -f -\nadd x\nadd y");
});

Deno.test("programs get every message as one line of JSON", () => {
  const terminal = recorder(true);
  const speak = messages(terminal, { ...PLAIN, json: true, verbose: true });
  speak.note("done");
  speak.warn("two\nlines");
  speak.detail("run: x");
  assertEquals(terminal.said.trimEnd().split("\n").map((line) => JSON.parse(line)), [
    { note: "done" },
    { warning: "two\nlines" },
    { detail: "run: x" },
  ]);
});
