/** One command after the other, for claims that hold after each of them. */

/** Every kind of command that changes the host, on the definitions in these files. */
export function everyOperation(
  files: readonly string[],
  first: string,
): readonly (readonly string[])[] {
  return [
    ["up", ...files],
    ["up", ...files],
    ["reload"],
    ["down", first],
    ["up", ...files],
    ["down", "--all"],
  ];
}

/** What a step that runs the command is called: without the directory of its first file. */
export function stepName(args: readonly string[]): string {
  return args.slice(0, 2).join(" ").replace(/\/.*\//, "");
}
