import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { parse } from "@std/xml";
import { firewalld } from "../../../backends/firewalld/mod.ts";
import type { NetworkChange } from "../../../core/change/change.ts";
import type { Command } from "../../../core/command.ts";
import { wantedNetwork } from "../../../core/commands/prepare.ts";
import {
  type Answers,
  type Facts,
  UnsupportedNetworkError,
} from "../../../core/firewall_backend.ts";
import { masqueradeElement, masqueradePolicy } from "../../../core/policy/masquerade.ts";
import { MASQUERADE } from "../../../core/policy/policy.ts";
import type { CompiledPolicy } from "../../../core/policy/policy.ts";
import type { Record } from "../../../core/record/record.ts";
import { filtered, FRESH_FACTS, IPV4, network, subnet } from "../../support/definitions.ts";
import {
  type Firewalld,
  installedFirewalld,
  runFirewalldProgram,
  startFirewalld,
} from "../../support/model_firewalld.ts";

const BACKEND = firewalld();

const WAY = "<forward mode='nat'/>";
const OTHER = "<bridge name='virbr1'/><ip address='10.45.0.1' prefix='24'/>";

/** Elements that publish TCP ports: `PORT` and, after a space, more attributes. */
function ports(...published: readonly string[]): string {
  const elements = published.map((one) => {
    const [port = "", more = ""] = one.split(" ");
    return `<b:publish xmlns:b='urn:bridgewall:network:1' proto='tcp' port='${port}' ` +
      `to='10.44.0.10:80' ${more}/>`;
  });
  return `<metadata>${elements.join("")}</metadata>`;
}

/** What firewalld and the host answer. */
function answersOf(model: Firewalld, addresses: readonly string[]): Answers {
  const listing = addresses.map((one) => `2: eth0    inet ${one}/24 scope global eth0\n`).join("");
  return {
    to: (question) => {
      switch (question.program) {
        case "busctl":
        case "cat":
          return runFirewalldProgram(model, question).result;
        case "ip":
          return { status: 0, stdout: listing, stderr: "" };
        default:
          return undefined;
      }
    },
  };
}

/** A host in memory on which commands are run one after the other. */
class TestedHost {
  model = startFirewalld(installedFirewalld());
  records: readonly Record[] = [];
  addresses: readonly string[] = ["192.0.2.1"];

  /** Compiles the networks with these elements, by their names. */
  compile(elements: Readonly<globalThis.Record<string, string>>): readonly NetworkChange[] {
    const policies = Object.entries(elements).map(([name, text]) => filtered(text, name));
    return this.compilePolicies(policies);
  }

  compilePolicies(policies: readonly CompiledPolicy[]): readonly NetworkChange[] {
    const facts: Facts = {
      ...FRESH_FACTS,
      records: this.records,
      standing: this.records,
      answers: answersOf(this.model, this.addresses),
    };
    return BACKEND.compile(policies, facts).networks;
  }

  /** Runs what was compiled, and writes the records. */
  up(elements: Readonly<globalThis.Record<string, string>>): readonly NetworkChange[] {
    const changes = this.compile(elements);
    for (const { network: name, install, removal } of changes) {
      this.run(install.map(({ command }) => command));
      const bridge = elements[name]?.includes("<bridge") ? "" : "<bridge name='virbr0'/>";
      const text = `<network><name>${name}</name>${bridge}${elements[name]}</network>`;
      const element = parse(text, { trackPosition: false }).root;
      this.remember({ name, state: "active", network: element, backend: "firewalld", removal });
    }
    return changes;
  }

  remember(record: Record): void {
    this.records = [...this.records.filter(({ name }) => name !== record.name), record];
  }

  run(commands: readonly Command[]): void {
    for (const command of commands) {
      if (["conntrack", "tc", "sysctl"].includes(command.program)) continue;
      this.model = runFirewalldProgram(this.model, command).firewalld;
    }
  }
}

/** Which files are written and removed, and what else is run. */
function work({ install }: NetworkChange): readonly string[] {
  return install.map(({ command: { program, args } }) =>
    program === "install" || program === "rm"
      ? `${program} ${args.slice(program === "rm" ? 1 : 3).map(fileName).join(" ")}`
      : `${program} ${args.at(-1)}`
  );
}

