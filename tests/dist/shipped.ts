/** The program as it is shipped, in a directory of its own and a host of its own. */
import { bundle } from "../../dist/bundle.ts";
import { makeNamespace, removeNamespace } from "../hosts/namespace.ts";
import { type Finished, run } from "../hosts/run_program.ts";

const DEFINITION = `<network>
  <name>default</name>
  <forward mode='nat'/>
  <bridge name='virbr0'/>
  <ip address='192.168.122.1' netmask='255.255.255.0'/>
</network>
`;

/** Records, and what Deno keeps, are where they are by themselves, which nobody else sees. */
const APART = 'mount -t tmpfs none /run && mount -t tmpfs none /var/cache && exec "$@"';

/** What a caller may have in its environment, who may be anybody. */
const ENVIRONMENT = {
  HOME: "/nonexistent",
  PATH: "/usr/sbin:/usr/bin",
  LD_LIBRARY_PATH: "/usr/sbin:/usr/bin",
  DENO_DIR: "/nonexistent",
  DENO_V8_FLAGS: "--help",
};

/** It stays until the test ends. */
export interface Shipped extends AsyncDisposable {
  readonly directory: string;
  /** What starts it. */
  readonly program: string;
  /** The definition of the network `default`, in mode nat. */
  readonly definition: string;
  /**
   * Runs lines of sh(1) one after the other where records stay between them; stops where one fails.
   *
   * @param through The argv of what runs them; absent: nothing between.
   */
  run(lines: readonly string[], through?: readonly string[]): Promise<Finished>;
}

/** A directory with the bundle, the script, a deno, and a link as in /usr/bin. */
export async function ship(): Promise<Shipped> {
  const directory = await Deno.makeTempDir({ prefix: "bridgewall-shipped-" });
  await Deno.mkdir(`${directory}/lib`);
  await Deno.mkdir(`${directory}/bin`);
  await bundle(`${directory}/lib/`);
  await Deno.symlink(Deno.execPath(), `${directory}/lib/deno`);
  await Deno.symlink("../lib/bridgewall", `${directory}/bin/bridgewall`);
  await Deno.writeTextFile(`${directory}/default.xml`, DEFINITION);
  const namespace = await makeNamespace("shipped");
  return {
    directory,
    program: `${directory}/bin/bridgewall`,
    definition: `${directory}/default.xml`,
    run: (lines, through = []) => {
      const shell = ["sh", "-c", APART, "sh", ...through, "/bin/sh", "-c", lines.join(" && ")];
      const argv = ["unshare", "--mount", "--propagation", "private", ...shell];
      return run(argv, { namespace, environment: ENVIRONMENT });
    },
    [Symbol.asyncDispose]: async () => {
      await removeNamespace(namespace);
      await Deno.remove(directory, { recursive: true });
    },
  };
}
