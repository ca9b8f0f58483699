/** What the demonstration shows, inside of its namespaces. The argument is its directory. */
import { fromFileUrl, join } from "@std/path";
import { DEFINITION, print } from "./demo.ts";

const ROOT = fromFileUrl(new URL("../..", import.meta.url));
const PEER = fromFileUrl(new URL("peer.ts", import.meta.url));
const ENVIRONMENT = { PATH: `/usr/sbin:/usr/bin:/sbin:/bin:${Deno.env.get("PATH") ?? ""}` };
const [DIRECTORY = ""] = Deno.args;

/** A process that holds a network namespace. */
type Holder = Deno.ChildProcess;

async function run(program: string, ...args: readonly string[]): Promise<string> {
  const command = new Deno.Command(program, { args: [...args], env: ENVIRONMENT, cwd: ROOT });
  const { success, stdout, stderr } = await command.output();
  const text = new TextDecoder().decode(stdout);
  if (!success) {
    throw new Error(`${program} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}${text}`);
  }
  return text;
}

function inside(holder: Holder, program: string, ...args: readonly string[]): Promise<string> {
  return run("nsenter", "-t", String(holder.pid), "-n", program, ...args);
}

/** A namespace with one interface, whose other end stays here. */
async function addNeighbour(here: string, there: string): Promise<Holder> {
  const holder = new Deno.Command("unshare", {
    args: ["--net", "cat"],
    stdin: "piped", // ends with us, however we end
    stdout: "piped",
    env: ENVIRONMENT,
  }).spawn();
  await waitForNamespace(holder);
  const peer = ["peer", "name", there, "netns", String(holder.pid)];
  await run("ip", "link", "add", here, "type", "veth", ...peer);
  await run("ip", "link", "set", here, "up");
  await inside(holder, "ip", "link", "set", "lo", "up");
  await inside(holder, "ip", "link", "set", there, "up");
  return holder;
}

/** unshare has made the namespace once its process is `cat`: it answers then. */
async function waitForNamespace(holder: Holder): Promise<void> {
  const writer = holder.stdin.getWriter();
  await writer.write(new TextEncoder().encode("ready\n"));
  writer.releaseLock();
  const reader = holder.stdout.getReader();
  await reader.read();
  reader.releaseLock();
}

async function build(): Promise<{ readonly guest: Holder; readonly outside: Holder }> {
  await run("ip", "link", "set", "lo", "up");
  await run("ip", "link", "add", "virbr0", "type", "bridge");
  await run("ip", "addr", "add", "192.168.150.1/24", "dev", "virbr0");
  await run("ip", "link", "set", "virbr0", "up");
  const guest = await addNeighbour("vnet0", "eth0");
  await run("ip", "link", "set", "vnet0", "master", "virbr0");
  await inside(guest, "ip", "addr", "add", "192.168.150.10/24", "dev", "eth0");
  await inside(guest, "ip", "route", "add", "default", "via", "192.168.150.1");
  const outside = await addNeighbour("eth0", "eth0");
  await run("ip", "addr", "add", "203.0.113.1/24", "dev", "eth0");
  await inside(outside, "ip", "addr", "add", "203.0.113.2/24", "dev", "eth0");
  await inside(outside, "ip", "route", "add", "192.168.150.0/24", "via", "203.0.113.1");
  return { guest, outside };
}

async function serve(holder: Holder, address: string): Promise<Deno.ChildProcess> {
  const server = new Deno.Command("nsenter", {
    args: ["-t", `${holder.pid}`, "-n", Deno.execPath(), "run", "-A", PEER, "serve", address, "80"],
    stdout: "piped",
    env: ENVIRONMENT,
  }).spawn();
  const reader = server.stdout.getReader();
  await reader.read();
  reader.releaseLock();
  return server;
}

function connect(holder: Holder, address: string): Promise<string> {
  return inside(holder, Deno.execPath(), "run", "-A", PEER, "connect", address, "80");
}

function bridgewall(...args: readonly string[]): Promise<string> {
  const state = join(DIRECTORY, "state");
  return run(Deno.execPath(), "run", "-A", "main.ts", "--state-dir", state, ...args);
}

function title(text: string): void {
  print(["", `── ${text} ${"─".repeat(Math.max(0, 76 - text.length))}`]);
}

function expectOutcome(what: string, outcome: string, wanted: string): void {
  print([`${what}: ${outcome}`]);
  if (outcome !== wanted) throw new Error(`expected "${wanted}"`);
}

async function show(): Promise<void> {
  const file = join(DIRECTORY, "demo.xml");
  title("A network definition, as libvirt has it");
  print([DEFINITION.trimEnd()]);
  title("bridgewall plan --explain");
  print([(await bridgewall("plan", "--explain", file)).trimEnd()]);
  const { guest, outside } = await build();
  const servers = [await serve(outside, "203.0.113.2"), await serve(guest, "192.168.150.10")];
  try {
    const before = await run("nft", "list", "ruleset");
    title("bridgewall up: what stands in the kernel now");
    await bridgewall("up", file);
    print([(await run("nft", "list", "ruleset")).trimEnd()]);
    title("Packets: a guest at 192.168.150.10, a stranger at 203.0.113.2");
    const out = await connect(guest, "203.0.113.2");
    expectOutcome("Guest to stranger, who sees the host's address", out, "passed 203.0.113.1");
    const intrusion = await connect(outside, "192.168.150.10");
    expectOutcome("Stranger to guest, unasked", intrusion, "refused");
    title("bridgewall status");
    print([(await bridgewall("status")).trimEnd()]);
    title("bridgewall down: what is left");
    await bridgewall("down", "demo");
    const after = await run("nft", "list", "ruleset");
    if (after !== before) throw new Error(`rules are left:\n${after}`);
    print(["Nothing: the ruleset is what it was before.", ""]);
  } finally {
    for (const server of servers) {
      server.kill();
      await server.stdout.cancel();
      await server.status;
    }
    for (const holder of [guest, outside]) {
      await holder.stdin.close();
      await holder.stdout.cancel();
      await holder.status;
    }
  }
}

await show();
