import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Task } from "../../../core/change/task.ts";
import { arrangeZoneWork, isZoneWork } from "../../../core/change/zone_work.ts";
import type { Program } from "../../../core/command.ts";

/** What differs from an installation that must work. */
type Manner = Partial<Pick<Task, "kind" | "mayFail">>;

const GOING: Manner = { kind: "removal" };
const RETURNING: Manner = { kind: "removal", mayFail: true };

function task(program: Program, words: string, manner: Manner = {}): Task {
  const command = { program, args: words.split(" ") };
  return { purpose: words, command, kind: "installation", mayFail: false, ...manner };
}

/** The runs as `program words`. */
function ran(tasks: readonly Task[]): readonly string[] {
  return arrangeZoneWork(tasks).map(({ command: { program, args } }) =>
    [program, ...args].join(" ")
  );
}

const PERMANENT = "--permanent --zone=public";
const RELEASE = task("firewall-cmd", `${PERMANENT} --remove-interface=virbr0`);
const RELEASE_NOW = task("busctl", "call .zone removeInterface ss public virbr0");
const WRITE = task("install", "-m 0644 /dev/stdin /etc/firewalld/zones/bw-virbr0.xml");
const REMOVE = task("rm", "-f /etc/firewalld/zones/bw-virbr9.xml", GOING);
const RELOAD = task("busctl", "call . reload");
const RETURN = task("firewall-cmd", "--permanent --zone=home --change-interface=virbr9", RETURNING);
const RETURN_NOW = task("busctl", "call .zone changeZoneOfInterface ss home virbr9", RETURNING);

/** Each stage may be in any order within itself. */
const STAGES = [[RELEASE, RELEASE_NOW], [WRITE], [REMOVE], [RELOAD], [RETURN, RETURN_NOW]];

Deno.test("bridges leave, files come, files go, firewalld reads, bridges return: however it is given", () => {
  const all = STAGES.flat();
  fc.assert(fc.property(fc.shuffledSubarray(all, { minLength: all.length }), (shuffled) => {
    let rest = ran(shuffled);
    for (const stage of STAGES) {
      assertEquals(rest.slice(0, stage.length).toSorted(), [...ran(stage)].toSorted());
      rest = rest.slice(stage.length);
    }
    assertEquals(rest, []);
  }));
});

Deno.test("within a stage the order stays: a zone's file before that of the policy that names it", () => {
  const files = ["zones/bw-a.xml", "policies/bw-a-to.xml", "policies/bw-a-from.xml"];
  const write = files.map((file) => task("install", `/etc/firewalld/${file}`));
  const remove = files.toReversed().map((file) => task("rm", `-f /etc/firewalld/${file}`, GOING));
  assertEquals(ran([...remove, ...write]), ran([...write, ...remove]));
  assertEquals(ran([...remove, ...write]), [
    "install /etc/firewalld/zones/bw-a.xml",
    "install /etc/firewalld/policies/bw-a-to.xml",
    "install /etc/firewalld/policies/bw-a-from.xml",
    "rm -f /etc/firewalld/policies/bw-a-from.xml",
    "rm -f /etc/firewalld/policies/bw-a-to.xml",
    "rm -f /etc/firewalld/zones/bw-a.xml",
  ]);
});

Deno.test("firewalld reads its files once, whatever was changed", () => {
  const reloads = [RELOAD, { ...RELOAD, ...GOING }, RELOAD];
  assertEquals(ran([WRITE, ...reloads, REMOVE]).filter((line) => line.endsWith("reload")), [
    "busctl call . reload",
  ]);
});

Deno.test("what comes and goes at once has to work as what comes has", () => {
  const gone: Task = { ...RELOAD, ...RETURNING };
  for (const both of [[gone, RELOAD], [RELOAD, gone]]) {
    assertEquals(arrangeZoneWork(both), [RELOAD]);
  }
});

Deno.test("firewall-cmd runs once for all interfaces that leave a zone", () => {
  const release = (name: string): Task =>
    task("firewall-cmd", `${PERMANENT} --remove-interface=${name}`, RETURNING);
  const [joined, ...others] = arrangeZoneWork(["a", "b", "c"].map(release));
  assertEquals(others, []);
  assertEquals(joined, {
    ...release("a"),
    command: {
      program: "firewall-cmd",
      args: [
        "--permanent",
        "--zone=public",
        "--remove-interface=a",
        "--remove-interface=b",
        "--remove-interface=c",
      ],
    },
  });
});

Deno.test("firewall-cmd is never asked for two zones, two verbs or two ways of failing at once", () => {
  const different = [
    task("firewall-cmd", "--permanent --zone=public --change-interface=a"),
    task("firewall-cmd", "--permanent --zone=home --change-interface=b"),
    task("firewall-cmd", "--permanent --zone=public --remove-interface=c"),
    task("firewall-cmd", "--permanent --zone=public --change-interface=d", GOING),
    task("firewall-cmd", "--permanent --zone=public --change-interface=e", RETURNING),
  ];
  assertEquals(arrangeZoneWork(different).length, different.length);
});

Deno.test("busctl runs once for each interface: its words take no more", () => {
  const now = (name: string): Task => task("busctl", `call removeInterface ss public ${name}`);
  assertEquals(ran([now("a"), now("b")]), [
    "busctl call removeInterface ss public a",
    "busctl call removeInterface ss public b",
  ]);
});

Deno.test("only firewalld's programs and files are work on zones", () => {
  const zonePrograms: readonly Program[] = ["busctl", "firewall-cmd", "install", "rm"];
  const others: readonly Program[] = ["nft", "iptables-nft-restore", "pfctl", "tc", "conntrack"];
  for (const program of zonePrograms) assert(isZoneWork({ program }), program);
  for (const program of others) assert(!isZoneWork({ program }), program);
});