function fileName(path: string): string {
  return path.replace(/^.*\//, "");
}

function first(changes: readonly NetworkChange[]): NetworkChange {
  const [change] = changes;
  assert(change !== undefined);
  return change;
}

Deno.test("a port more or less changes its two files, and ends no connection of the network", () => {
  const host = new TestedHost();
  const added = ["install bw-virbr0-port.xml", "install bw-virbr0-own.xml", "busctl reload"];
  host.up({ lan: WAY + IPV4 });
  assertEquals(work(first(host.up({ lan: ports("8080") + WAY + IPV4 }))), added);
  assertEquals(work(first(host.compile({ lan: ports("8080", "9090") + WAY + IPV4 }))), added);
  assertEquals(work(first(host.compile({ lan: ports("8080") + WAY + IPV4 }))), []);
  assertEquals(work(first(host.compile({ lan: WAY + IPV4 }))), [
    "rm bw-virbr0-own.xml bw-virbr0-port.xml",
    "busctl reload",
  ]);
  assertEquals(
    work(first(host.compile({ lan: ports("8080") + IPV4 }))).at(-1),
    "conntrack 10.44.0.0/24",
  );
});

Deno.test("what a network brings goes with it", () => {
  const host = new TestedHost();
  const { files } = host.model;
  const { removal } = first(host.up({ lan: ports("8080") + WAY + IPV4 }));
  host.run(removal.flatMap(({ commands }) => commands));
  assertEquals(host.model.files, files);
});

Deno.test("of two networks the later one sees to it that closed guests reach no port of the other", () => {
  const guard = (files: Firewalld["files"], name: string): readonly string[] =>
    [...(files.get(`/etc/firewalld/policies/${name}.xml`) ?? "").matchAll(
      /<rule .*to-addr="192.*/g,
    )]
      .map(([line]) => line);
  const [web, alone] = [{ web: ports("8080") + WAY + IPV4 }, { alone: OTHER }];
  const own = '<rule family="ipv4"><destination address="192.0.2.1/32"/>' +
    '<forward-port port="8080" protocol="tcp" to-addr="192.0.2.1"/></rule>';
  const told = own.replace(">", ' priority="-1"><source address="10.45.0.0/24"/>');
  const orders: readonly (readonly [networks: object[], closed: string[], port: string[]])[] = [
    [[web, alone], [own], []],
    [[alone, web], [], [told]],
    [[{ ...alone, ...web }], [own], []],
  ];
  for (const [networks, closed, port] of orders) {
    const host = new TestedHost();
    networks.forEach((one) => host.up({ ...one }));
    assertEquals(guard(host.model.files, "bw-virbr1-from"), closed);
    assertEquals(guard(host.model.files, "bw-virbr0-port"), port);
  }
});

Deno.test("a port of an address that the host does not have is refused, unless it was there before", () => {
  const host = new TestedHost();
  const bound = { lan: ports("8080 address='192.0.2.9'") + WAY + IPV4 };
  const { message, hint } = assertThrows(() => host.compile(bound), UnsupportedNetworkError);
  assertEquals(
    message,
    'firewalld cannot publish port 192.0.2.9:8080/tcp of network "lan": the host does not have ' +
      "that address, and firewalld would take the port from what is routed to whoever has it",
  );
  assertStringIncludes(hint ?? "", "`--backend nftables`");
  host.addresses = ["192.0.2.1", "192.0.2.9"];
  assertEquals(first(host.up(bound)).warnings, []);
  host.addresses = ["192.0.2.1"];
  const change = first(host.up(bound));
  assertEquals(change.warnings, [
    'Port 192.0.2.9:8080/tcp of network "lan" leads nowhere: the host does not have that address ' +
    "any more",
  ]);
  assert(![...host.model.files.values()].some((text) => text.includes("192.0.2.9")));
  const more = { lan: ports("8080 address='192.0.2.9'", "81 address='192.0.2.9'") + WAY + IPV4 };
  assertThrows(() => host.compile(more), UnsupportedNetworkError, "port 192.0.2.9:81/tcp");
});

Deno.test("the user hears at which addresses a port leads to a guest, and who sees it otherwise", () => {
  const host = new TestedHost();
  const one = first(host.compile({ lan: ports("8080") + WAY + IPV4 })).warnings;
  assertEquals(one, [
    'firewalld leads ports of network "lan" to guests at the addresses that the host has now ' +
    "(10.44.0.1, 192.0.2.1). When they change, `bridgewall check` tells, and `bridgewall reload` " +
    "follows",
  ]);
  const two = `${ports("8080")}${WAY}${IPV4}<ip address='10.46.0.1' prefix='24'/>`;
  assertEquals(first(host.compile({ lan: two })).warnings.slice(1), [
    'Guests in one subnet of network "lan" who speak with 10.44.0.10 in another directly do so by ' +
    "the host's address: firewalld cannot tell them from those who come by a published port",
  ]);
  host.up({ lan: ports("8080") + WAY + IPV4 });
  assertEquals(first(host.compile({ other: WAY + OTHER })).warnings, [
    'Ports of network "lan" lead to no guest at 10.45.0.1, which network "other" brings, until ' +
    "`bridgewall reload`",
  ]);
});

Deno.test("networks of two backends are told apart from those of one: nobody keeps their guests away", () => {
  const host = new TestedHost();
  const alone = { alone: OTHER };
  host.up({ web: ports("8080") + WAY + IPV4 });
  assertEquals(first(host.compile(alone)).warnings.length, 1);
  host.records = host.records.map((record) => ({ ...record, backend: "nftables" }));
  assertEquals(first(host.compile(alone)).warnings, [
    'Guests of network "alone" reach the ports that network "web" publishes, whatever its mode ' +
    "says: firewalld holds one of the two, another backend the other. `bridgewall reload` brings " +
    "both into one",
  ]);
  assertEquals(first(host.compile({ open: WAY + OTHER })).warnings, []);
});

Deno.test("on a host that is only imagined a port leads to guests at the addresses of definitions", () => {
  const elements = ports("8080", "81 address='192.0.2.9'") + WAY + IPV4;
  const { install, warnings } = first(
    BACKEND.compile([filtered(elements)], FRESH_FACTS).networks,
  );
  const text = install.map(({ command: { stdin = "" } }) => stdin).join("");
  assertStringIncludes(text, '<destination address="10.44.0.1/32"/><forward-port port="8080"');
  assertStringIncludes(text, '<destination address="192.0.2.9/32"/><forward-port port="81"');
  assertStringIncludes(warnings[0] ?? "", "at the addresses that are known of the host (10.44.0.1");
});

Deno.test("masqueraded prefixes are one policy, which comes, changes and goes by itself", () => {
  const host = new TestedHost();
  const { files } = host.model;
  const policy = masqueradePolicy([subnet("10.9.0.0/16")]);
  const change = first(host.compilePolicies([policy]));
  assertEquals(work(change), ["install bw-masquerade.xml", "busctl reload"]);
  host.run(change.install.map(({ command }) => command));
  const network = masqueradeElement([subnet("10.9.0.0/16")]);
  const { removal } = change;
  host.remember({ name: MASQUERADE, state: "active", network, backend: "firewalld", removal });
  assertEquals(work(first(host.compilePolicies([policy]))), []);
  // A record without a bridge is nobody's network.
  host.up({ lan: WAY + IPV4 });
  assert(BACKEND.questions(host.records, true).length > 0);
  host.run(removal.flatMap(({ commands }) => commands));
  assert(!host.model.files.has("/etc/firewalld/policies/bw-masquerade.xml"));
  assert(files.size < host.model.files.size);
});

Deno.test("only where somebody publishes the host is asked for its addresses", () => {
  const asked = (elements: string, records: readonly Record[] = []): boolean =>
    BACKEND.questions(records, false, [wantedNetwork(network(elements))])
      .some(({ program }) => program === "ip");
  assert(!asked(WAY + IPV4));
  assert(asked(ports("8080") + WAY + IPV4));
  const host = new TestedHost();
  host.up({ web: ports("8080") + WAY + IPV4 });
  assert(asked(OTHER, host.records));
});
