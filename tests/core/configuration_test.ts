import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import {
  type Configuration,
  ConfigurationError,
  DEFAULT_CONFIGURATION,
  parseConfiguration,
} from "../../core/configuration.ts";

async function read(text: string): Promise<Configuration> {
  return await parseConfiguration(text, "x.conf");
}

async function refused(text: string): Promise<ConfigurationError> {
  return await assertRejects(() => read(text), ConfigurationError);
}

Deno.test("an empty file, or comments alone, chooses nothing", async () => {
  for (const text of ["", "\n\n", "# firewall_backend = 'pf'\n"]) {
    assertEquals(await read(text), DEFAULT_CONFIGURATION);
  }
  assertEquals(DEFAULT_CONFIGURATION, {
    table: "bridgewall",
    anchor: "bridgewall",
    sysctl: true,
    wait: 30,
  });
});

Deno.test("every key is read", async () => {
  const text = 'firewall_backend = "nftables"\ntable = "my_table-2"\nanchor = "vm/lib_virt.1"\n' +
    "sysctl = false\nwait = 2.5\n";
  assertEquals(await read(text), {
    backend: "nftables",
    table: "my_table-2",
    anchor: "vm/lib_virt.1",
    sysctl: false,
    wait: 2.5,
  });
});

Deno.test("every backend that there is can be chosen", async () => {
  for (const backend of ["nftables", "iptables", "pf"]) {
    assertEquals(await read(`firewall_backend = "${backend}"`), {
      ...DEFAULT_CONFIGURATION,
      backend,
    });
  }
});

Deno.test("a backend that there is none of is refused with those that there are", async () => {
  const { message } = await refused('# gone since Linux 2.4\nfirewall_backend = "ipchains"\n');
  assertEquals(
    message,
    'x.conf:2: The value of "firewall_backend" must be one of "firewalld", "nftables", "iptables", ' +
      '"pf"',
  );
});

Deno.test("a key that is set leaves the others as they are", async () => {
  assertEquals(await read("wait = 0"), { ...DEFAULT_CONFIGURATION, wait: 0 });
  assertEquals(await read("sysctl = true"), DEFAULT_CONFIGURATION);
  assertEquals(await read("wait = 999999"), { ...DEFAULT_CONFIGURATION, wait: 999_999 });
  assertEquals(await read(`table = "${"x".repeat(64)}"`), {
    ...DEFAULT_CONFIGURATION,
    table: "x".repeat(64),
  });
});

/** Values that a key does not take. */
const WRONG: Readonly<Record<string, readonly string[]>> = {
  firewall_backend: ["1", "true", '""', '"ipf"', '"NFTABLES"', '"nft"', '["nftables"]', "{}"],
  table: ["1", '""', '"1x"', '"a b"', '"a;b"', "'a\"b'", `"${"x".repeat(65)}"`, '"x\\n"', "true"],
  anchor: [
    "1",
    '""',
    '"_x"',
    '"/x"',
    '"x/"',
    '"a//b"',
    '"a b"',
    '"x*"',
    `"${"x".repeat(41)}"`,
    "true",
  ],
  sysctl: ["1", '"yes"', "0", '"true"'],
  wait: ["-1", '"30"', "1000000", "inf", "nan", "true", "1979-05-27"],
};

for (const [key, values] of Object.entries(WRONG)) {
  Deno.test(`what \`${key}\` cannot be is refused with file, line and what it must be`, async () => {
    for (const value of values) {
      const { message } = await refused(`# first line\n\n${key} = ${value}\n`);
      assertMatch(message, new RegExp(`^x\\.conf:3: The value of "${key}" must be [^ ]`), value);
    }
  });
}

Deno.test("an unknown key is refused with its line, and the known ones are listed", async () => {
  const error = await refused('wait = 3\n\n  "zone" = 1\n');
  assertEquals(error.message, 'x.conf:3: There is no key "zone"');
  assertEquals(error.hint, "Known are `firewall_backend`, `table`, `anchor`, `sysctl`, `wait`");
  const section = await refused("\n[nftables]\ntable = 'x'\n");
  assertEquals(section.message, 'x.conf:2: There is no key "nftables"');
  assertMatch((await refused("[wait]\nx = 1\n")).message, /^x\.conf:1: The value of "wait"/);
});

/** Files whose third line holds the key, and other lines what looks like it. */
const PLACES: readonly string[] = [
  "# wait = 'x'\n\nwait = 'x'\n",
  "sysctl = true # wait = 1\n  # wait = 1\n  'wait'='x'",
  'table = "wait"\nsysctl = true\n\t"wait"  =true\nfirewall_backend = "nftables"\n',
  "\r\n# await = 1\r\nwait = 'x'\r\n",
  "\n\nwait = [\n  1,\n  2,\n]\n",
  "\n\nwait.wait = 1\n",
  "\n\n[wait]\n",
  "\n\n[[wait]]\n",
];

for (const text of PLACES) {
  Deno.test(`the line of the key is told in ${JSON.stringify(text)}`, async () => {
    assertMatch((await refused(text)).message, /^x\.conf:3: The value of "wait" must be/);
  });
}

Deno.test("text that is not TOML is refused with line and column", async () => {
  const unquoted = await refused("wait = 3\ntable = bridgewall\n");
  assertMatch(unquoted.message, /^x\.conf:2:\d+: \S/);
  const twice = await refused("wait = 3\nwait = 4\n");
  assertMatch(twice.message, /^x\.conf:2:\d+: \S/);
  assertMatch((await refused("wait\n")).message, /^x\.conf:1:\d+: \S/);
  for (const { message } of [unquoted, twice]) {
    assertEquals(message.includes("\n"), false);
    assertEquals(message.includes("Invalid TOML"), false);
  }
});

Deno.test("file and key are shown without what a terminal would act on", async () => {
  const file = "\x1b[2J.conf";
  for (const text of ['"a\\u001b" = 1', "wait = 'x'", "wait"]) {
    const { message } = await assertRejects(
      () => parseConfiguration(text, file),
      ConfigurationError,
    );
    assertEquals(message.startsWith("\\u{1b}[2J.conf:"), true, message);
    assertEquals(message.includes("\x1b"), false, message);
  }
});
