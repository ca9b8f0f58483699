import { assertEquals } from "@std/assert";
import { isAlreadySo, isNobodyThere } from "../../../core/change/already_so.ts";
import type { Task } from "../../../core/change/task.ts";
import type { CommandResult, Program } from "../../../core/command.ts";

function failed(stderr: string, status = 1): CommandResult {
  return { status, stdout: "", stderr: `${stderr}\n` };
}

/** For which kinds of work that text means that nothing was left to do. */
function passedOver(program: Program, stderr: string): readonly Task["kind"][] {
  const kinds = ["installation", "removal"] as const;
  return kinds.filter((kind) => isAlreadySo({ program, args: [] }, kind, failed(stderr)));
}

const NAME = "org.fedoraproject.FirewallD1";
const BOTH = ["installation", "removal"] as const;
const REMOVAL = ["removal"] as const;

/** What programs say, and for which work that is no failure. */
const TEXTS: readonly (readonly [Program, string, readonly Task["kind"][]])[] = [
  ["busctl", "Call failed: UNKNOWN_INTERFACE: 'virbr0' is not in any zone", BOTH],
  ["busctl", "Call failed: ZONE_ALREADY_SET: 'virbr0' already bound to 'public'", BOTH],
  ["firewall-cmd", "Warning: NOT_ENABLED: virbr0", BOTH],
  ["firewall-cmd", "Warning: ALREADY_ENABLED: virbr0", BOTH],
  ["busctl", "Call failed: ZONE_CONFLICT: remove_interface(public, v): zoi='home'", REMOVAL],
  ["busctl", `Call failed: Name "${NAME}" does not exist`, REMOVAL],
  ["busctl", `The name ${NAME} was not provided by any .service files`, REMOVAL],
  ["busctl", "Failed to connect to bus: No such file or directory", REMOVAL],
  ["busctl", "Call failed: INVALID_ZONE: public", []],
  ["busctl", "Call failed: INVALID_ZONE: Policy 'p': 'z' not among existing zones", []],
  ["busctl", "Call failed: COMMAND_FAILED: 'python-nftables' failed", []],
  ["busctl", "Call failed: Connection timed out", []],
  ["firewall-cmd", "Error: INVALID_ZONE: NOT_ENABLED_HERE", []],
  ["rm", "rm: cannot remove '/etc/firewalld/zones/bw-a.xml': Read-only file system", []],
  ["conntrack", "conntrack v1.4.7 (conntrack-tools): 0 flow entries have been deleted.", BOTH],
  ["conntrack", "conntrack v1.4.7 (conntrack-tools): 10 flow entries have been deleted.", []],
  ["conntrack", "conntrack v1.4.7: Operation failed: Operation not permitted", []],
  [
    "sysctl",
    "sysctl: cannot stat /proc/sys/net/ipv4/conf/virbr0/route_localnet: No such file or directory",
    REMOVAL,
  ],
  [
    "sysctl",
    'sysctl: setting key "net.ipv4.conf.virbr0.route_localnet": Read-only file system',
    [],
  ],
  ["sysctl", "sysctl: permission denied on key 'net.ipv4.conf.virbr0.route_localnet'", []],
  ["pfctl", "pfctl: Anchor does not exist.", REMOVAL],
  ["pfctl", "pfctl: Anchor or Ruleset does not exist.", REMOVAL],
  ["pfctl", "pfctl: /dev/pf: No such file or directory", REMOVAL],
  ["pfctl", "pfctl: /dev/pf: Permission denied", []],
  ["pfctl", "stdin:3: syntax error", []],
];

for (const [program, text, kinds] of TEXTS) {
  const when = kinds.length === 0 ? "is a failure" : `is no failure of ${kinds.join(" or ")}`;
  Deno.test(`${program}: "${text}" ${when}`, () => {
    assertEquals(passedOver(program, text), kinds);
  });
}

Deno.test("a word of firewalld's means nothing from another program", () => {
  const texts = [
    "UNKNOWN_INTERFACE",
    "ZONE_CONFLICT",
    `Name "${NAME}" does not exist`,
    "0 flow entries have been deleted",
    "Anchor does not exist",
    "cannot stat x: No such file or directory",
  ];
  for (const text of texts) assertEquals(passedOver("nft", text), [], text);
});

/** How busctl and the buses say that no firewalld runs. */
const ABSENCES: readonly (readonly [who: string, text: string])[] = [
  ["dbus-daemon, of a call", `Call failed: Name "${NAME}" does not exist`],
  [
    "dbus-daemon, of a property",
    `Failed to get property state on interface ${NAME}: ` +
    `The name ${NAME} was not provided by any .service files`,
  ],
  ["busctl of systemd 252 without a bus", "Failed to connect to bus: No such file or directory"],
  [
    "busctl of systemd 257 without a bus",
    "Failed to connect to system scope bus via local transport: No such file or directory",
  ],
  ["dbus-broker, of a call", "Call failed: Destination does not exist"],
  [
    "dbus-broker, of a property",
    `Failed to get property state on interface ${NAME}: Destination does not exist`,
  ],
];

for (const [who, text] of ABSENCES) {
  Deno.test(`nobody is there by the words of ${who}`, () => {
    assertEquals(isNobodyThere(failed(text)), true);
    assertEquals(passedOver("busctl", text), ["removal"]);
  });
}

Deno.test("nobody is there without busctl, and somebody wherever firewalld answers", () => {
  assertEquals(isNobodyThere(failed("busctl: not found", 127)), true);
  assertEquals(isNobodyThere({ status: 0, stdout: '{"data":"RUNNING"}', stderr: "" }), false);
  assertEquals(isNobodyThere(failed("Call failed: INVALID_ZONE: x")), false);
  assertEquals(isNobodyThere(failed("Call failed: Connection timed out")), false);
  // Words on the way to an answer are none of the answer.
  assertEquals(isNobodyThere({ ...failed(`Name "${NAME}" does not exist`), status: 0 }), false);
});
